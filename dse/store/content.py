"""Check the rows of an archive, which may come from a stranger.

Ids must match the content: the id of a network is a hash of its graph, that of a cell
a hash of network, recipe, data and numerics, and a point's key is its metaparameters.
Names of fields become columns of views, so they must follow the rules for names.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from dse.arch.cost import cost
from dse.arch.graph import Architecture
from dse.bounds import MOST, is_number, is_whole
from dse.errors import DseError, first_line
from dse.families import refusal_of_family, refusal_of_field
from dse.fields import Field
from dse.runs.cell import cell_id
from dse.runs.recipe import Recipe
from dse.runs.records import point_key
from dse.store.views import SQL_TYPES

UNEXPECTED = (TypeError, ValueError, LookupError, AttributeError, ArithmeticError)
"""Errors that malformed data can raise."""


def check_architectures(rows: Iterable[Any]) -> None:
    """Check that the stored ids and costs of networks match their graphs.

    Raises:
        DseError: one does not match; the message names it.
    """
    for row in rows:
        what = f"network {row.id}"
        told = (row.id, row.params, row.macs, row.activations, row.peak_activations)
        _same(what, told, _of(what, _identity_and_costs, row.graph))


def _identity_and_costs(graph: Mapping[str, Any]) -> tuple[str, int, int, int, int]:
    network = Architecture.from_json(graph)
    costs = cost(network)
    counts = costs.params, costs.macs, costs.activations, costs.peak_activations
    return network.id, *counts


def check_cells(rows: Iterable[Any]) -> None:
    """Check that the ids of cells match their content.

    Raises:
        DseError: one does not match; the message names it.
    """
    for row in rows:
        recipe = _of(f"cell {row.id}", Recipe.from_json, row.recipe).to_json()
        data = row.dataset_fingerprint
        found = cell_id(row.arch_id, recipe, data, row.numerics_version)
        _same(f"cell {row.id}", row.id, found)


def check_families(rows: Iterable[Any]) -> dict[str, dict[str, Field]]:
    """Check the names of families and fields; return the fields by family.

    Raises:
        DseError: a name is not allowed, or a field is malformed; the message names it.
    """
    found = {}
    for row in rows:
        what = f"family {str(row.name)[:40]!r}"
        if why := refusal_of_family(row.name):
            raise _refusal(what, why)
        fields = _of(what, lambda told: dict(told.items()), row.fields)
        derived = _of(what, list, row.derived)
        for name in (*fields, *derived):
            if why := refusal_of_field(name):
                raise _refusal(what, f"of {str(name)[:80]!r}: {why}")
        found[row.name] = {x: _of(what, _field, told) for x, told in fields.items()}
    return found


def _field(told: Mapping[str, Any]) -> Field:
    if not isinstance(told["kind"], str) or told["kind"] not in SQL_TYPES:
        raise ValueError(f"a field is of kind {told['kind']!r}")
    return Field.from_json(told)


def check_points(
    rows: Iterable[Any], fields: Mapping[str, Mapping[str, Field]]
) -> None:
    """Check the keys of points, and the kinds of their values.

    Raises:
        DseError: one does not match; the message names its study.
    """
    for row in rows:
        what = f"a point of study {row.study}"
        key = _of(what, point_key, row.family, row.metaparameters)
        _same(what, row.point, key)
        own = fields.get(row.family)
        if own is None:
            raise _refusal(what, f"its family {row.family!r} is not in the archive")
        _check_values(what, row.metaparameters, own)
        _check_values(what, _of(what, dict, row.derived), None)


def _check_values(
    what: str, values: Mapping[str, Any], fields: Mapping[str, Field] | None
) -> None:
    """Check values against their fields; for None they are derived numbers."""
    number = Field("real", "")
    for name, value in values.items():
        field = number if fields is None else fields.get(name)
        if field is not None and field.optional and value is None:
            continue
        kind = "none" if field is None else field.kind
        fits = {
            "whole": is_whole(value, -MOST, MOST),
            "real": is_number(value) and math.isfinite(value),
            "flag": isinstance(value, bool),
            "choice": isinstance(value, str),
            "text": isinstance(value, str),
        }
        if not fits.get(kind, False):
            raise _refusal(what, f"{name} is {str(value)[:40]!r}, of kind {kind}")


def _of(what: str, made: Callable[..., Any], *content: Any) -> Any:
    try:
        return made(*content)
    except (*UNEXPECTED, DseError) as error:
        kind = "" if isinstance(error, DseError) else f"{type(error).__name__}: "
        raise _refusal(what, f"{kind}{first_line(error)}") from error


def _same(what: str, told: object, found: object) -> None:
    if told != found:
        why = f"it is {told}, and its content makes it {found}: changed, or damaged"
        raise _refusal(what, why)


def _refusal(what: str, why: str) -> DseError:
    return DseError(f"{what} of the archive cannot be read: {why}; nothing is imported")
