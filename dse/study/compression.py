"""Compression of trained networks as an experiment, from settings of stages."""

import itertools
import json
from collections.abc import Mapping, Sequence
from typing import Any

from dse.errors import DseError
from dse.fields import Field, unknown_name
from dse.files import short_digest
from dse.runs.recorded import Recorded
from dse.runs.records import StudyRecord, point_key
from dse.runs.staged import Network, Staged
from dse.runs.stages import STAGES, Code, Factor, Prune, Stage
from dse.study.experiment import Experiment
from dse.study.names import MOST_LETTERS
from dse.study.points import MOST_LETTERS as MOST_OF_SERIES
from dse.study.preset import Preset

AS_TRAINED, COMPRESSED = "as trained", "compressed"
"""Names of series."""
MOST_SETTINGS = 1000

FIELDS: Mapping[str, Field] = {
    name: field for kind in STAGES.values() for name, field in kind.fields.items()
}
"""Fields of all stages, by name."""

Chain = tuple[Stage, ...]
"""What is done to a network, in order."""


def chains_of(settings: Mapping[str, Any]) -> list[Chain]:
    """Make the stages that have one of the settings, of every combination of values.

    Huffman codes come last where networks are pruned or quantised.

    Args:
        settings: fields of stages; each a value, or several in a list or a tuple.

    Raises:
        DseError: none is given, one is unknown, or values do not fit each other.
    """
    for name in settings:
        if name not in FIELDS:
            raise DseError(unknown_name("there is no setting of a stage", name, FIELDS))
    if not settings:
        raise DseError(
            "nothing says how to compress; give settings, as --density 0.33 --bits 6 "
            "(density=0.33, bits=6 in Python)"
        )
    listed = {name: _several(name, values) for name, values in settings.items()}
    count = 1
    for values in listed.values():
        count *= len(values)
    if count > MOST_SETTINGS:
        raise DseError(
            f"there are {count:,} combinations of settings; expected "
            f"{MOST_SETTINGS:,} at most"
        )
    combinations = itertools.product(*listed.values())
    made = [_chain(dict(zip(listed, values, strict=True))) for values in combinations]
    return list(dict.fromkeys(made))


def chain_of(settings: Mapping[str, Any]) -> Chain:
    """The chain of the first of each setting's values; see `chains_of`."""
    first = {
        name: values[0] if isinstance(values, list | tuple) and values else values
        for name, values in settings.items()
    }
    [chain] = chains_of(first)
    return chain


def _several(name: str, values: Any) -> list[Any]:
    several = values if isinstance(values, list | tuple) else [values]
    if not several:
        raise DseError(f"{name} has no values; give one or more")
    return [FIELDS[name].checked(name, value) for value in several]


def _chain(values: Mapping[str, Any]) -> Chain:
    chosen = {
        name: kind
        for name, kind in STAGES.items()
        if any(field in values for field in kind.fields)
    }
    if Factor.name not in chosen:
        chosen[Code.name] = Code
    return tuple(
        kind.of({name: x for name, x in values.items() if name in kind.fields})
        for name, kind in STAGES.items()
        if name in chosen
    )


def read_settings(words: Mapping[str, str]) -> dict[str, Any]:
    """Parse values that a person wrote, several with commas (names of layers with ;).

    Raises:
        DseError: a value does not fit its field.
    """
    return {
        name: tuple(
            FIELDS[name].read(name, word.strip())
            for word in written.split(";" if FIELDS[name].kind == "text" else ",")
        )
        for name, written in words.items()
    }


def compressed(
    of: StudyRecord,
    points: Sequence[Recorded | Staged],
    preset: Preset,
    *,
    chains: Sequence[Chain],
    whole: bool,
) -> tuple[str, Experiment]:
    """The experiment that compresses trained networks, after its name.

    Args:
        of: the study that trained them.
        points: the networks.
        preset: how they were trained.
        chains: what is done to each.
        whole: whether they are all networks of the study.

    Raises:
        DseError: a stage cannot follow what was done before.
    """
    series: dict[str, list[Network]] = {AS_TRAINED: list(points)}
    made: list[list[Network]] = [
        [_after(point, chain) for point in points] for chain in chains
    ]
    if len(points) == 1 or len(chains) == 1:
        series[COMPRESSED] = [point for each in made for point in each]
    else:
        for chain, each in zip(chains, made, strict=True):
            series[_called(chain, chains)] = each
    digest = _digest(() if whole else points, chains)
    name = _named(of, "compressed", digest)
    title = f"{of.experiment}, compressed: {', '.join(x.name for x in chains[0])}"
    return name, Experiment(title, presets={of.preset: preset}, points=series)


def scanned(
    of: StudyRecord,
    points: Sequence[Recorded | Staged],
    preset: Preset,
    *,
    densities: Sequence[float],
    whole: bool,
) -> tuple[str, Experiment]:
    """The experiment that prunes one layer of a network at a time, without training.

    Args:
        of: the study that trained them.
        points: the networks.
        preset: how they were trained.
        densities: shares of the layer's weights that are kept.
        whole: whether they are all networks of the study.

    Raises:
        DseError: a network is pruned already, or a share is none.
    """
    if not densities:
        raise DseError("density has no values; give one or more, as 0.5")
    scans: list[Network] = [
        _after(point, (Prune(density, pruned=layer, prune_epochs=0),))
        for density in densities
        for point in points
        for layer in _network(point).architecture.kernels
    ]
    chains = [(Prune(density, prune_epochs=0),) for density in densities]
    name = _named(of, "scanned", _digest(() if whole else points, chains))
    series: dict[str, Sequence[Network]] = {
        AS_TRAINED: list(points),
        "one layer pruned": scans,
    }
    title = f"{of.experiment}, one layer pruned at a time"
    return name, Experiment(title, presets={of.preset: preset}, points=series)


def _network(point: Recorded | Staged) -> Recorded:
    network = point.point if isinstance(point, Staged) else point
    assert isinstance(network, Recorded)
    return network


def _named(of: StudyRecord, what: str, digest: str) -> str:
    own = of.experiment.replace(".", "-")[: MOST_LETTERS - len(what) - 10]
    return f"{own}-{what}-{digest}"


def _after(point: Recorded | Staged, chain: Chain) -> Staged:
    if isinstance(point, Staged):
        return Staged(point.point, (*point.stages, *chain))
    return Staged(point, chain)


def _called(chain: Chain, chains: Sequence[Chain]) -> str:
    """What a chain has and others have not; with a digest where that is too long."""
    said = [[stage.short() for stage in each] for each in chains]
    common = set.intersection(*map(set, said))
    own = ", ".join(x for x in (stage.short() for stage in chain) if x not in common)
    if own and len(own) <= MOST_OF_SERIES:
        return own
    return f"{own[: MOST_OF_SERIES - 9]} {_digest((), [chain])}"


def _digest(points: Sequence[Recorded | Staged], chains: Sequence[Chain]) -> str:
    done = [[stage.to_json() for stage in chain] for chain in chains]
    own = [point_key(point.name, point.values) for point in points]
    return short_digest(json.dumps([own, done], sort_keys=True))
