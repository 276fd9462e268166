"""Check the rows of an archive, which may come from a stranger.

Ids must match the content: the id of a network is a hash of its graph, that of a cell
a hash of network, recipe, data and numerics, and a point's key is its metaparameters.
Names of fields become columns of views, so they must follow the rules for names.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sqlalchemy import select

from dse.arch.cost import cost
from dse.arch.graph import Architecture
from dse.bounds import MOST, is_number, is_whole
from dse.errors import DseError, first_line
from dse.families import refusal_of_family, refusal_of_field
from dse.fields import Field
from dse.runs.cell import cell_id
from dse.runs.recipe import Recipe
from dse.runs.records import point_key
from dse.runs.stages import check_stages, stage_of
from dse.store.database import Store
from dse.store.schema import architectures, cells, families, study_cells
from dse.store.views import SQL_TYPES

UNEXPECTED = (TypeError, ValueError, LookupError, AttributeError, ArithmeticError)
"""Errors that malformed data can raise."""

CHECKED = (architectures, cells, families, study_cells)


def check_content(source: Store) -> None:
    """Check that the ids, keys and values of all rows match their content.

    Raises:
        DseError: one does not match; the message names it.
    """
    with source.reading() as reading:
        rows = {table: list(reading.execute(select(table))) for table in CHECKED}
    _check_architectures(rows[architectures])
    _check_cells(rows[cells])
    _check_points(rows[study_cells], _check_families(rows[families]))


def _check_architectures(rows: Iterable[Any]) -> None:
    """Check that the ids and costs of networks match their graphs."""
    for row in rows:
        what = f"network {row.id}"
        stored = (row.id, row.params, row.macs, row.activations, row.peak_activations)
        _same(what, stored, _of(what, _identity_and_costs, row.graph))


def _identity_and_costs(graph: Mapping[str, Any]) -> tuple[str, int, int, int, int]:
    network = Architecture.from_json(graph)
    costs = cost(network)
    counts = costs.params, costs.macs, costs.activations, costs.peak_activations
    return network.id, *counts


def _check_cells(rows: Iterable[Any]) -> None:
    for row in rows:
        recipe = _of(f"cell {row.id}", Recipe.of, row.recipe).to_json()
        data = row.dataset_fingerprint
        stages = _of(f"cell {row.id}", _stages, row.stages)
        found = cell_id(row.arch_id, recipe, data, row.numerics_version, stages)
        _same(f"cell {row.id}", row.id, found)


def _stages(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    made = [stage_of(row) for row in rows]
    check_stages(made)
    return [stage.to_json() for stage in made]


def _check_families(rows: Iterable[Any]) -> dict[str, dict[str, Field]]:
    """Check the names of families and fields; return the fields by family."""
    found = {}
    for row in rows:
        what = f"family {str(row.name)[:40]!r}"
        if why := refusal_of_family(row.name):
            raise _refusal(what, why)
        fields = _of(what, _mapping, row.fields)
        derived = _of(what, list, row.derived)
        for name in (*fields, *derived):
            if why := refusal_of_field(name):
                raise _refusal(what, f"of {str(name)[:80]!r}: {why}")
        found[row.name] = {x: _of(what, _field, field) for x, field in fields.items()}
    return found


def _field(data: Mapping[str, Any]) -> Field:
    if not isinstance(data["kind"], str) or data["kind"] not in SQL_TYPES:
        raise ValueError(f"a field is of kind {data['kind']!r}")
    return Field.from_json(data)


def _check_points(
    rows: Iterable[Any], fields: Mapping[str, Mapping[str, Field]]
) -> None:
    """Check the keys of points, and the kinds of their values."""
    for row in rows:
        what = f"a point of study {row.study}"
        values = _of(what, _mapping, row.metaparameters)
        key = point_key(row.family, values)
        _same(what, row.point, key)
        own = fields.get(row.family)
        if own is None:
            raise _refusal(what, f"its family {row.family!r} is not in the archive")
        derived = _of(what, _mapping, row.derived)
        _check_values(what, values, own)
        _check_values(what, derived, dict.fromkeys(derived, Field("real", "")))


def _mapping(data: Mapping[str, Any]) -> dict[str, Any]:
    return dict(data.items())


def _check_values(
    what: str, values: Mapping[str, Any], fields: Mapping[str, Field]
) -> None:
    for name, value in values.items():
        field = fields.get(name)
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


def _same(what: str, stored: object, found: object) -> None:
    if stored != found:
        why = f"it is {stored}, and its content makes it {found}: changed, or damaged"
        raise _refusal(what, why)


def _refusal(what: str, why: str) -> DseError:
    return DseError(f"{what} of the archive cannot be read: {why}; nothing is imported")
