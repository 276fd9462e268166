"""Figure 3(b) with batch norm and without: does it change what section 5.3 says?

    dse reproduce norm_fig3a norm_fig3b norm_table3 --preset narrow --dataset SET

The recipe is that of experiments/norm_fig3a.py.
"""

from dse import Beats, Experiment, GainsLittle, SqueezeNet
from dse.study.presets import NORM_PRESETS

SHARES = (0.01, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 0.99)

EXPERIMENT = Experiment(
    title="Share of 3x3 filters with batch norm and without",
    anchor=SqueezeNet(sr=0.5),
    varied={"norm": ("none", "batch"), "pct_3x3": SHARES},
    presets=NORM_PRESETS,
    claims=(
        Beats(
            "batch norm adds accuracy",
            "norm",
            better={"norm": "batch", "pct_3x3": 0.5},
            worse={"norm": "none", "pct_3x3": 0.5},
        ),
        Beats(
            "3x3 filters up to 50 % add accuracy, with batch norm",
            "5.3",
            better={"norm": "batch", "pct_3x3": 0.5},
            worse={"norm": "batch", "pct_3x3": 0.01},
        ),
        GainsLittle(
            "past 50 % of 3x3 filters accuracy does not improve, with batch norm",
            "5.3",
            start={"norm": "batch", "pct_3x3": 0.5},
            end={"norm": "batch", "pct_3x3": 0.99},
            margin=0.01,
        ),
    ),
)
