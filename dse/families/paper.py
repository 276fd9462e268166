"""Numbers published in the SqueezeNet paper (arXiv 1602.07360v4), as printed.

Sizes are the paper's labels: its "MB" are MiB rounded up, as `ls -h` prints them.
Accuracies are per cent on ImageNet, single crop.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Published:
    """One published point.

    Attributes:
        value: the varied metaparameter.
        size_mib: the printed size.
        top5: top-5 accuracy, per cent.
        top1: top-1 accuracy, per cent, where it was printed.
    """

    value: float | str
    size_mib: float
    top5: float
    top1: float | None = None


FIGURE_3A = (
    Published(0.125, 4.8, 80.3),
    Published(0.25, 7.6, 83.4),
    Published(0.5, 13.0, 85.4),
    Published(0.75, 19.0, 86.0),
    Published(1.0, 24.0, 86.1),
)
"""Figure 3(a): SR at pct_3x3 = 0.5, read out of the vector drawing."""

FIGURE_3B = (
    Published(0.01, 5.7, 76.3),
    Published(0.125, 7.4, 80.9),
    Published(0.25, 9.3, 84.0),
    Published(0.375, 11.0, 84.7),
    Published(0.5, 13.0, 85.3),
    Published(0.625, 15.0, 85.6),
    Published(0.75, 17.0, 85.4),
    Published(0.875, 19.0, 85.5),
    Published(0.99, 21.0, 85.3),
)
"""Figure 3(b): pct_3x3 at SR = 0.5, read out of the vector drawing."""

TABLE_3 = (
    Published("none", 4.8, 80.3, 57.5),
    Published("simple", 4.8, 82.5, 60.4),
    Published("complex", 7.7, 82.0, 58.8),
)
"""Table 3: bypass. No reading of figure 2 gives complex bypass 7.7 MB; its four 1x1
convolutions make 1,589,672 parameters, 6.06 MiB."""

TABLE_1_PARAMS: Mapping[str, int] = {
    "conv1": 14_208,
    "fire2": 11_920,
    "fire3": 12_432,
    "fire4": 45_344,
    "fire5": 49_440,
    "fire6": 104_880,
    "fire7": 111_024,
    "fire8": 188_992,
    "fire9": 197_184,
    "conv10": 513_000,
}
"""Table 1: parameters before pruning."""

TABLE_1_TOTAL = 1_248_424
"""Table 1: all parameters before pruning."""

PUBLISHED: Mapping[str, tuple[Published, ...]] = {
    "figure 3(a)": FIGURE_3A,
    "figure 3(b)": FIGURE_3B,
    "table 3": TABLE_3,
}
"""By the name that an experiment gives as its source."""

SLIPS: Mapping[str, tuple[str, ...]] = {
    "figure 3(a)": (
        "the network of 13 MB is at 85.4 % in Figure 3(a), at 85.3 % in 3(b) and in "
        "both labels",
    ),
    "figure 3(b)": (
        "section 5.3 has the plateau at 85.6 % with 50 % of 3x3 filters; that is the "
        "marker of 62.5 %, the one of 50 % is at 85.3 %",
    ),
    "table 3": (
        "complex bypass is printed with 7.7 MB; the four convolutions that figure 2 "
        "draws make 1,589,672 parameters, 6.06 MiB",
    ),
}
"""What the paper contradicts itself in, by the source that an experiment names."""
