"""Figure 3(a) with batch norm and without: does it change what section 5.2 says?

    dse reproduce norm_fig3a norm_fig3b norm_table3 --preset narrow --dataset SET

Narrow networks without batch norm are still learning when a short training ends. Here
the same cells are trained with it and without, under one recipe that suits both: the
rate is twice that of the other narrow studies (results/README.md says what that alone
changes). `full` is the paper's width, for a GPU.
"""

from dse import Beats, Experiment, GainsLittle, SqueezeNet
from dse.study.presets import NORM_PRESETS

EXPERIMENT = Experiment(
    title="Squeeze ratio with batch norm and without",
    anchor=SqueezeNet(pct_3x3=0.5),
    varied={"norm": ("none", "batch"), "sr": (0.125, 0.25, 0.5, 0.75, 1.0)},
    presets=NORM_PRESETS,
    claims=(
        Beats(
            "batch norm adds accuracy",
            "norm",
            better={"norm": "batch", "sr": 0.5},
            worse={"norm": "none", "sr": 0.5},
        ),
        Beats(
            "accuracy rises with SR up to 0.75, with batch norm",
            "5.2",
            better={"norm": "batch", "sr": 0.75},
            worse={"norm": "batch", "sr": 0.125},
        ),
        GainsLittle(
            "accuracy plateaus at SR 0.75, with batch norm",
            "5.2",
            start={"norm": "batch", "sr": 0.75},
            end={"norm": "batch", "sr": 1.0},
            margin=0.01,
        ),
    ),
)
