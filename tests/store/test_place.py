"""What belongs to a database: two in a folder keep apart, and no row is trusted."""

import os
import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from sqlalchemy import select

from dse.api.results import forget
from dse.errors import DseError
from dse.execute.jobs import Job, JobQueue
from dse.families.squeezenet import SqueezeNet
from dse.runs.events import Done, Failed, Started
from dse.runs.paths import checkpoints_of, log_of, within
from dse.runs.recipe import Recipe
from dse.store.append import begin_run, complete_run, fail_run
from dse.store.database import open_store
from dse.store.enter import register_points, register_study
from dse.store.place import Place
from dse.store.query import load_network, view, weights_path
from dse.store.schema import artifacts
from dse.store.transfer import export_studies, import_file
from dse.study.driver import execute
from dse.study.plan import make_point, study_record
from dse.study.tries import Tries

STUDY = "fig/tiny-quick"
SCORES = {"loss": 0.5, "accuracy": 0.75}
OUTSIDE = ("../../outside", "..", ".", "", " ", "a/b", "a\0b", "a\nb", "~", "-rf", "/")


@pytest.fixture
def filled(workplace, tiny):
    """Makes a database of two cells of one complete run each, with a log."""

    def fill(url, value=1.0):
        store = open_store(url)
        record = study_record("fig", "quick", tiny, Recipe(2, 0.05, batch_size=16), 2)
        points = [
            make_point(SqueezeNet(4, 4, pct_3x3=pct), record.recipe, tiny)
            for pct in (0.25, 0.75)
        ]
        register_study(store, record)
        register_points(store, record.name, points)
        for point in points:
            finish(store, point.cell.id, value)
        return store

    return fill


def finish(store, cell_id, value):
    begin_run(store, Started(cell_id, 0, "cpu"))
    weights = {"conv1": {"kernel": np.full((1, 1, 1, 2), value, np.float32)}}
    metrics = {"train": SCORES, "validation": SCORES, "test": SCORES}
    done = Done(cell_id, 0, metrics, 2.0, 1.0, 1.5, weights)
    complete_run(store, done)
    for file in (
        log_of(store.place.own, cell_id, 0),
        checkpoints_of(store.place.own, cell_id, 0) / "state",
    ):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("kept")


def files_of(store):
    """All that a database has beside its file, with what is in it."""
    return {
        path: path.read_bytes()
        for kind in ("weights", "logs", "checkpoints")
        for path in (store.place.own / kind).rglob("*")
        if path.is_file()
    }


def values_in(store):
    """The weights of every run, read back."""
    return [
        load_network(store, int(run)).weights["conv1"]["kernel"][0, 0, 0, 0]
        for run in view(store, "runs")["run_id"]
    ]


def as_before(store, run, folder):
    """Have a run's weights in a folder, as Orbax wrote them for older versions."""
    from orbax.checkpoint import v1 as ocp

    weights = load_network(store, run).weights
    weights_path(store, run).unlink()
    ocp.save(folder.resolve(), {name: dict(x) for name, x in weights.items()})
    change(
        store.place.database,
        "UPDATE dse_artifacts SET path = ? WHERE run_id = ?",
        folder.name,
        run,
    )


def change(file, statement, *values):
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(statement, values)


PAIRS = [("a", "b"), ("dse", "b"), ("b", "dse")]


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_two_databases_in_one_folder_keep_apart(filled, one, other):
    first = filled(f"sqlite:///results/{one}.db", 1.0)
    second = filled(f"sqlite:///results/{other}.db", 2.0)
    assert values_in(first) == [1.0, 1.0]
    assert values_in(second) == [2.0, 2.0]
    before = files_of(first)
    assert before and not set(before) & set(files_of(second))
    forget(STUDY, ["pct_3x3=0.25"], storage=second.url)
    forget(STUDY, ["pct_3x3=0.75"], storage=second.url)
    assert len(view(second, "runs")) == 0
    assert files_of(second) == {}
    assert files_of(first) == before
    assert values_in(first) == [1.0, 1.0]
    with first.sweeping(["same"]), second.sweeping(["same"]):
        pass


def test_one_database_by_two_names_is_one(filled):
    store = filled("sqlite:///results/dse.db")
    Path("linked.db").symlink_to("results/dse.db")
    linked = open_store("sqlite:///linked.db")
    assert values_in(linked) == values_in(store)
    refused = pytest.raises(DseError, match="another sweep is writing")
    with store.sweeping(["a"]), refused, linked.sweeping(["a"]):
        pass


@pytest.mark.parametrize("name", ["dse", "team"])
def test_weights_of_older_versions_are_read_where_they_lie(filled, name):
    """They were at weights/CELL-REPLICATE, whatever the database was called."""
    store = filled(f"sqlite:///results/{name}.db", 3.0)
    for row in view(store, "runs").to_dict("records"):
        folder = Path("results/weights", f"{row['cell_id']}-0")
        as_before(store, row["run_id"], folder)
    assert values_in(store) == [3.0, 3.0]
    gone = forget(STUDY, ["pct_3x3=0.25"], storage=store.url)
    if name == "dse":
        assert gone.stays == ()
    else:
        [stays] = gone.stays
        assert stays.startswith("results/weights/")
        assert "stays: databases shared that folder" in stays
    assert values_in(store) == [3.0]


def test_weights_in_folders_are_exported_and_deleted_too(filled, tmp_path):
    """As versions before kept them, one a run, beside the files of others."""
    store = filled("sqlite:///results/team.db", 3.0)
    run = int(view(store, "runs")["run_id"].iloc[0])
    as_before(store, run, weights_path(store, run).with_suffix(""))
    assert values_in(store) == [3.0, 3.0]
    export_studies(store, tmp_path / "all.zip")
    here = open_store("sqlite:///here/team.db")
    assert import_file(here, tmp_path / "all.zip") == 2
    assert values_in(here) == [3.0, 3.0]
    for each in (store, here):
        assert forget(STUDY, storage=each.url).stays == ()
        assert files_of(each) == {}


def test_what_a_copy_of_a_database_reads_is_not_deleted(filled):
    store = filled("sqlite:///results/dse.db", 4.0)
    shutil.copy("results/dse.db", "results/before.db")
    copy = open_store("sqlite:///results/before.db")
    gone = forget(STUDY, ["pct_3x3=0.25"], storage=store.url)
    assert "another database beside it may need it" in gone.stays[0]
    assert values_in(copy) == [4.0, 4.0]
    gone = forget(STUDY, ["pct_3x3=0.25"], storage=copy.url)
    assert "databases shared that folder" in gone.stays[0]
    assert values_in(store) == [4.0]


def test_one_that_takes_anothers_name_overwrites_nothing(filled):
    filled("sqlite:///results/dse.db", 5.0)
    Path("results/dse.db").rename("results/old.db")
    new = filled("sqlite:///results/dse.db", 6.0)
    old = open_store("sqlite:///results/old.db")
    assert values_in(old) == [5.0, 5.0]
    assert values_in(new) == [6.0, 6.0]


def test_an_imported_run_has_weights_of_its_own(filled, tmp_path):
    store = filled("sqlite:///results/dse.db", 7.0)
    export_studies(store, tmp_path / "all.zip")
    beside = open_store("sqlite:///results/team.db")
    assert import_file(beside, tmp_path / "all.zip") == 2
    assert not set(files_of(store)) & set(files_of(beside))
    before = files_of(store)
    forget(STUDY, ["pct_3x3=0.25"], storage=beside.url)
    assert files_of(store) == before
    assert values_in(beside) == [7.0]


def test_an_empty_file_beside_a_healthy_database_begins_anew(filled):
    filled("sqlite:///results/dse.db")
    Path("results/team.db").touch()
    assert view(open_store("sqlite:///results/team.db"), "runs").empty
    team = filled("sqlite:///results/team.db")
    os.truncate("results/team.db", 0)
    with pytest.raises(DseError, match=r"is empty, yet results/team\.db\.files holds"):
        open_store(team.url)


@pytest.fixture
def outside(tmp_path):
    """A folder that no database may touch."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "precious").write_text("precious")
    yield folder
    assert (folder / "precious").read_text() == "precious"
    assert len(list(folder.iterdir())) == 1


@pytest.mark.parametrize("path", [*OUTSIDE, "ABSOLUTE", "LINK", b"\0"])
def test_a_path_in_a_row_leads_nowhere_else(filled, outside, tmp_path, path):
    store = filled("sqlite:///results/dse.db")
    if path == "ABSOLUTE":
        path = str(outside)
    if path == "LINK":
        (store.place.weights / "LINK").symlink_to(outside)
    change("results/dse.db", "UPDATE dse_artifacts SET path = ?", path)
    run = int(view(store, "runs")["run_id"].iloc[0])
    kept = files_of(store)
    for act in (
        lambda: load_network(store, run),
        lambda: weights_path(store, run),
        lambda: export_studies(store, tmp_path / "x.zip"),
    ):
        with pytest.raises(DseError, match=r"the database names|is a link"):
            act()
    assert not (tmp_path / "x.zip").exists()
    gone = forget(STUDY, ["pct_3x3=0.25"], storage=store.url)
    assert gone.runs == len(gone.stays) == 1
    assert {p for p in kept if "weights" in p.parts} <= set(files_of(store))


def test_a_row_that_names_another_runs_weights_takes_nothing_from_it(filled):
    store = filled("sqlite:///results/dse.db")
    with store.reading() as connection:
        names = list(connection.execute(select(artifacts.c.path)).scalars())
    change("results/dse.db", "UPDATE dse_artifacts SET path = ?", names[1])
    gone = forget(STUDY, ["pct_3x3=0.25"], storage=store.url)
    assert gone.stays == (f"weights {names[1]} stay: another run needs them",)
    assert all((store.place.weights / name).is_file() for name in names)


def rename_first_cell(file, cell_id):
    for table, column in (("cells", "id"), ("study_cells", "cell_id"), ("runs", "")):
        column = column or "cell_id"
        statement = f"UPDATE dse_{table} SET {column} = ? WHERE rowid = 1"
        change(file, statement, cell_id)


@pytest.mark.parametrize("cell_id", ["../../outside/precious", "../../outside", "/"])
def test_a_cell_in_a_row_leads_nowhere_else(filled, outside, cell_id):
    store = filled("sqlite:///results/dse.db")
    rename_first_cell("results/dse.db", cell_id)
    fail_run(store, Failed(cell_id, 0, "lost", "said so"))
    gone = forget(STUDY, storage=store.url, failed_only=True)
    assert gone.runs == 1
    assert "the database names" in gone.stays[0]
    with pytest.raises(DseError, match="the database names"):
        finish(store, cell_id, 1.0)


@pytest.mark.parametrize("column", ["path", "cell_id", "cell_id alone", "replicate"])
def test_an_archive_of_a_stranger_writes_nowhere_else(
    filled, outside, tmp_path, column
):
    """What it names is refused before anything of it is entered."""
    store = filled("sqlite:///results/dse.db")
    export_studies(store, tmp_path / "good.zip")
    shutil.unpack_archive(tmp_path / "good.zip", tmp_path / "opened")
    tables, name = tmp_path / "opened/tables.db", "x/../../../outside"
    if column == "cell_id":
        rename_first_cell(tables, name)
    elif column == "cell_id alone":  # of no cell that could be held against its content
        for table in ("study_cells", "runs"):
            change(tables, f"UPDATE dse_{table} SET cell_id = ? WHERE rowid = 1", name)
    else:
        table = "artifacts" if column == "path" else "runs"
        change(tables, f"UPDATE dse_{table} SET {column} = ? WHERE rowid = 1", name)
    shutil.make_archive(str(tmp_path / "bad"), "zip", tmp_path / "opened")
    here = open_store("sqlite:///here/dse.db")
    said = "its content makes it" if column == "cell_id" else "the database names"
    with pytest.raises(DseError, match=said):
        import_file(here, tmp_path / "bad.zip")
    assert view(here, "runs").empty
    assert files_of(here) == {}


@pytest.mark.parametrize("kind", ["pipe", "folder", "device", "locked", "torn"])
def test_what_is_no_archive_is_refused(filled, tmp_path, kind):
    store = filled("sqlite:///results/dse.db")
    file = tmp_path / "x.zip"
    match kind:
        case "pipe":
            os.mkfifo(file)
        case "folder":
            file.mkdir()
        case "device":
            file = Path("/dev/null")
        case "locked" | "torn":
            export_studies(store, file)
            held = bytearray(file.read_bytes())
            if kind == "locked":  # the flag of an encrypted entry, in both headers
                for place in (6, held.index(b"PK\x01\x02") + 8):
                    held[place] |= 1
            else:
                held[4000:6000] = bytes(2000)
            file.write_bytes(held)
    here = open_store("sqlite:///here/dse.db")
    with pytest.raises(DseError, match="is not an export of dse"):
        import_file(here, file)
    assert view(here, "runs").empty


@pytest.mark.parametrize("kept", ["a file", "a folder"])
def test_a_link_within_weights_is_not_read_nor_copied(filled, outside, tmp_path, kept):
    store = filled("sqlite:///results/dse.db")
    run = int(view(store, "runs")["run_id"].iloc[0])
    place = weights_path(store, run)
    if kept == "a folder":
        place = place.with_suffix("")
        as_before(store, run, place)
        (place / "more").symlink_to(outside / "precious")
        said = "more is no regular file; remove it"
    else:
        place.unlink()
        place.symlink_to(outside / "precious")
        said = "is a link"
    with pytest.raises(DseError, match=said):
        load_network(store, run)
    with pytest.raises(DseError, match=said):
        export_studies(store, tmp_path / "x.zip")
    gone = forget(STUDY, ["pct_3x3=0.25"], storage=store.url)
    assert (gone.stays == ()) == (kept == "a folder")


@pytest.mark.parametrize("name", [*OUTSIDE, None, 3, "x" * 201, "a\n", "é/", "..a"])
def test_names_that_lead_out(tmp_path, name):
    with pytest.raises(DseError, match="expected a plain name there"):
        within(tmp_path, name)


def test_a_servers_place_is_called_after_it(workplace):
    from sqlalchemy import make_url

    def own(url):
        return str(Place.of_server(make_url(url)).own)

    alike = ("host/runs", "host:5432/runs", "HOST/runs", "/runs?host=host")
    assert {own(f"postgresql://me:pw@{x}") for x in alike[:3]} == {
        "results/runs@host.files"
    }
    assert own(f"postgresql://{alike[3]}") == "results/runs@host.files"
    assert own("postgresql://host:1234/runs") == "results/runs@host@1234.files"
    here = ("localhost/runs", "127.0.0.1:5432/runs", "[::1]/runs")
    assert {own(f"postgresql://{x}") for x in here} == {"results/runs@localhost.files"}
    different = ("/a-b", "b/a", "/a@b", "b:1/a", "/a", "1/a", ":1/a")
    assert len({own(f"postgresql://{x}") for x in different}) == len(different)
    # What is written otherwise says by a digest which it was.
    assert re.fullmatch(r"results/\.\._x-\w{8}\.files", own("postgresql:///../x"))
    socket = own("postgresql:///runs?host=/tmp/a")
    assert re.fullmatch(r"results/runs@_tmp_a-\w{8}\.files", socket)
    assert socket != own("postgresql:///runs?host=/tmp_a")


def test_checkpoints_of_older_versions_are_gone_on_from(filled):
    store = filled("sqlite:///results/team.db")
    older = checkpoints_of(store.place.beside, "abc", 1)
    (older / "7").mkdir(parents=True)
    (older / "7" / "state").write_text("as it was")
    store.place.adopt_checkpoints("abc", 0)
    assert not checkpoints_of(store.place.own, "abc", 0).exists()
    own = checkpoints_of(store.place.own, "abc", 1)
    own.parent.mkdir(exist_ok=True)
    store.place.adopt_checkpoints("abc", 1)
    assert (own / "7" / "state").read_text() == "as it was"
    (own / "7" / "state").write_text("further")
    store.place.adopt_checkpoints("abc", 1)
    assert (own / "7" / "state").read_text() == "further"
    store.place.delete_checkpoints("abc", 1)
    assert (older / "7" / "state").read_text() == "as it was"
    assert not list(own.parent.glob(".*"))


def test_whatever_trains_goes_on_from_checkpoints_of_older_versions(filled, tiny):
    """A sweep's runs or a search's: all go through the driver."""
    store = filled("sqlite:///results/team.db")
    cell = make_point(SqueezeNet(4, 4), Recipe(1, 0.1), tiny).cell
    older = checkpoints_of(store.place.beside, cell.id, 1)
    (older / "7").mkdir(parents=True)
    idle = SimpleNamespace(run=lambda queue: iter(()))
    jobs = JobQueue([Job(cell, (0, 1))])
    execute(jobs, store, idle, lambda event: None, Tries())
    assert (checkpoints_of(store.place.own, cell.id, 1) / "7").is_dir()
    assert not checkpoints_of(store.place.own, cell.id, 0).exists()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", "the study has no cell ''"),
        ("  ", "the study has no cell ''"),
        ("=", "names ''; expected some of base_e"),
        ("sr=", "the study has no cell 'sr='"),
        ("pct_3x3=0.25,", "the study has no cell 'pct_3x3=0.25,'"),
        ("pct_3x3=0.25,sr", "the study has no cell 'pct_3x3=0.25,sr'"),
        ("pct=0.25", "names 'pct'; expected some of base_e"),
        ("sr=0.125", "is what all 2 cells of the study have"),
        ("pct_3x3=0.25,pct_3x3=0.75", "names a metaparameter twice"),
        ("%", "the study has no cell '%'"),
        ("*", "the study has no cell '*'"),
    ],
)
def test_names_that_could_mean_more_forget_nothing(filled, name, said):
    store = filled("sqlite:///results/dse.db")
    before = files_of(store)
    for failed_only in (False, True):
        with pytest.raises(DseError) as refusal:
            forget(STUDY, [name], storage=store.url, failed_only=failed_only)
        assert said in str(refusal.value)
    assert len(view(store, "runs")) == 2
    assert files_of(store) == before


def test_a_beginning_of_several_ids_is_refused(filled):
    store = filled("sqlite:///results/dse.db")
    one, other = view(store, "cells")["cell_id"]
    change("results/dse.db", "UPDATE dse_study_cells SET cell_id = 'abcd1'")
    for table in ("cells", "runs", "study_cells"):
        column = "id" if table == "cells" else "cell_id"
        for new, old in (("abc1", one), ("abc2", other)):
            statement = f"UPDATE dse_{table} SET {column} = ? WHERE {column} = ?"
            change("results/dse.db", statement, new, old)
    for new, pct in (("abc1", "0.25"), ("abc2", "0.75")):
        statement = "UPDATE dse_study_cells SET cell_id = ? WHERE point LIKE ?"
        change("results/dse.db", statement, new, f'%"pct_3x3": {pct}%')
    with pytest.raises(DseError, match="'abc' could be any of abc1, abc2; name each"):
        forget(STUDY, "abc", storage=store.url)
    assert forget(STUDY, "abc2", storage=store.url).runs == 1
    assert view(store, "runs")["cell_id"].tolist() == ["abc1"]


def test_texts_with_commas_are_named_as_they_are(workplace, tiny):
    store = open_store("sqlite:///results/dse.db")
    record = study_record("fig", "quick", tiny, Recipe(2, 0.05, batch_size=16), 1)
    points = [
        make_point(SqueezeNet(4, 4, sr=sr, pools=pools), record.recipe, tiny)
        for sr in (0.25, 0.5)
        for pools in ("1,3,5", "1,4")
    ]
    register_study(store, record)
    register_points(store, record.name, points)
    for point in points:
        finish(store, point.cell.id, 1.0)
    for name, left in (("sr=0.5,pools=1,4", 3), ("pools=1,3,5", 1)):
        forget(STUDY, [name], storage=store.url)
        assert len(view(store, "runs")) == left
    assert view(store, "runs")["pools"].tolist() == ["1,4"]
