"""Figure 3(a): the width of the squeeze layers, SR from 0.125 to 1 at 50 % 3x3 filters.

    dse reproduce fig3a

`quick` (base_e = incr_e = 16, 3 epochs on the embedded images, 2 replicates) takes a
minute on two cores. `narrow` trains longer, on another dataset (results/README.md).
`full` is the paper's width with 5 replicates, for a GPU.
Expect accuracy to rise with SR and to level off at 0.75.
"""

from dse import PRESETS, Beats, Experiment, GainsLittle, SizesAsPrinted, SqueezeNet

EXPERIMENT = Experiment(
    title="Squeeze ratio (section 5.2)",
    anchor=SqueezeNet(pct_3x3=0.5),
    varied="sr",
    values=(0.125, 0.25, 0.5, 0.75, 1.0),
    published="figure 3(a)",
    presets=PRESETS,
    # The margin, a point of accuracy, is a sixth of the paper's gain up to SR 0.75.
    claims=(
        SizesAsPrinted("the networks have the sizes that Figure 3(a) prints", "5.2"),
        Beats("accuracy rises with SR up to 0.75", "5.2", better=0.75, worse=0.125),
        GainsLittle(
            "accuracy plateaus at SR 0.75", "5.2", start=0.75, end=1.0, margin=0.01
        ),
    ),
)
