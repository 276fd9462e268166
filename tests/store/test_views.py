"""The views have a column for each metaparameter of each family that is stored."""

import threading
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import psycopg
import pytest
from older import rows
from sqlalchemy import make_url
from test_store import RECIPE, fill, finish

from dse.arch.build import Build
from dse.arch.family import Family
from dse.errors import DseError
from dse.families.nin import Nin
from dse.families.squeezenet import SqueezeNet
from dse.fields import choice, flag, real, share, whole
from dse.store.database import open_store
from dse.store.enter import register_points, register_study
from dse.store.families import fields_of
from dse.store.query import status, view
from dse.store.statement import sql
from dse.store.status import read_standing
from dse.store.transfer import export_studies, import_file
from dse.store.views import VIEWS
from dse.study.plan import make_point, study_record

pytest_plugins = ["postgresql"]

LITE = "sqlite:///results/dse.db"
TINY = "tiny/tiny-quick"


class Network(Family):
    """A convolution for each class, and no more."""

    def architecture(self, input_shape, classes):
        net = Build(input_shape, classes)
        filters = self.filters if isinstance(self.filters, int) else 3
        net.conv("conv", filters, kernel=3, stride=4, padding=1)
        net.conv("scores", classes, kernel=1)
        net.average("average")
        return net.done()


@dataclass(frozen=True)
class Tiny(Network, name="tiny"):
    filters: int = whole(8, "filters of the first layer", cost="rises")
    gain: float = real(2.0, "a number that changes nothing", least=0, most=10)
    gated: bool = flag(False, "nothing")
    shape: str = choice("round", ("round", "square"), "nothing")
    sr: float = share(0.5, "as SqueezeNet's, in a column with it")
    order: int | None = whole(None, "a word of SQL's, and perhaps none")

    def derived(self):
        return {"twice": 2.0 * self.filters}


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request, workplace):
    is_file = request.param == "sqlite"
    return open_store(LITE if is_file else request.getfixturevalue("database"))


def enter(store, dataset, *points, study="tiny"):
    """A study of these points, the first of which is trained once."""
    record = study_record(study, "quick", dataset, RECIPE, 1)
    register_study(store, record)
    made = [make_point(point, record.recipe, dataset) for point in points]
    register_points(store, record.name, made)
    finish(store, made[0].cell.id, 0)
    return record.name


def assert_alike(mine, theirs):
    """The same rows and types, in whatever order; numbers of runs apart."""
    mine, theirs = (
        frame.drop(columns="run_id", errors="ignore")
        .sort_values([x for x in ("cell_id", "replicate", "epoch") if x in frame])
        .reset_index(drop=True)
        for frame in (mine, theirs)
    )
    pd.testing.assert_frame_equal(mine, theirs, check_exact=True, check_like=True)


def types_in(store, *columns):
    """What the database itself says of columns of the view `runs`."""
    if store.is_sqlite:
        told = ", ".join(f'typeof("{name}")' for name in columns)
        named = ", ".join(f"{x} AS c{n}" for n, x in enumerate(told.split(", ")))
        query = f"SELECT {named} FROM runs WHERE family = 'tiny'"
        return sql(store, query).iloc[0].tolist()
    query = (
        "SELECT column_name, data_type FROM information_schema.columns "
        "WHERE table_name = 'runs'"
    )
    told = sql(store, query).set_index("column_name")["data_type"]
    return [told[name] for name in columns]


def test_a_second_family_adds_columns(store, tiny):
    """Typed, and null for those that have no such metaparameter."""
    fill(store, tiny)
    before = view(store, "runs")
    assert {"filters", "gain", "twice"}.isdisjoint(before.columns)
    assert before["base_e"].dtype == np.dtype("int64")
    assert enter(store, tiny, Tiny(gated=True), Tiny(4, order=3)) == TINY
    runs = view(store, "runs")
    assert len(runs) == 3
    is_tiny = runs["family"] == "tiny"
    assert {name: str(runs[name].dtype) for name in ("base_e", "freq", "filters")} == {
        "base_e": "Int64",
        "freq": "Int64",
        "filters": "Int64",
    }
    assert runs["gated"].dtype == "boolean"
    for name in ("gain", "twice", "sr", "pct_3x3", "resolved_pct_3x3"):
        assert runs[name].dtype == np.dtype("float64")
    assert pd.api.types.is_string_dtype(runs["shape"])
    for name in ("filters", "gain", "gated", "shape", "twice"):
        assert runs[name].isna().tolist() == (~is_tiny).tolist()
    for name in ("base_e", "pct_3x3", "bypass", "pools", "resolved_pct_3x3"):
        assert runs[name].isna().tolist() == is_tiny.tolist()
    assert runs["sr"].tolist() == [0.125, 0.125, 0.5]
    [one] = runs[is_tiny].to_dict("records")
    expected = {"filters": 8, "gain": 2.0, "gated": True, "shape": "round"}
    assert {name: one[name] for name in expected} == expected
    assert one["twice"] == 16
    cells = view(store, "cells", TINY).sort_values("position")
    assert cells["order"].isna().tolist() == [True, False]
    assert cells["order"].dtype == "Int64"
    # What was there says what it said.
    assert_alike(view(store, "runs", "fig/tiny-quick"), before)


def test_a_studys_view_has_its_own_familys_columns(store, tiny):
    fill(store, tiny)
    enter(store, tiny, Tiny(), Tiny(4))
    for name in ("runs", "cells"):
        columns = set(view(store, name, TINY).columns)
        assert {"filters", "gain", "order", "twice", "sr"} <= columns
        assert columns.isdisjoint({"base_e", "bypass", "resolved_pct_3x3"})
    assert view(store, "cells", TINY)["gated"].dtype == np.dtype("bool")
    told = status(store, TINY)
    assert told["filters"].tolist() == [8, 4]
    assert "base_e" not in told
    assert "gated" in read_standing(store).fields["tiny"]


def test_the_database_has_the_types_too(store, tiny):
    """Who asks in SQL, from whatever program, counts in numbers."""
    fill(store, tiny)
    enter(store, tiny, Tiny())
    told = types_in(store, "filters", "gain", "gated", "shape", "sr", "twice")
    if store.is_sqlite:
        assert told == ["integer", "real", "integer", "text", "real", "real"]
    else:
        real_one, words = "double precision", "character varying"
        assert told == ["bigint", real_one, "boolean", words, real_one, real_one]
    counted = sql(
        store,
        "SELECT family, MAX(filters) AS most, COUNT(base_e) AS narrow, "
        'COUNT("order") AS ordered FROM runs GROUP BY family ORDER BY family',
    )
    assert counted["narrow"].tolist() == [2, 0]
    assert counted["ordered"].tolist() == [0, 0]
    assert counted["most"].tolist()[1] == 8


def test_numbers_keep_every_bit(store, tiny):
    gains = (1 / 3, 0.1 + 0.2, 5e-324, 9 + 2**-49, 1.0)
    enter(store, tiny, *(Tiny(gain=gain) for gain in gains))
    cells = view(store, "cells", TINY).sort_values("position")
    assert cells["gain"].tolist() == list(gains)


# Names that two have


@dataclass(frozen=True)
class Clash(Network, name="clash"):
    filters: str = choice("few", ("few", "many"), "as tiny's, and of another kind")


@dataclass(frozen=True)
class Counts(Network, name="counts"):
    filters: int = whole(8, "as tiny's")

    def derived(self):
        return {"gain": 1.0}


@dataclass(frozen=True)
class Finer(Network, name="finer"):
    filters: float = real(0.5, "a share, where tiny's are counted", least=0, most=9)


@dataclass(frozen=True)
class Reversed(Network, name="reversed"):
    filters: int = whole(8, "as tiny's")
    twice: float = real(1.0, "as a derived number of tiny's", least=0, most=9)


@dataclass(frozen=True)
class Reworked(Network, name="tiny"):
    filters: str = choice("few", ("few", "many"), "what was a number")


@pytest.mark.parametrize(
    ("point", "said"),
    [
        (
            Clash(),
            "filters is a (word|whole number) in .* rename one, or take another",
        ),
        (Counts(), "derived number is called gain, as a metaparameter; rename one"),
        (Reversed(), "derived number is called twice, as a metaparameter; rename one"),
        (Reworked(), "tiny has filters as choice, .* as whole: rename the field or"),
    ],
)
def test_one_name_of_two_kinds_is_refused(store, tiny, point, said):
    enter(store, tiny, Tiny())
    before, shown = rows(store.url, "families", "study_cells"), view(store, "runs")
    with pytest.raises(DseError, match=said) as refusal:
        enter(store, tiny, point, study="other")
    assert "\n" not in str(refusal.value)
    assert rows(store.url, "families", "study_cells") == before
    assert_alike(view(store, "runs"), shown)
    # Another study goes on.
    enter(store, tiny, Tiny(3), study="third")


def test_whole_and_real_numbers_of_one_name_are_a_column_of_real_ones(store, tiny):
    enter(store, tiny, Tiny(8))
    assert view(store, "runs")["filters"].dtype == "int64"
    enter(store, tiny, Finer(0.25), study="finer")
    assert view(store, "runs")["filters"].tolist() == [8.0, 0.25]
    asked = sql(store, "SELECT filters / 2 AS half FROM runs ORDER BY family DESC")
    assert asked["half"].tolist() == [4.0, 0.125]
    # A study of one family has that family's kind.
    assert view(store, "runs", TINY)["filters"].dtype == "int64"


def test_a_column_of_a_family_that_is_not_stored_is_named(store, tiny):
    enter(store, tiny, Tiny())
    with pytest.raises(DseError, match="no such column: freq;") as refused:
        sql(store, "SELECT freq FROM runs")
    assert "\n" not in str(refused.value)
    with pytest.raises(DseError, match=r"column: filter \(did you mean filters\?\);"):
        sql(store, "SELECT r.filter FROM runs r")
    with pytest.raises(DseError, match="train_loss in runs; epochs has it; dse query"):
        sql(store, "SELECT train_loss FROM runs")
    # Of what is no view, the database's own words.
    with pytest.raises(DseError, match=r"column.*zzz.*") as refused:
        sql(store, "SELECT zzz FROM dse_artifacts")
    assert "dse query" not in str(refused.value)


# A family that grows


@dataclass(frozen=True)
class Young(Network, name="grown"):
    filters: int = whole(8, "filters")


@dataclass(frozen=True)
class Grown(Network, name="grown"):
    filters: int = whole(8, "filters of the first layer")
    gate: float = share(0.25, "what came later", later=True)

    def derived(self):
        return {"thrice": 3.0 * self.filters}


def test_points_of_before_get_the_default_of_a_field_added_later(store, tiny):
    enter(store, tiny, Young(), Young(4), study="young")
    enter(store, tiny, Grown(5, gate=0.5), study="grown")
    cells = view(store, "cells").sort_values(["study", "position"])
    assert cells["filters"].tolist() == [5, 8, 4]
    assert cells["filters"].dtype == np.dtype("int64")
    assert cells["gate"].tolist() == [0.5, 0.25, 0.25]
    # Their keys are those of today: the same points again are the same.
    enter(store, tiny, Grown(), Grown(4), study="young")
    assert len(view(store, "cells")) == 3
    assert cells["thrice"].dropna().tolist() == [15.0]
    # It is said as it is now.
    assert fields_of(store)["grown"]["filters"].says == "filters of the first layer"


def test_who_has_the_family_of_before_takes_no_column_away(store, tiny):
    enter(store, tiny, Grown(5, gate=0.5), study="grown")
    enter(store, tiny, Young(), study="young")
    assert set(fields_of(store)["grown"]) == {"filters", "gate"}
    assert view(store, "cells")["gate"].dropna().tolist() == [0.5]


# Others who read


def test_a_family_whose_code_is_not_here_is_read(store, tiny):
    """A stranger's archive: what a field is, is in the database."""
    there = open_store("sqlite:///there/dse.db")
    enter(there, tiny, Tiny(gated=True), Tiny(4))
    export_studies(there, Path("tiny.zip"))
    fill(store, tiny)
    assert import_file(store, Path("tiny.zip")) == 1
    assert fields_of(store)["tiny"] == fields_of(there)["tiny"]
    for name in VIEWS:
        assert_alike(view(store, name, TINY), view(there, name, TINY))
    assert len(view(store, "runs")) == 3


GRANTED = """
    SELECT c.relname, t.attname, c.relacl, t.attacl
    FROM pg_class c JOIN pg_attribute t ON t.attrelid = c.oid
    WHERE c.relkind = 'v' AND c.relname IN ('runs', 'cells', 'epochs')
        AND (t.attname = 'study' OR t.attacl IS NOT NULL)
    ORDER BY c.relname, t.attname"""
"""What may be done with each view as a whole, and with single columns."""


def test_who_was_granted_the_views_reads_them_when_a_family_comes(
    database, workplace, tiny, postgresql
):
    store = open_store(database)
    fill(store, tiny)
    with closing(psycopg.connect(database, autocommit=True)) as connection:
        connection.execute("DROP ROLE IF EXISTS reader")
        connection.execute("CREATE ROLE reader LOGIN PASSWORD 'as-they-please'")
        connection.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader")
    name = make_url(database).database
    theirs = open_store(postgresql.url(name, "as-they-please", "reader"), create=False)
    try:
        assert len(view(theirs, "runs")) == 2
        enter(store, tiny, Tiny())
        assert len(view(theirs, "runs")) == 3
        with closing(psycopg.connect(database, autocommit=True)) as connection:
            connection.execute("REVOKE SELECT ON epochs FROM reader")
            connection.execute("GRANT SELECT (epoch) ON epochs TO reader")
            connection.execute("GRANT SELECT ON cells TO reader WITH GRANT OPTION")
            connection.execute("GRANT SELECT ON cells TO PUBLIC")
            granted = connection.execute(GRANTED).fetchall()
        assert len(granted) == 4
        # A column that turns from whole into real numbers makes the views anew.
        enter(store, tiny, Finer(), study="finer")
        assert len(view(theirs, "runs")) == 4
        with closing(psycopg.connect(database, autocommit=True)) as connection:
            assert connection.execute(GRANTED).fetchall() == granted
    finally:
        theirs.engine.dispose()
        with closing(psycopg.connect(database, autocommit=True)) as connection:
            connection.execute("DROP OWNED BY reader")
            connection.execute("DROP ROLE reader")


def test_a_persons_own_view_of_ours_is_no_hindrance(store, tiny):
    """As a dashboard has one."""
    fill(store, tiny)
    with store.writing() as connection:
        connection.exec_driver_sql(
            "CREATE VIEW best AS SELECT study, MAX(val_accuracy) AS most FROM runs "
            "GROUP BY study"
        )
    enter(store, tiny, Tiny(), SqueezeNet(4, 4))
    assert sql(store, "SELECT most FROM best ORDER BY study")["most"].tolist() == [
        0.75,
        0.75,
    ]


def test_a_persons_own_view_of_a_column_whose_type_changes(database, tiny):
    """A server drops no view that another one reads; it says what to do."""
    store = open_store(database)
    enter(store, tiny, Tiny())
    with store.writing() as connection:
        connection.exec_driver_sql("CREATE VIEW best AS SELECT filters FROM runs")
    with pytest.raises(DseError, match="drop your own views of it, repeat the command"):
        enter(store, tiny, Finer(), study="finer")
    with store.writing() as connection:
        connection.exec_driver_sql("DROP VIEW best")
    enter(store, tiny, Finer(), study="finer")
    assert view(store, "runs")["filters"].tolist() == [8.0, 0.5]


def test_families_that_come_at_once_are_all_there(database, workplace, tiny):
    """Of a team that trains into one server."""
    points = (Tiny(), Young(4), SqueezeNet(4, 4), Nin(width=1 / 64))
    together, errors = threading.Barrier(len(points)), []

    def come(number, point):
        try:
            store = open_store(database)
            together.wait()
            for _ in range(3):
                enter(store, tiny, point, study=f"study{number}")
        except BaseException as error:  # noqa: BLE001
            errors.append(error)

    threads = [threading.Thread(target=come, args=x) for x in enumerate(points)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    runs = view(open_store(database), "runs")
    assert sorted(runs["family"]) == ["grown", "nin", "squeezenet", "tiny"]
    assert {"filters", "base_e", "width", "order", "twice"} <= set(runs.columns)


def test_a_reader_amid_a_long_query_is_waited_for(database, workplace, tiny):
    store = open_store(database)
    fill(store, tiny)
    with closing(psycopg.connect(database)) as reader:
        reader.execute("SELECT * FROM runs").fetchall()  # its transaction goes on
        timer = threading.Timer(0.5, reader.rollback)
        timer.start()
        enter(store, tiny, Tiny())
        timer.join()
    assert len(view(store, "runs")) == 3
