"""Batch norm in section 5: the cells of Figure 3 and Table 3, with it and without.

    dse reproduce norm --preset narrow --dataset path/to/cifar10

Narrow networks without batch norm are still learning when a short training ends. Here
the same cells are trained with it and without, under one recipe that suits both: the
rate is twice that of the other narrow studies, which changes nothing without batch norm
(experiments/ablations.py). `full` is the paper's width, for a GPU.
"""

from dataclasses import replace

from dse import PRESETS, Experiment, SqueezeNet

SHARES = (0.01, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 0.99)
PLAIN = {
    **{f"SR {ratio}": SqueezeNet(sr=ratio) for ratio in (0.125, 0.25, 0.5, 0.75, 1.0)},
    **{f"3x3 {100 * x:g} %": SqueezeNet(sr=0.5, pct_3x3=x) for x in SHARES},
    **{f"{name} bypass": SqueezeNet(bypass=name) for name in ("simple", "complex")},
}
NORMED = {
    f"{name}, batch norm": replace(point, norm="batch") for name, point in PLAIN.items()
}

EXPERIMENT = Experiment(
    title="Batch norm in the studies of section 5",
    points={**NORMED, **PLAIN},
    presets={
        "narrow": replace(
            PRESETS["narrow"],
            replicates=3,
            recipe=replace(PRESETS["narrow"].recipe, peak_learning_rate=0.05),
        ),
        "full": replace(PRESETS["full"], replicates=5),
    },
)
