"""Table 3 with batch norm and without: does it change what section 6 says?

    dse reproduce norm_fig3a norm_fig3b norm_table3 --preset narrow --dataset SET

The recipe is that of experiments/norm_fig3a.py.
"""

from dse import Beats, Experiment, SqueezeNet
from dse.study.presets import NORM_PRESETS

EXPERIMENT = Experiment(
    title="Bypass connections with batch norm and without",
    anchor=SqueezeNet(),
    varied={"norm": ("none", "batch"), "bypass": ("none", "simple", "complex")},
    presets=NORM_PRESETS,
    claims=(
        Beats(
            "batch norm adds accuracy",
            "norm",
            better={"norm": "batch", "bypass": "none"},
            worse={"norm": "none", "bypass": "none"},
        ),
        Beats(
            "simple bypass adds accuracy, with batch norm",
            "6",
            better={"norm": "batch", "bypass": "simple"},
            worse={"norm": "batch", "bypass": "none"},
        ),
        Beats(
            "complex bypass adds accuracy, with batch norm",
            "6",
            better={"norm": "batch", "bypass": "complex"},
            worse={"norm": "batch", "bypass": "none"},
        ),
        Beats(
            "simple adds more than complex, with batch norm",
            "6",
            better={"norm": "batch", "bypass": "simple"},
            worse={"norm": "batch", "bypass": "complex"},
        ),
    ),
)
