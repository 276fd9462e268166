"""The life of a run in the database, and what the database refuses."""

import datetime
import sqlite3
import zipfile
from contextlib import closing

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import event, text

from dse.errors import DseError
from dse.families.squeezenet import SqueezeNet
from dse.passwords import shown
from dse.runs.events import Done, EpochEnded, Failed, Started
from dse.runs.paths import weights_of
from dse.runs.recipe import Recipe
from dse.store.append import add_epoch, begin_run, complete_run, fail_run
from dse.store.database import open_store
from dse.store.enter import register_points, register_study
from dse.store.forget import forget
from dse.store.merge import merge
from dse.store.query import load_network, status, view
from dse.store.run_states import run_states
from dse.store.schema import SCHEMA_VERSION
from dse.store.statement import sql
from dse.store.transfer import export_studies, import_file
from dse.study.plan import make_point, study_record

RECIPE = Recipe(2, 0.05, batch_size=16)
SCORES = {"loss": 0.5, "accuracy": 0.75}


@pytest.fixture
def store(workplace):
    return open_store("sqlite:///results/dse.db")


def fill(store, dataset, replicates=2, recipe=RECIPE, study="fig"):
    """A study of two points; the first point's replicates are complete."""
    record = study_record(study, "quick", dataset, recipe, replicates)
    points = [
        make_point(SqueezeNet(4, 4, pct_3x3=pct), record.recipe, dataset)
        for pct in (0.25, 0.75)
    ]
    register_study(store, record)
    register_points(store, record.name, points)
    for replicate in range(replicates):
        finish(store, points[0].cell.id, replicate)
    return record, points


def finish(store, cell_id, replicate, accuracy=0.75):
    begin_run(store, Started(cell_id, replicate, "cpu"))
    scored = {"loss": 0.5, "accuracy": accuracy}
    metrics = {"train": SCORES, "validation": scored}
    for epoch in (1, 2):
        ended = EpochEnded(cell_id, replicate, epoch, metrics, 100, 0.5)
        add_epoch(store, ended)
    weights = {"conv1": {"kernel": np.full((1, 1, 1, 2), replicate, np.float32)}}
    done = Done(
        cell_id,
        replicate,
        metrics={**metrics, "test": {"loss": 0.4, "accuracy": accuracy - 0.1}},
        train_seconds=2.0,
        compile_seconds=1.0,
        step_seconds=1.5,
        weights=weights,
    )
    complete_run(store, done)


def test_runs_have_true_types(store, tiny):
    record, points = fill(store, tiny)
    begin_run(store, Started(points[1].cell.id, 0, "cpu"))
    fail_run(store, Failed(points[1].cell.id, 0, "lost", "it died"))
    runs = view(store, "runs", record.name)
    assert len(runs) == 3
    assert runs["created_at"].dtype == "datetime64[us, UTC]"
    assert runs["base_e"].dtype == runs["params"].dtype == np.dtype("int64")
    assert runs["sr"].dtype == runs["test_accuracy"].dtype == np.dtype("float64")
    assert pd.api.types.is_string_dtype(runs["status"])
    complete = runs[runs["status"] == "complete"]
    assert complete["val_accuracy"].tolist() == [0.75, 0.75]
    assert complete["test_accuracy"].tolist() == pytest.approx([0.65, 0.65])
    assert (complete["bytes_fp32"] == 4 * complete["params"]).all()
    failed = runs[runs["status"] == "failed"].iloc[0]
    assert (failed["reason"], failed["detail"]) == ("lost", "it died")
    assert np.isnan(failed["test_accuracy"])


def test_an_empty_database_has_typed_views_too(store):
    for name in ("runs", "cells", "epochs"):
        assert view(store, name).empty
    assert view(store, "runs")["params"].dtype == np.dtype("int64")


def test_the_documented_columns_are_there(store, tiny):
    columns = (
        "study cell_id arch_id family dataset preset replicate seed status reason "
        "params macs bytes_fp32 val_accuracy test_accuracy epochs train_seconds "
        "compile_seconds device numerics_version code_version created_at"
    )
    assert set(columns.split()) <= set(view(store, "runs").columns)
    fill(store, tiny)
    columns += " base_e incr_e freq sr pct_3x3 bypass version pools resolved_pct_3x3"
    assert set(columns.split()) <= set(view(store, "runs").columns)


def test_epochs_are_one_row_each(store, tiny):
    record, _ = fill(store, tiny, replicates=1)
    epochs = view(store, "epochs", record.name)
    assert epochs["epoch"].tolist() == [1, 2]
    assert epochs["train_loss"].tolist() == [0.5, 0.5]
    assert epochs["val_accuracy"].tolist() == [0.75, 0.75]
    assert epochs["images_per_second"].tolist() == [200, 200]


def test_a_repeated_run_replaces_what_was_left(store, tiny):
    _, points = fill(store, tiny, replicates=1)
    cell_id = points[1].cell.id
    begin_run(store, Started(cell_id, 0, "cpu"))
    metrics = {"train": SCORES, "validation": SCORES}
    add_epoch(store, EpochEnded(cell_id, 0, 1, metrics, 100, 0.5))
    finish(store, cell_id, 0, accuracy=0.5)
    row = sql(store, f"SELECT * FROM dse_runs WHERE cell_id = '{cell_id}'").iloc[0]
    assert (row["status"], row["tries"], row["val_accuracy"]) == ("complete", 1, 0.5)
    values = sql(store, "SELECT COUNT(*) AS n FROM dse_metrics")["n"].item()
    # Two runs of two epochs of five values, and two of test each.
    assert values == 2 * (2 * 5 + 2)


def test_status_counts_cells(store, tiny):
    record, points = fill(store, tiny)
    begin_run(store, Started(points[1].cell.id, 0, "cpu"))
    fail_run(store, Failed(points[1].cell.id, 0, "lost", ""))
    table = status(store, record.name)
    assert table["complete"].tolist() == [2, 0]
    assert table["failed"].tolist() == [0, 1]
    assert table["running"].tolist() == [0, 0]
    assert table["missing"].tolist() == [0, 1]


def test_a_try_is_what_ended_in_a_failure(store, tiny):
    """Not what a killed driver left under way."""
    _, points = fill(store, tiny)
    cell_id = points[1].cell.id
    started = Started(cell_id, 0, "cpu")
    for _ in range(3):
        begin_run(store, started)
        assert run_states(store, [cell_id])[cell_id, 0].tries == 1
    failed = Failed(cell_id, 0, "lost", "it died")
    assert fail_run(store, failed) == 1
    assert fail_run(store, failed) == 1  # the same, written twice
    begin_run(store, started)
    assert fail_run(store, failed) == 2
    run = int(view(store, "runs").query("cell_id == @cell_id")["run_id"].iloc[0])
    with pytest.raises(DseError, match=f"run {run} is failed; only a complete run has"):
        load_network(store, run)


def test_a_study_refuses_a_second_recipe(store, tiny):
    fill(store, tiny)
    with pytest.raises(DseError, match=r"another recipe \(epochs 2 there, 3 here\)"):
        fill(store, tiny, recipe=Recipe(3, 0.05, batch_size=16))
    assert len(view(store, "runs")) == 2


def test_weights_come_back(store, tiny):
    record, _ = fill(store, tiny)
    runs = view(store, "runs", record.name)
    run = int(runs[runs["replicate"] == 1]["run_id"].item())
    stored = load_network(store, run)
    assert stored.weights["conv1"]["kernel"].tolist() == [[[[1.0, 1.0]]]]
    assert stored.class_names == tiny.class_names
    assert stored.architecture.id == runs["arch_id"].iloc[0]
    with pytest.raises(DseError, match="there is no run 999"):
        load_network(store, 999)
    for odd in ("2", None, True, 1.0, [1], 10**40):
        with pytest.raises(DseError, match="there is no run"):
            load_network(store, odd)


def test_more_rows_than_a_statement_takes_values(store, tiny, tmp_path):
    """SQLite takes some 30,000 values in a statement, PostgreSQL 65,535."""

    def few(connection, _):
        connection.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 30)

    record, _ = fill(store, tiny, replicates=40)
    elsewhere = open_store(f"sqlite:///{tmp_path}/elsewhere/dse.db")
    for each in (store, elsewhere):
        event.listen(each.engine, "connect", few)
    merge(store, elsewhere, [record.name])
    assert len(view(elsewhere, "runs")) == 40
    assert forget(elsewhere, record.name).runs == 40
    assert view(elsewhere, "runs").empty


def test_export_and_import_make_no_doubles(store, tiny, tmp_path):
    record, points = fill(store, tiny)
    file = tmp_path / "study.zip"
    assert export_studies(store, file, record.name) == 2
    elsewhere = open_store(f"sqlite:///{tmp_path}/elsewhere/dse.db")
    assert import_file(elsewhere, file) == 2
    assert import_file(elsewhere, file) == 0
    columns = ["study", "cell_id", "replicate", "test_accuracy", "created_at"]
    pd.testing.assert_frame_equal(
        view(elsewhere, "runs")[columns], view(store, "runs")[columns]
    )
    assert len(view(elsewhere, "epochs")) == 4
    load_network(elsewhere, int(view(elsewhere, "runs")["run_id"].iloc[0]))
    # More runs here: only they are new there, and nothing there is lost.
    finish(store, points[1].cell.id, 0)
    export_studies(store, file)
    assert import_file(elsewhere, file) == 1
    assert len(view(elsewhere, "runs")) == 3


def test_a_number_that_was_a_runs_is_never_anothers(store, tiny):
    _, points = fill(store, tiny, replicates=1)
    [gone] = view(store, "runs")["run_id"]
    with store.writing() as connection:
        connection.execute(text("DELETE FROM dse_runs"))
    finish(store, points[1].cell.id, 0)
    assert view(store, "runs")["run_id"].tolist() == [gone + 1]


def test_import_refuses_a_study_of_another_recipe(store, tiny, tmp_path):
    fill(store, tiny)
    export_studies(store, tmp_path / "study.zip")
    other = open_store(f"sqlite:///{tmp_path}/other.db")
    fill(other, tiny, recipe=Recipe(9, 0.05, batch_size=16))
    with pytest.raises(DseError, match="another recipe"):
        import_file(other, tmp_path / "study.zip")
    assert len(view(other, "runs")) == 2


def test_import_refuses_the_points_of_another_experiment(store, tiny, tmp_path):
    fill(store, tiny)
    export_studies(store, tmp_path / "study.zip")
    other = open_store(f"sqlite:///{tmp_path}/other.db")
    record = study_record("fig", "quick", tiny, RECIPE, 2)
    register_study(other, record)
    wider = SqueezeNet(16, 4, pct_3x3=0.5)
    register_points(other, record.name, [make_point(wider, record.recipe, tiny)])
    with pytest.raises(DseError, match="together they would vary base_e, pct_3x3"):
        import_file(other, tmp_path / "study.zip")
    assert len(view(other, "runs")) == 0
    assert len(view(other, "cells")) == 1


def test_an_export_replaces_an_export_alone(store, tiny, tmp_path):
    fill(store, tiny)
    before = tmp_path / "x.zip"
    assert export_studies(store, before) == export_studies(store, before) == 2
    (tmp_path / "empty").touch()
    assert export_studies(store, tmp_path / "empty") == 2
    notes = tmp_path / "notes.txt"
    notes.write_text("precious")
    with zipfile.ZipFile(tmp_path / "own.zip", "w") as archive:
        archive.write(notes)
    for file in (store.place.database, notes, tmp_path / "own.zip"):
        content = file.read_bytes()
        with pytest.raises(DseError, match="is no export of dse; name another file"):
            export_studies(store, file)
        assert file.read_bytes() == content


def test_what_is_no_export(store, tmp_path):
    (tmp_path / "notes.zip").write_text("hello")
    with pytest.raises(DseError, match=r"notes\.zip is not an export of dse"):
        import_file(store, tmp_path / "notes.zip")
    with pytest.raises(DseError, match="No such file"):
        import_file(store, tmp_path / "nothing.zip")
    with pytest.raises(DseError, match="there is no study 'x'"):
        export_studies(store, tmp_path / "x.zip", "x")


@pytest.mark.parametrize(
    "query",
    [
        "DELETE FROM dse_runs",
        "  update dse_runs set status = 'complete'",
        "PRAGMA query_only = OFF",
        "ATTACH DATABASE 'other.db' AS other",
        "",
    ],
)
def test_sql_that_writes_is_refused(store, tiny, query):
    fill(store, tiny)
    with pytest.raises(DseError, match="is not read-only; expected SELECT"):
        sql(store, query)


def test_sql_that_writes_in_disguise_is_refused(store, tiny):
    fill(store, tiny)
    with pytest.raises(DseError, match="readonly"):
        sql(store, "WITH x AS (SELECT 1) DELETE FROM dse_runs")
    assert len(view(store, "runs")) == 2
    finish(store, view(store, "runs")["cell_id"].iloc[0], 1)  # writing still works


def test_wrong_sql_is_one_line(store):
    with pytest.raises(DseError, match="no such column: accuracy") as error:
        sql(store, "SELECT accuracy FROM runs")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("query", "name", "meant"),
    [
        ("SELECT pct_3x FROM runs", "pct_3x", " (did you mean pct_3x3?)"),
        ("SELECT r.zzz FROM runs r", "zzz", ""),
        ("SELECT status FROM runs WHERE zzz > 3", "zzz", ""),
        ("SELECT main.runs.zz FROM runs", "zz", ""),
        ("SELECT [a b] FROM runs", "a b", ""),
        ('SELECT r."a b" FROM runs r', "a b", ""),
    ],
)
def test_a_column_that_is_not_there(store, tiny, query, name, meant):
    fill(store, tiny)
    with pytest.raises(DseError) as error:
        sql(store, query)
    said = (
        f"no such column: {name}{meant}; dse query 'SELECT * FROM runs LIMIT 1' shows"
    )
    assert str(error.value).startswith(said)


def test_an_unknown_study_is_named(store, tiny):
    with pytest.raises(DseError, match="run a sweep first"):
        view(store, "runs", "fig")
    fill(store, tiny)
    with pytest.raises(DseError, match="no study 'fig'; expected fig/tiny-quick"):
        view(store, "runs", "fig")


def test_a_missing_database_is_not_made_by_reading(workplace):
    with pytest.raises(DseError, match="there is no database"):
        open_store("sqlite:///results/dse.db", create=False)
    assert not (workplace / "results").exists()


def test_another_schema_version_is_refused(store):
    with sqlite3.connect("results/dse.db") as connection:
        connection.execute("UPDATE dse_schema SET version = 99")
    connection.close()
    complaint = f"schema version 99; this dse works with {SCHEMA_VERSION}"
    with pytest.raises(DseError, match=complaint):
        open_store("sqlite:///results/dse.db")


def test_a_file_that_is_no_database(workplace):
    (workplace / "x.db").write_text("not a database, but long enough to be read" * 9)
    with pytest.raises(DseError, match="file is not a database"):
        open_store("sqlite:///x.db")


def test_a_url_that_is_none_and_a_driver_that_is_missing():
    with pytest.raises(DseError, match="'results' is no database URL"):
        open_store("results")
    for url in (
        "sqlite://me:secret@host/x.db",
        "sqlite://x.db",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///file:x?mode=memory&uri=true",
    ):
        with pytest.raises(DseError, match="names no file, and results are") as refusal:
            open_store(url)
        assert "secret" not in str(refusal.value)
    with pytest.raises(DseError, match="needs a driver"):
        open_store("firebird+fdb://u@h/d")


def test_a_password_is_never_shown():
    assert "secret" not in shown("postgresql://me:secret@host/runs")


def test_a_read_only_database(store, tiny):
    fill(store, tiny)
    with sqlite3.connect("results/dse.db") as connection:
        connection.execute(
            "CREATE TRIGGER full BEFORE UPDATE ON dse_runs "
            "BEGIN SELECT RAISE(ABORT, 'attempt to write a readonly database'); END"
        )
    connection.close()
    with pytest.raises(DseError, match="readonly"):
        finish(store, view(store, "runs")["cell_id"].iloc[0], 0)


def test_a_database_without_runs_is_left_alone(workplace):
    with closing(sqlite3.connect("other.db")) as connection:
        connection.execute("CREATE TABLE mine (x)")
    with pytest.raises(DseError, match="holds no runs of dse"):
        open_store("sqlite:///other.db", create=False)
    with closing(sqlite3.connect("other.db")) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master").fetchall()
    assert tables == [("mine",)]


def test_one_sweep_at_a_time(store):
    other = open_store("sqlite:///results/dse.db")
    refusal = pytest.raises(DseError, match="another sweep is writing")
    with store.sweeping(["a"]), refusal, other.sweeping(["b"]):
        pass
    with other.sweeping(["a"]):
        pass


def test_a_plans_points_replace_those_it_had(store, tiny):
    record, points = fill(store, tiny)
    register_points(store, record.name, points[::-1][:1], only=True)
    assert view(store, "cells")["cell_id"].tolist() == [points[1].cell.id]
    register_points(store, record.name, points[::-1], only=True)
    ordered = view(store, "cells").sort_values("position")
    assert ordered["pct_3x3"].tolist() == [0.75, 0.25]
    assert ordered["complete"].tolist() == [0, 2]


def test_replicates_are_never_lowered(store, tiny):
    fill(store, tiny, replicates=3)
    fill(store, tiny, replicates=1)
    assert view(store, "cells")["planned"].tolist() == [3, 3]


def test_two_columns_of_one_name(store):
    with pytest.raises(DseError, match="two columns are called 'x'"):
        sql(store, "SELECT 1 AS x, 2 AS x")


def test_damaged_weights_are_said_to_be(store, tiny):
    record, _ = fill(store, tiny, replicates=1)
    run = int(view(store, "runs", record.name)["run_id"].iloc[0])
    [file] = store.place.weights.iterdir()
    whole = file.read_bytes()
    other = np.array([3, 4], np.float32).tobytes()
    assert whole.endswith(bytes(8))  # the kernel: two zeros
    for damaged, said in (
        (b"", "cannot be read"),
        (whole[:-1], "cannot be read"),
        (whole[:-8] + other, "are not those that the run wrote"),
    ):
        file.write_bytes(damaged)
        with pytest.raises(DseError, match=f"the weights .* {said}"):
            load_network(store, run)


def test_a_disk_that_fills_up_leaves_no_half_of_the_weights(store, tiny, monkeypatch):
    _, points = fill(store, tiny)
    before = set(store.place.weights.iterdir())

    def fill_up(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("dse.files.os.fsync", fill_up)
    with pytest.raises(DseError, match="No space left on device; free some space"):
        finish(store, points[1].cell.id, 0)
    assert set(store.place.weights.iterdir()) == before
    states = run_states(store, [points[1].cell.id])
    assert [state.status for state in states.values()] == ["running"]


def test_results_in_a_folder_that_cannot_be_made(workplace):
    (workplace / "results").write_text("a file where a folder should be")
    with pytest.raises(
        DseError, match=r"cannot make the folder results|unable to open"
    ):
        open_store("sqlite:///results/dse.db")


def test_run_states(store, tiny):
    _, points = fill(store, tiny)
    states = run_states(store, [p.cell.id for p in points])
    assert {key[1]: s.status for key, s in states.items()} == {
        0: "complete",
        1: "complete",
    }
    assert run_states(store, []) == {}


@pytest.mark.parametrize("ended", ["under way", "lost"])
def test_weights_of_a_run_that_did_not_end_are_deleted(store, tiny, ended):
    """Its worker had written them, and nobody has heard that it was done."""
    _, points = fill(store, tiny)
    cell_id = points[1].cell.id
    begun = datetime.datetime(2026, 1, 2, 3, 4, 5, 6)
    before = set(store.place.weights.iterdir())
    begin_run(store, Started(cell_id, 0, "cpu", begun))
    file = weights_of(store.place.own, cell_id, 0, begun)
    half = file.with_name(f".{file.name}.0123456789abcdef")
    for left in (file, half):
        left.write_text("left")
    if ended == "lost":
        fail_run(store, Failed(cell_id, 0, "lost", "it died"))
    finish(store, cell_id, 0)
    [own] = set(store.place.weights.iterdir()) - before
    assert own.name.startswith(cell_id)
    assert own != file
