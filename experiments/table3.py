"""Table 3: bypass connections, compared as none, simple and complex (section 6).

    dse reproduce table3

`quick` (base_e = incr_e = 16, 3 epochs on the embedded images, 2 replicates) takes
about a minute and a half on two cores. `full` is the paper's width with 5 replicates,
for a GPU. The paper finds simple better than complex better than none. Its 7.7 MB for
complex bypass cannot be reached: the four 1x1 convolutions make 6.06 MiB.
"""

from dse import PRESETS, Beats, Experiment, SizesAsPrinted, SqueezeNet

EXPERIMENT = Experiment(
    title="Bypass connections (section 6)",
    anchor=SqueezeNet(),
    varied="bypass",
    values=("none", "simple", "complex"),
    published="table 3",
    presets=PRESETS,
    claims=(
        SizesAsPrinted(
            "the networks have the sizes that Table 3 prints", "6", slips=("complex",)
        ),
        Beats("simple bypass adds accuracy", "6", better="simple", worse="none"),
        Beats("complex bypass adds accuracy", "6", better="complex", worse="none"),
        Beats("simple adds more than complex", "6", better="simple", worse="complex"),
    ),
)
