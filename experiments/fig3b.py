"""Figure 3(b): the share of 3x3 filters, pct_3x3 from 1 % to 99 % at SR 0.5.

    dse reproduce fig3b

`quick` (base_e = incr_e = 16, 3 epochs on the embedded images, 2 replicates) takes a
few minutes on two cores. `narrow` trains longer, on another dataset
(results/README.md). `full` is the paper's width with 5 replicates, for a GPU.
Expect the paper's curve: a steep rise at first, and little gain past 50 %.
"""

from dse import PRESETS, Beats, Experiment, GainsLittle, SizesAsPrinted, SqueezeNet

EXPERIMENT = Experiment(
    title="Share of 3x3 filters (section 5.3)",
    anchor=SqueezeNet(sr=0.5),
    varied="pct_3x3",
    values=(0.01, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 0.99),
    published="figure 3(b)",
    presets=PRESETS,
    # The margin, a point of accuracy, is a ninth of the paper's gain up to 50 %.
    claims=(
        SizesAsPrinted("the networks have the sizes that Figure 3(b) prints", "5.3"),
        Beats("3x3 filters up to 50 % add accuracy", "5.3", better=0.5, worse=0.01),
        GainsLittle(
            "past 50 % of 3x3 filters accuracy does not improve",
            "5.3",
            start=0.5,
            end=0.99,
            margin=0.01,
        ),
    ),
)
