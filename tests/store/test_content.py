"""Archives whose rows are not what they are called: nothing of them is imported."""

import json
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from older import begin, rows
from sqlalchemy import text
from test_store import RECIPE, fill

from dse.errors import DseError
from dse.store.database import open_store
from dse.store.enter import register_study
from dse.store.query import load_network, view
from dse.store.statement import sql
from dse.store.transfer import export_studies, import_file
from dse.study.plan import study_record

pytest_plugins = ["postgresql"]

ALL = ("architectures", "cells", "studies", "study_cells", "runs", "metrics")
ALL += ("artifacts", "families")


@pytest.fixture
def opened(workplace, tiny):
    """An export of two cells with two runs, opened: the URL of its tables."""
    store = open_store("sqlite:///there/dse.db")
    fill(store, tiny)
    export_studies(store, Path("good.zip"))
    with zipfile.ZipFile("good.zip") as archive:
        archive.extractall("opened")
    return "sqlite:///opened/tables.db"


def archive():
    """The zip file of what is opened."""
    with zipfile.ZipFile("all.zip", "w") as made:
        for file in sorted(Path("opened").rglob("*")):
            made.write(file, file.relative_to("opened"))
    return Path("all.zip")


def change(url, table, column, value, where="rowid = 1"):
    """Past the product, and past what SQLite checks of keys."""
    with begin(url) as connection:
        query = f"UPDATE dse_{table} SET {column} = :value WHERE {where}"
        assert connection.execute(text(query), {"value": value}).rowcount > 0


def read(url, table, column):
    with begin(url) as connection:
        query = f"SELECT {column} FROM dse_{table} WHERE rowid = 1"
        return connection.execute(text(query)).scalar_one()


def assert_refused(url="sqlite:///here/dse.db", *, said):
    """A line, and neither a row nor a file more than there was."""
    here = open_store(url)
    before, files = rows(url, *ALL), {*here.place.own.rglob("*")}
    with pytest.raises(DseError) as refusal:
        import_file(here, archive())
    assert said in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert rows(url, *ALL) == before
    assert {*here.place.own.rglob("*")} - files <= {here.place.own / "sweep.lock"}


def test_what_nobody_touched_is_imported(opened):
    here = open_store("sqlite:///here/dse.db")
    assert import_file(here, archive()) == 2


NOT_SO = "its content makes it"


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("architectures", "params", 1),
        ("architectures", "macs", 1),
        ("architectures", "activations", 1),
        ("architectures", "peak_activations", 1),
        ("cells", "dataset_fingerprint", "another set"),
        ("cells", "numerics_version", 1),
        ("study_cells", "point", "squeezenet {}"),
        ("study_cells", "family", "another"),
    ],
)
def test_a_row_that_was_changed(opened, table, column, value):
    change(opened, table, column, value)
    assert_refused(said=NOT_SO)


def test_a_network_under_anothers_id(opened):
    """The other's results would be this one's."""
    one, other = rows(opened, "architectures")["architectures"]
    for row, graph in ((one, other["graph"]), (other, one["graph"])):
        told = json.dumps(graph)
        change(opened, "architectures", "graph", told, f"id = '{row['id']}'")
    assert_refused(said=NOT_SO)


def test_a_cell_of_another_network(opened):
    one, other = rows(opened, "cells")["cells"]
    change(opened, "cells", "arch_id", other["arch_id"], f"id = '{one['id']}'")
    assert_refused(said=NOT_SO)


def test_a_graph_that_was_changed(opened):
    graph = json.loads(read(opened, "architectures", "graph"))
    graph["layers"][0]["filters"] += 1
    change(opened, "architectures", "graph", json.dumps(graph))
    assert_refused(said=NOT_SO)


@pytest.mark.parametrize("changes", [{"epochs": 3}, {"seed": 1}, {"momentum": 0.5}])
def test_a_recipe_that_was_changed(opened, changes):
    recipe = json.loads(read(opened, "cells", "recipe")) | changes
    change(opened, "cells", "recipe", json.dumps(recipe))
    assert_refused(said=NOT_SO)


def test_metaparameters_that_were_changed(opened):
    values = json.loads(read(opened, "study_cells", "metaparameters")) | {"sr": 0.75}
    change(opened, "study_cells", "metaparameters", json.dumps(values))
    assert_refused(said=NOT_SO)


def broken_graphs():
    """What a graph may be in an archive that somebody made."""

    def layer(**changes):
        def broken(graph):
            graph["layers"][0] |= changes

        return broken

    return {
        "stride 0": layer(stride=0),
        "no whole filters": layer(filters="many"),
        "negative filters": layer(filters=-1),
        "an unknown kind": layer(kind="magic"),
        "an unknown field": layer(more=1),
        "inputs that are none": layer(inputs=["nowhere"]),
        "no kind": lambda graph: graph["layers"][0].pop("kind"),
        "no layers": lambda graph: graph.pop("layers"),
        "none of them": lambda graph: graph["layers"].clear(),
        "no shape": lambda graph: graph.update(input_shape=[1, 2]),
        "no numbers": lambda graph: graph.update(input_shape=["a", "b", "c"]),
        "huge": lambda graph: graph.update(input_shape=[10**200, 10**200, 3]),
    }


@pytest.mark.parametrize("what", broken_graphs())
def test_a_graph_that_is_none(opened, what):
    graph = json.loads(read(opened, "architectures", "graph"))
    broken_graphs()[what](graph)
    change(opened, "architectures", "graph", json.dumps(graph))
    assert_refused(said="nothing is imported")


@pytest.mark.parametrize("value", ["null", "[]", "3", '"x"', "{}"])
@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("architectures", "graph"),
        ("cells", "recipe"),
        ("study_cells", "metaparameters"),
        ("families", "fields"),
    ],
)
def test_data_of_another_form(opened, table, column, value):
    change(opened, table, column, value)
    assert_refused(said="")


# What becomes a view's columns


def change_family(url, change_fields, derived=None):
    """Change what the archive tells of the family, and what points have of it."""
    fields = json.loads(read(url, "families", "fields"))
    change_fields(fields)
    change(url, "families", "fields", json.dumps(fields))
    if derived is not None:
        change(url, "families", "derived", json.dumps(derived))


HOSTILE = (
    "x' AS x, (SELECT 1",
    'x" , 1 AS "y',
    "x'; DROP TABLE dse_runs; --",
    'x"; DROP TABLE dse_runs; --',
    "a b",
    "A",
    "",
    "study",
    "val_accuracy",
    "x" * 200,
)


@pytest.mark.parametrize("backend", ["sqlite", "postgresql"])
@pytest.mark.parametrize("name", HOSTILE)
def test_a_field_whose_name_is_none(opened, request, backend, name):
    """It would be SQL of a stranger in the views of everybody."""
    url = "sqlite:///here/dse.db"
    if backend == "postgresql":
        url = request.getfixturevalue("database")
    change_family(opened, lambda fields: fields.update({name: fields["sr"]}))
    assert_refused(url, said="")
    assert view(open_store(url), "runs").empty


@pytest.mark.parametrize("name", HOSTILE)
def test_a_derived_number_whose_name_is_none(opened, name):
    change_family(opened, lambda _: None, derived=["resolved_pct_3x3", name])
    assert_refused(said="")
    assert view(open_store("sqlite:///here/dse.db"), "runs").empty


@pytest.mark.parametrize("kind", ["date", "", None, 3, ["whole"]])
def test_a_field_of_no_kind(opened, kind):
    change_family(opened, lambda fields: fields["sr"].update(kind=kind))
    assert_refused(said="")


def rewrite_points(url, change_values, column="metaparameters"):
    """Points whose keys follow their metaparameters, as the check asks."""
    with begin(url) as connection:
        query = f"SELECT rowid, {column} FROM dse_study_cells"
        for rowid, told in connection.execute(text(query)).all():
            values = json.loads(told)
            change_values(values)
            row = {"row": rowid, "values": json.dumps(values)}
            row["point"] = f"squeezenet {json.dumps(values, sort_keys=True)}"
            more = ", point = :point" if column == "metaparameters" else ""
            query = f"UPDATE dse_study_cells SET {column} = :values{more} "
            connection.execute(text(f"{query} WHERE rowid = :row"), row)


@pytest.mark.parametrize("backend", ["sqlite", "postgresql"])
@pytest.mark.parametrize(
    ("column", "changes"),
    [
        ("metaparameters", {"base_e": "many"}),
        ("metaparameters", {"sr": "half"}),
        ("metaparameters", {"base_e": [1]}),
        ("derived", {"resolved_pct_3x3": "half"}),
    ],
)
def test_values_that_a_column_cannot_have(opened, request, backend, column, changes):
    """Whoever read the view next would be told so, of whatever study."""
    url = "sqlite:///here/dse.db"
    if backend == "postgresql":
        url = request.getfixturevalue("database")
    rewrite_points(opened, lambda values: values.update(changes), column)
    assert_refused(url, said="nothing is imported")
    assert view(open_store(url), "runs").empty
    assert sql(open_store(url), "SELECT * FROM runs").empty


def test_what_is_refused_for_its_recipe_leaves_no_columns(opened, tiny):
    """All of an archive is imported, or nothing."""
    other = study_record("fig", "quick", tiny, replace(RECIPE, epochs=9), 1)
    register_study(open_store("sqlite:///here/dse.db"), other)
    assert_refused(said="is here with another recipe")


def test_a_run_keeps_its_own_weights(opened):
    """Weights are checked when they are read: of another run they are refused."""
    with begin(opened) as connection:
        query = "SELECT path FROM dse_artifacts ORDER BY run_id"
        first, second = connection.execute(text(query)).scalars()
    folder = Path("opened/weights")
    (folder / first).rename(folder / "kept")
    (folder / second).rename(folder / first)
    (folder / "kept").rename(folder / second)
    here = open_store("sqlite:///here/dse.db")
    import_file(here, archive())
    for run in view(here, "runs")["run_id"]:
        with pytest.raises(DseError, match="are not those that the run wrote"):
            load_network(here, int(run))
