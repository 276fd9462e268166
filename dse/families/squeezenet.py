"""SqueezeNet (Iandola et al. 2016, arXiv 1602.07360v4), costs and printed numbers."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from dse.arch.build import IMAGENET_SIDE, Build
from dse.arch.closed_form import CostArrays, CostSum, Reals, in_blocks
from dse.arch.family import SINGLE_CROP, Family, Published, Source, Values
from dse.arch.graph import Architecture
from dse.arch.layer import Shape
from dse.bounds import brief
from dse.errors import DseError
from dse.fields import Grid, choice, share, text, whole

FIRES, SMALLEST = 8, 24
"""Fire modules; pixels of any input, and from where on the stem is the released one."""
POOLS = {"1.0": (1, 4, 8), "1.1": (1, 3, 5)}
"""Modules that a max pool follows: 1 is conv1, 2 to 9 the Fire modules."""
CONV1 = {"1.0": (96, 7), "1.1": (64, 3)}
"""Filters and kernel size of conv1, by version."""
MOVED = 5e-4
"""Largest change of the share of 3x3 filters by rounding that labels do not show."""

REST = {
    "freq": Grid(1, 4, 1),
    "sr": Grid(0.125, 1.0, 0.125),
    "pct_3x3": Grid(0.0, 1.0, 0.125),
}
"""Values in both spaces: `narrow` is for two cores, `paper` has section 5's widths."""
TABLE_1 = (
    *(14_208, 11_920, 12_432, 45_344, 49_440, 104_880, 111_024, 188_992, 197_184),
    513_000,
)
"""Parameters of conv1, the Fire modules and conv10: 1,248,424 in all."""
SHARES = (0.01, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 0.99)
RATIOS = (0.125, 0.25, 0.5, 0.75, 1.0)
FIGURE_3A = ((4.8, 7.6, 13.0, 19.0, 24.0), (80.3, 83.4, 85.4, 86.0, 86.1))
FIGURE_3B = (
    (5.7, 7.4, 9.3, 11.0, 13.0, 15.0, 17.0, 19.0, 21.0),
    (76.3, 80.9, 84.0, 84.7, 85.3, 85.6, 85.4, 85.5, 85.3),
)
TABLE_3 = ((4.8, 4.8, 7.7), (80.3, 82.5, 82.0), (57.5, 60.4, 58.8))
"""Printed MB, top-5 accuracy and top-1 accuracy in per cent, for each bypass."""


class Fire(NamedTuple):
    """Filters of a Fire module: numbers of one network, or arrays over many."""

    s1x1: Any
    e: Any
    e3x3: Any

    @property
    def e1x1(self) -> Any:
        """The expand filters that are not 3x3."""
        return self.e - self.e3x3


class Outer(NamedTuple):
    """Layers around the Fire modules: as released, or for 24 to 127 pixels.

    The small form keeps the resolution through conv1.
    """

    is_small: bool
    kernel: int
    stride: int
    padding: int
    rounding: Literal["ceil", "same"]
    conv10: Mapping[str, Any]


def places(value: object) -> str:
    """Normalise places of pools: ascending, without doubles or spaces."""
    words = str(value).replace(" ", "").split(",")
    if words == ["version"]:
        return "version"
    if not all(word in map(str, range(1, FIRES + 2)) for word in words):
        raise DseError(
            f"pools is {brief(value)}; expected modules from 1 to {FIRES + 1}, as "
            "1,4,8, or version"
        )
    return ",".join(map(str, sorted(set(map(int, words)))))


@dataclass(frozen=True)
class SqueezeNet(Family, name="squeezenet"):
    """SqueezeNet: the metamodel of section 5.1, and section 6's macroarchitecture."""

    base_e: int = whole(
        128, "expand filters of the first Fire module", cost="rises", scales=True
    )
    incr_e: int = whole(
        128, "filters added every freq modules", least=0, cost="rises", scales=True
    )
    freq: int = whole(2, "Fire modules between two increments", cost="falls")
    sr: float = share(
        0.125, "squeeze ratio SR, s1x1 over e", label="SR {}", cost="rises"
    )
    pct_3x3: float = share(
        0.5, "share of 3x3 among the expand filters", label="{} %", cost="rises"
    )
    bypass: str = choice("none", ("none", "simple", "complex"), "bypass connections")
    version: str = choice("1.0", ("1.0", "1.1"), "1.0 as in the paper, or released 1.1")
    pools: str = text(
        "version",
        "modules that a max pool follows (1 is conv1), as 1,4,8; version for its own",
        places, label="pools {}", ordered=True,
    )  # fmt: skip
    norm: str = choice(
        "none", ("none", "batch"), "batch norm for biases, but in conv10", later=True
    )

    side: ClassVar[int] = 227
    spaces: ClassVar[Mapping[str, Mapping[str, Values]]] = {
        "narrow": {"base_e": Grid(4, 32, 4), "incr_e": Grid(0, 32, 4), **REST},
        "paper": {"base_e": Grid(16, 256, 16), "incr_e": Grid(0, 256, 16), **REST},
    }

    def widths(self) -> list[Fire]:
        """Filters of fire2 to fire9."""
        return list(fires(vars(self), math.floor, max))

    @property
    def pool_places(self) -> tuple[int, ...]:
        """Modules that a max pool follows, ascending."""
        if self.pools == "version":
            return POOLS[self.version]
        return tuple(map(int, self.pools.split(",")))

    def derived(self) -> Mapping[str, float]:
        """The share of 3x3 filters after widths are rounded."""
        share = _rounded_share(self.base_e, self.incr_e, self.freq, self.pct_3x3)
        return {"resolved_pct_3x3": share}

    def note(self) -> str:
        """The rounded share, if it differs from `pct_3x3` as printed."""
        [share] = self.derived().values()
        return f"{100 * share:.3g} %" if abs(share - self.pct_3x3) >= MOVED else ""

    def modules(self) -> Mapping[str, Mapping[str, int]]:
        """Columns s1x1, e1x1 and e3x3 of Table 1."""
        widths = enumerate(self.widths(), start=2)
        return {
            f"fire{place}": {"s1x1": fire.s1x1, "e1x1": fire.e1x1, "e3x3": fire.e3x3}
            for place, fire in widths
        }

    def architecture(self, input_shape: Shape, classes: int) -> Architecture:
        """See `Family`; the input has at least 24 pixels a side."""
        net = Build(input_shape, classes, "he")
        outer = self._outer(min(input_shape[:2]))
        net.initializer = "he" if outer.is_small else "xavier"
        channels = CONV1[self.version][0]
        if outer.is_small:
            channels = max(1, math.floor(channels * self.base_e / 128 + 0.5))
        norm = self.norm == "batch"
        at = outer.kernel, outer.stride, outer.padding
        net.conv("conv1", channels, *at, norm=norm)
        for place, fire in enumerate(self.widths(), start=2):
            if place - 1 in self.pool_places:
                net.max_pool(f"pool{place - 1}", 3, 2, outer.rounding)
            self._fire(net, f"fire{place}", fire, channels)
            channels = fire.e
        if FIRES + 1 in self.pool_places:
            net.max_pool(f"pool{FIRES + 1}", 3, 2, outer.rounding)
        net.dropout("drop9")
        net.conv("conv10", classes, 1, **outer.conv10)
        net.average("pool10")
        return net.done()

    def _outer(self, side: int) -> Outer:
        if side < SMALLEST:
            raise DseError(
                f"the input is {side} pixels; expected at least {SMALLEST} "
                "(pad or enlarge the images)"
            )
        if side < IMAGENET_SIDE:
            return Outer(True, 3, 1, 1, "same", {"relu": False, "initializer": "he"})
        last = {"padding": int(self.version == "1.0"), "initializer": "gaussian"}
        return Outer(False, CONV1[self.version][1], 2, 0, "ceil", last)

    def _fire(self, net: Build, module: str, fire: Fire, channels: int) -> None:
        """Add a Fire module: squeeze, expand halves that have filters, bypass."""
        source, conv = net.last, partial(net.conv, norm=self.norm == "batch")
        squeezed = conv(f"{module}/squeeze1x1", fire.s1x1, 1)
        halves = [
            conv(f"{module}/expand{k}x{k}", filters, k, 1, k // 2, source=squeezed)
            for filters, k in ((fire.e1x1, 1), (fire.e3x3, 3))
            if filters
        ]
        if len(halves) == 2:
            net.concat(f"{module}/concat", *halves)
        output = net.last
        if self.bypass == "none" or (channels != fire.e and self.bypass == "simple"):
            return
        if channels != fire.e:
            source = conv(f"{module}/bypass1x1", fire.e, 1, source=source)
        net.sum(f"{module}/add", source, output)

    @classmethod
    def costs(
        cls, points: Mapping[str, ArrayLike], input_shape: Shape, classes: int
    ) -> CostArrays:
        """See `Family`; closed form if all but numbers have one value."""
        if any(np.ndim(points[name]) for name in points if name not in NUMBERS):
            return super().costs(points, input_shape, classes)
        given = {name: value for name, value in points.items() if name not in NUMBERS}
        plain = cls.of({name: str(value) for name, value in given.items()})
        numbers = {name: points.get(name, getattr(plain, name)) for name in NUMBERS}
        outer = plain._outer(min(input_shape[:2]))
        shapes = plain.architecture(input_shape, classes).shapes
        layers = ("conv1", *(f"fire{i}/squeeze1x1" for i in range(2, 10)), "conv10")
        positions = [math.prod(shapes[layer][:2]) for layer in layers]
        conv1, learnt = outer.kernel**2 * input_shape[2], 1 + (plain.norm == "batch")

        def add_up(block: Mapping[str, Reals]) -> CostSum:
            base_e = block["base_e"]
            total = CostSum(base_e.size)
            channels = np.full(base_e.shape, float(CONV1[plain.version][0]))
            if outer.is_small:
                channels = np.maximum(1, np.floor(channels * base_e / 128 + 0.5))
            total.add(conv1 * channels, channels, positions[0], learnt)
            modules = fires(block, np.floor, np.maximum)
            for place, (s1x1, e, e3x3) in enumerate(modules, start=1):
                weights = s1x1 * (channels + e + 8 * e3x3)
                outputs = s1x1 + e
                if plain.bypass == "complex":
                    widened = channels != e
                    weights += widened * (channels * e)
                    outputs += widened * e
                total.add(weights, outputs, positions[place], learnt)
                channels = e
            scores = np.full(base_e.shape, float(classes))
            total.add(channels * classes, scores, positions[-1])
            return total

        return in_blocks(numbers, add_up)

    @classmethod
    def published(cls) -> Mapping[str, Source]:
        """ImageNet accuracy, single crop; Figure 3 is read from its vector drawing."""

        def source(points: Iterable[Any], printed: Any, *slips: str) -> Source:
            rows = zip(points, *printed, strict=True)
            return Source(tuple(Published(*row) for row in rows), slips)

        table_3 = source(
            (cls(bypass=name) for name in cls.fields["bypass"].options),
            TABLE_3,
            "complex bypass is printed with 7.7 MB; the four convolutions that figure "
            "2 draws make 1,589,672 parameters, 6.06 MiB",
        )
        modules = ("conv1", *(f"fire{i}" for i in range(2, 10)), "conv10")
        return {
            "table 1": Source(parameters=dict(zip(modules, TABLE_1, strict=True))),
            "figure 3(a)": source(
                (cls(sr=ratio) for ratio in RATIOS),
                FIGURE_3A,
                "the network of 13 MB is at 85.4 % in Figure 3(a), at 85.3 % in 3(b) "
                "and in both labels",
            ),
            "figure 3(b)": source(
                (cls(sr=0.5, pct_3x3=share) for share in SHARES),
                FIGURE_3B,
                "section 5.3 has the plateau at 85.6 % with 50 % of 3x3 filters; that "
                "is the marker of 62.5 %, the one of 50 % is at 85.3 %",
            ),
            "table 3": table_3,
            SINGLE_CROP: Source(table_3.points),
        }


@lru_cache(2**16)
def _rounded_share(base_e: int, incr_e: int, freq: int, pct_3x3: float) -> float:
    numbers = dict(zip(NUMBERS, (base_e, incr_e, freq, 0.0, pct_3x3), strict=True))
    _, e, e3x3 = map(sum, zip(*fires(numbers, math.floor, max), strict=True))
    return float(e3x3 / e)


NUMBERS = ("base_e", "incr_e", "freq", "sr", "pct_3x3")


def fires(
    m: Mapping[str, Any], floor: Callable[[Any], Any], most: Callable[[Any, Any], Any]
) -> Iterator[Fire]:
    """Widths by section 5.1, of one network or many: e_i = base_e + incr_e·⌊i / freq⌋.

    i = 0..7; e3x3 = pct_3x3·e_i, s1x1 = SR·e_i but at least 1; halves are rounded up.
    """
    for i in range(FIRES):
        e = m["base_e"] + m["incr_e"] * floor(i / m["freq"])
        s1x1, e3x3 = floor(m["sr"] * e + 0.5), floor(m["pct_3x3"] * e + 0.5)
        yield Fire(most(1, s1x1), e, e3x3)
