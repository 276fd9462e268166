"""SqueezeNet's metamodel: metaparameters -> widths -> graph (sections 3 to 6)."""

import math
from dataclasses import dataclass, fields
from typing import Any, Literal

from dse.arch.graph import (
    INPUT,
    Add,
    Architecture,
    Concat,
    Convolution,
    Dropout,
    GlobalAverage,
    Initializer,
    Layer,
    MaxPool,
    Relu,
    Shape,
)
from dse.bounds import brief, check_whole, is_number, is_whole
from dse.errors import DseError

FIRE_MODULES = 8
WIDEST = 2**16
"""Of widths, sizes and classes: Optuna keeps no larger ones, and nobody trains them."""
SMALLEST_INPUT = 24
IMAGENET_INPUT = 128
POOL_PLACES = {"1.0": (1, 4, 8), "1.1": (1, 3, 5)}
"""Max pools follow these modules (1 is conv1, 2 to 9 the Fire modules)."""

MOVED = 5e-4
"""A share of 3x3 filters that rounding moves by less is named as it was asked for."""

CONV1_FILTERS = {"1.0": 96, "1.1": 64}

Bypass = Literal["none", "simple", "complex"]
Version = Literal["1.0", "1.1"]


class OpenWidth(int):
    """A width that nobody stated: as a number it is the paper's.

    An experiment's preset chooses in its place; a stated width it leaves alone, also
    one of the same number.
    """


PAPER_WIDTH = OpenWidth(128)


@dataclass(frozen=True)
class Metaparameters:
    """The metaparameters of section 5.1, and section 6's macroarchitecture.

    A width that is not given stays open, for an experiment's preset to choose
    (`open_widths`); `dataclasses.replace` leaves it so. Whole numbers are 65,536 at
    most.

    Attributes:
        base_e: expand filters in the first Fire module, at least 1.
        incr_e: expand filters added after every `freq` Fire modules, at least 0.
        freq: Fire modules between two increments, at least 1.
        sr: squeeze ratio SR in [0, 1], s1x1 over e.
        pct_3x3: share of 3x3 among the expand filters, in [0, 1].
        bypass: `none`, `simple` or `complex` (section 6, figure 2).
        version: `1.0` as in the paper, or the released `1.1`.
        pools: modules that a max pool follows (1 is conv1, 2 to 9 the Fire modules),
            as `1,4,8`: strategy 3 of section 3.1; `version` for the version's own.

    Raises:
        DseError: a value is out of range or of the wrong type.
    """

    base_e: int = PAPER_WIDTH
    incr_e: int = PAPER_WIDTH
    freq: int = 2
    sr: float = 0.125
    pct_3x3: float = 0.5
    bypass: Bypass = "none"
    version: Version = "1.0"
    pools: str = "version"

    def __post_init__(self) -> None:
        for name, least in (("base_e", 1), ("incr_e", 0), ("freq", 1)):
            value = _whole(name, getattr(self, name), least)
            object.__setattr__(self, name, value)
        for name in ("sr", "pct_3x3"):
            object.__setattr__(self, name, _share(name, getattr(self, name)))
        for name, choices in (
            ("bypass", ("none", "simple", "complex")),
            ("version", tuple(POOL_PLACES)),
        ):
            if getattr(self, name) not in choices:
                raise DseError(
                    f"{name} is {getattr(self, name)!r}; "
                    f"expected one of {', '.join(choices)}"
                )
        object.__setattr__(self, "pools", _pools(self.pools))

    @property
    def open_widths(self) -> tuple[str, ...]:
        """Which of base_e and incr_e nobody stated."""
        return tuple(
            name
            for name in ("base_e", "incr_e")
            if isinstance(getattr(self, name), OpenWidth)
        )

    @property
    def pool_places(self) -> tuple[int, ...]:
        """The modules that a max pool follows, ascending."""
        if self.pools == "version":
            return POOL_PLACES[self.version]
        return tuple(map(int, self.pools.split(",")))

    @classmethod
    def from_mapping(cls, values: dict[str, Any]) -> "Metaparameters":
        """Metaparameters by name; the paper's SqueezeNet where one is missing.

        Raises:
            DseError: a name is none of the metaparameters', or a value is wrong.
        """
        known = [field.name for field in fields(cls)]
        unknown = sorted(set(values) - set(known))
        if unknown:
            raise DseError(
                f"no metaparameter is called {unknown[0]!r}; "
                f"expected one of {', '.join(known)}"
            )
        return cls(**values)

    def short(self) -> str:
        """All that differs from a plain 1.0, in a few words."""
        words = [
            f"base_e {self.base_e}",
            f"incr_e {self.incr_e}",
            f"freq {self.freq}",
            f"SR {self.sr:g}",
            f"3x3 {100 * self.pct_3x3:g} %",
        ]
        if self.bypass != "none":
            words.append(f"{self.bypass} bypass")
        if self.version != "1.0":
            words.append(f"version {self.version}")
        if self.pools != "version":
            words.append(f"pools after {self.pools}")
        return ", ".join(words)


def _whole(name: str, value: object, least: int) -> int:
    if isinstance(value, OpenWidth):
        return value
    if not is_whole(value, least, WIDEST):
        raise DseError(
            f"{name} is {brief(value)}; expected a whole number from {least} up to "
            f"{WIDEST:,}"
        )
    return int(value)


def _share(name: str, value: object) -> float:
    if not is_number(value) or not 0 <= value <= 1:
        raise DseError(f"{name} is {brief(value)}; expected a number from 0 to 1")
    return float(value)


def _pools(value: object) -> str:
    """Places of pools in one spelling: ascending, none twice, no spaces."""
    words = str(value).replace(" ", "").split(",")
    last = FIRE_MODULES + 1
    if words == ["version"]:
        return "version"
    if not all(word in map(str, range(1, last + 1)) for word in words):
        raise DseError(
            f"pools is {brief(value)}; expected modules from 1 to {last}, as 1,4,8, or "
            "version"
        )
    return ",".join(map(str, sorted(set(map(int, words)))))


@dataclass(frozen=True)
class FireWidths:
    """Filters of one Fire module: squeeze s1x1, expand e1x1 and e3x3."""

    s1x1: int
    e1x1: int
    e3x3: int

    @property
    def e(self) -> int:
        """Expand filters e = e1x1 + e3x3, the module's output channels."""
        return self.e1x1 + self.e3x3


def widths(metaparameters: Metaparameters) -> tuple[FireWidths, ...]:
    """Filters of fire2 to fire9 (section 5.1), fractions rounded half up.

    e_i = base_e + incr_e·⌊i / freq⌋ for i = 0..7; e3x3 = pct_3x3·e_i, e1x1 the rest,
    s1x1 = SR·e_i but at least 1.
    """
    m = metaparameters
    modules = []
    for i in range(FIRE_MODULES):
        e = m.base_e + m.incr_e * (i // m.freq)
        e3x3 = round_half_up(m.pct_3x3 * e)
        modules.append(FireWidths(max(1, round_half_up(m.sr * e)), e - e3x3, e3x3))
    return tuple(modules)


def resolved_pct_3x3(metaparameters: Metaparameters) -> float:
    """Share of 3x3 among all expand filters once widths are whole numbers."""
    modules = widths(metaparameters)
    return sum(w.e3x3 for w in modules) / sum(w.e for w in modules)


def rounding_moves_pct_3x3(metaparameters: Metaparameters) -> bool:
    """Whether the resolved share is another than the one asked for, as printed."""
    return abs(resolved_pct_3x3(metaparameters) - metaparameters.pct_3x3) >= MOVED


def round_half_up(value: float) -> int:
    """⌊value + 1/2⌋."""
    return math.floor(value + 0.5)


@dataclass(frozen=True)
class Stem:
    """What surrounds the Fire modules, chosen by the size of the input.

    ImageNet's (from 128 pixels) is the released Caffe network; the small one keeps
    the resolution of 24 to 127 pixels through conv1 and trains without batch norm.
    """

    conv1_filters: int
    conv1_kernel: int
    conv1_stride: int
    conv1_padding: int
    rounding: Literal["ceil", "same"]
    conv10_padding: int
    conv10_relu: bool
    initializer: Initializer
    conv10_initializer: Initializer


def stem(metaparameters: Metaparameters, size: int) -> Stem:
    """The stem for square or oblong inputs whose shorter side is `size` pixels.

    Raises:
        DseError: `size` is under 24.
    """
    version, base_e = metaparameters.version, metaparameters.base_e
    filters = CONV1_FILTERS[version]
    if size < SMALLEST_INPUT:
        raise DseError(
            f"the input is {size} pixels; expected at least {SMALLEST_INPUT} "
            "(pad or enlarge the images)"
        )
    if size < IMAGENET_INPUT:
        narrowed = max(1, round_half_up(filters * base_e / 128))
        return Stem(narrowed, 3, 1, 1, "same", 0, False, "he", "he")
    kernel, padding = (7, 1) if version == "1.0" else (3, 0)
    return Stem(filters, kernel, 2, 0, "ceil", padding, True, "xavier", "gaussian")


def squeezenet(
    metaparameters: Metaparameters,
    input_shape: Shape = (227, 227, 3),
    classes: int = 1000,
) -> Architecture:
    """The SqueezeNet variant of these metaparameters.

    Args:
        metaparameters: the point in the design space.
        input_shape: height, width, channels of one image.
        classes: class scores, at least 2.

    Raises:
        DseError: the input is under 24 pixels, `classes` or the channels are too few,
            or one of them is no whole number up to 65,536.
    """
    _check_input(input_shape, classes)
    outer = stem(metaparameters, min(input_shape[:2]))
    pools = metaparameters.pool_places
    layers: list[Layer] = _convolution(
        "conv1",
        INPUT,
        outer.conv1_filters,
        outer.conv1_kernel,
        outer.conv1_stride,
        outer.conv1_padding,
        outer.initializer,
    )
    channels = outer.conv1_filters
    for place, fire in enumerate(widths(metaparameters), start=2):
        if place - 1 in pools:
            layers.append(_pool(place - 1, layers[-1].name, outer.rounding))
        source = layers[-1].name
        layers += _fire(f"fire{place}", source, fire, outer.initializer)
        if metaparameters.bypass != "none":
            complex_too = metaparameters.bypass == "complex"
            layers += _bypass(place, source, channels, fire.e, complex_too, layers)
        channels = fire.e
    if FIRE_MODULES + 1 in pools:
        layers.append(_pool(FIRE_MODULES + 1, layers[-1].name, outer.rounding))
    layers.append(Dropout("drop9", (layers[-1].name,), 0.5))
    conv10 = Convolution(
        "conv10",
        ("drop9",),
        classes,
        1,
        padding=outer.conv10_padding,
        initializer=outer.conv10_initializer,
    )
    layers.append(conv10)
    if outer.conv10_relu:
        layers.append(Relu("relu_conv10", ("conv10",)))
    layers.append(GlobalAverage("pool10", (layers[-1].name,)))
    return Architecture(input_shape, tuple(layers))


def _check_input(input_shape: Shape, classes: int) -> None:
    check_whole("classes", classes, 2, WIDEST)
    if len(input_shape) != 3:
        raise DseError(
            f"the input is {brief(input_shape)}; expected height, width and channels"
        )
    for name, size in zip(("height", "width"), input_shape, strict=False):
        check_whole(f"the input's {name}", size, 0, WIDEST)
    channels = input_shape[2]
    if not is_whole(channels, 1, WIDEST):
        raise DseError(
            f"the input has {brief(channels)} channels; expected 1 or more, at most "
            f"{WIDEST:,}"
        )


def _convolution(
    name: str,
    source: str,
    filters: int,
    kernel: int,
    stride: int = 1,
    padding: int = 0,
    initializer: Initializer = "he",
) -> list[Layer]:
    convolution = Convolution(
        name, (source,), filters, kernel, stride, padding, initializer
    )
    return [convolution, Relu(_relu_name(name), (name,))]


def _relu_name(name: str) -> str:
    module, _, part = name.rpartition("/")
    return f"{module}/relu_{part}" if module else f"relu_{part}"


def _pool(place: int, source: str, rounding: Literal["ceil", "same"]) -> Layer:
    return MaxPool(f"pool{place}", (source,), 3, 2, rounding)


def _fire(
    module: str, source: str, fire: FireWidths, initializer: Initializer
) -> list[Layer]:
    """Squeeze, then the expand halves that have filters, side by side."""
    squeeze = f"{module}/squeeze1x1"
    layers = _convolution(squeeze, source, fire.s1x1, 1, initializer=initializer)
    squeezed = layers[-1].name
    halves = []
    for part, filters, kernel in (("1x1", fire.e1x1, 1), ("3x3", fire.e3x3, 3)):
        if filters:
            name = f"{module}/expand{part}"
            layers += _convolution(
                name, squeezed, filters, kernel, 1, kernel // 2, initializer
            )
            halves.append(layers[-1].name)
    if len(halves) == 2:
        layers.append(Concat(f"{module}/concat", tuple(halves)))
    return layers


def _bypass(
    place: int,
    source: str,
    channels: int,
    e: int,
    complex_too: bool,
    layers: list[Layer],
) -> list[Layer]:
    """Simple where channel counts agree; else complex's 1x1 convolution, if asked."""
    module, output = f"fire{place}", layers[-1].name
    if channels == e:
        return [Add(f"{module}/add", (source, output))]
    if not complex_too:
        return []
    initializer = next(x for x in layers if isinstance(x, Convolution)).initializer
    bypass = _convolution(f"{module}/bypass1x1", source, e, 1, initializer=initializer)
    return [*bypass, Add(f"{module}/add", (bypass[-1].name, output))]
