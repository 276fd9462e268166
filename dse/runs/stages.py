"""Stages: what is done to trained weights afterwards, as a part of a cell.

A cell with stages begins from the weights of its parent, the cell with one stage less,
of the same replicate. Source: Deep Compression (Han et al. 2015, arXiv 1510.00149).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from dse.declared import Declared
from dse.errors import DseError
from dse.fields import Field, choice, real, share, text, unknown_name, whole

DENSITY = 0.33
"""Share of weights kept where nothing is said, that of SqueezeNet's table 1."""
EVERY = "all"
"""Value of a field that names layers, for all of them."""


def layer_names(value: Any) -> str:
    """Normal form of layers' names with commas between them, or `all`."""
    names = [name.strip() for name in str(value).split(",")]
    if not all(names):
        raise DseError(f"layers are {value!r}; expected names with commas, or {EVERY}")
    return ",".join(sorted(set(names)))


class Stage(Declared):
    """One stage; its fields are settings of the cell, and columns of tables.

    Attributes:
        after: names of the stages that it may directly follow; "" for a training. So a
            cell has a stage of each kind at most, and its fields are columns.
    """

    after: ClassVar[tuple[str, ...]] = ()

    def to_json(self) -> dict[str, Any]:
        """Its name and its fields, without later ones at their defaults."""
        own = {
            name: value
            for name, value in self.values.items()
            if not self.fields[name].later or value != getattr(type(self), name)
        }
        return {"stage": self.name, **own}

    @property
    def epochs(self) -> int:
        """Passes of training in it."""
        return int(self.values.get(f"{self.retraining}_epochs", 0))

    @property
    def rate(self) -> float:
        """Peak learning rate over that of the first training."""
        return float(self.values.get(f"{self.retraining}_rate", 0.0))

    retraining: ClassVar[str] = ""
    """What its fields of epochs and rate begin with; empty without training."""

    def short(self) -> str:
        """Short text of it: its name, its numbers, and what is not the default."""
        plain = {name: getattr(type(self), name) for name in self.fields}
        words = [
            field.named(name, value)
            for name, field in self.fields.items()
            if (value := self.values[name]) is not None
            and (value != plain[name] or self._is_main(name, field))
        ]
        return " ".join([self.name, ", ".join(words)]).strip()

    def _is_main(self, name: str, field: Field) -> bool:
        of_training = self.retraining and name.startswith(f"{self.retraining}_")
        return field.kind in ("whole", "real") and not of_training


@dataclass(frozen=True)
class Prune(Stage, name="prune"):
    """Weights are set to 0 and stay there; the others are trained again.

    Of each layer those with the largest magnitudes are kept: a share of them, by
    default a third, or those beyond a threshold (Han et al. 2015, arXiv 1506.02626).
    """

    after: ClassVar[tuple[str, ...]] = ("",)
    retraining: ClassVar[str] = "prune"

    density: float | None = share(
        None,
        "share of each pruned layer's weights that is kept; 0.33 without a quality",
        above=True,
        label="{} % kept",
    )
    quality: float | None = real(
        None,
        "threshold in standard deviations of the layer's weights, in place of a share",
        least=0,
        most=100,
        above=True,
        label="quality {}",
    )
    pruned: str = text(EVERY, "layers that are pruned", layer_names)
    prune_rounds: int = whole(
        1, "prunings on the way, each before its share of the epochs", most=1000
    )
    prune_epochs: int = whole(3, "passes after pruning", least=0, most=10**6)
    prune_rate: float = share(
        0.1,
        "peak learning rate after pruning, over the training's",
        above=True,
        most=10,
    )

    @property
    def layers(self) -> tuple[str, ...]:
        """The layers that are pruned; empty for all."""
        return () if self.pruned == EVERY else tuple(self.pruned.split(","))

    def __post_init__(self) -> None:
        if self.density is None and self.quality is None:
            object.__setattr__(self, "density", DENSITY)
        super().__post_init__()
        if self.density is not None and self.quality is not None:
            raise DseError(
                f"density is {self.density:g} and quality {self.quality:g}; expected "
                "one of them"
            )
        if self.prune_rounds > max(1, self.prune_epochs):
            raise DseError(
                f"prune_rounds is {self.prune_rounds}, prune_epochs "
                f"{self.prune_epochs}; expected an epoch or more for each round"
            )


@dataclass(frozen=True)
class Densify(Stage, name="densify"):
    """Pruned weights are trained again, from 0 (dense, sparse, dense)."""

    after: ClassVar[tuple[str, ...]] = ("prune",)
    retraining: ClassVar[str] = "densify"

    densify_epochs: int = whole(3, "passes of all weights", most=10**6)
    densify_rate: float = share(
        0.1, "peak learning rate of them, over the training's", above=True, most=10
    )


@dataclass(frozen=True)
class Factor(Stage, name="factor"):
    """Dense layers become products of two thin matrices (Denton et al. 2014)."""

    after: ClassVar[tuple[str, ...]] = ("",)

    rank_share: float = share(
        0.2, "share of a layer's weights that its two matrices hold", above=True
    )


@dataclass(frozen=True)
class Quantise(Stage, name="quantise"):
    """The weights of a layer share the values of a codebook, which are trained."""

    after: ClassVar[tuple[str, ...]] = ("", "prune", "densify")
    retraining: ClassVar[str] = "quantise"

    bits: int = whole(8, "bits of a weight's place in the codebook", most=8)
    bits_dense: int | None = whole(None, "the same in dense layers", most=8)
    codebook: Literal["linear", "density", "random", "grid"] = choice(
        "linear",
        ("linear", "density", "random", "grid"),
        "how k-means begins; grid for 256 equal steps in its place, not trained",
    )
    quantise_epochs: int = whole(1, "passes of the codebooks", least=0, most=10**6)
    quantise_rate: float = share(
        0.01, "peak learning rate of them, over the training's", above=True, most=10
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.codebook == "grid" and (self.bits != 8 or self.quantise_epochs):
            raise DseError(
                f"codebook is grid, with bits {self.bits} and quantise_epochs "
                f"{self.quantise_epochs}; expected 8 bits and no epochs"
            )


@dataclass(frozen=True)
class Code(Stage, name="code"):
    """The file gets Huffman codes; no weight changes."""

    after: ClassVar[tuple[str, ...]] = ("prune", "densify", "quantise")

    huffman: Literal["both", "gaps", "codes", "none"] = choice(
        "both", ("both", "gaps", "codes", "none"), "what gets Huffman codes"
    )
    gap_bits: int = whole(4, "bits of a gap between kept weights", least=2, most=8)


STAGES: Mapping[str, type[Stage]] = {
    kind.name: kind for kind in (Prune, Densify, Factor, Quantise, Code)
}
"""Stages by name."""


def stage_of(values: Mapping[str, Any]) -> Stage:
    """Make a stage from the result of `Stage.to_json`.

    Raises:
        DseError: there is no such stage, or a value does not fit.
    """
    name = values.get("stage")
    if not isinstance(name, str) or name not in STAGES:
        raise DseError(unknown_name("there is no stage", str(name), STAGES))
    return STAGES[name].of({x: value for x, value in values.items() if x != "stage"})


def check_stages(stages: Sequence[Stage]) -> None:
    """Check that each stage can follow the one before it.

    Raises:
        DseError: one cannot.
    """
    before = ""
    for stage in stages:
        if before not in stage.after:
            named = [name or "a training" for name in stage.after]
            raise DseError(
                f"{stage.name} follows {before or 'a training'}; it can follow "
                f"{' or '.join(named)}"
            )
        before = stage.name
