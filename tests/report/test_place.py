"""What is another report has another place."""

from pathlib import Path

import pytest
from sqlalchemy import create_engine

from dse.report.place import bounded, front_of, reports_of
from dse.store.append import StudyRecord
from dse.store.database import Store
from dse.train.recipe import Recipe

STUDY = StudyRecord("a/set-quick", "a", "quick", "set", "print", Recipe(1, 0.1), 2)


def place(url):
    """Of the database at `url`, which is not opened."""
    engine = create_engine(url)
    return str(reports_of(Store(url, engine, Path("unused"))))


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("sqlite:///results/dse.db", "results"),
        ("sqlite:///part2/dse.db", "part2"),
        ("sqlite:////far/away/dse.db", "/far/away"),
        ("sqlite:///dse.db", "."),
        ("sqlite:///team/a.db", "team/a.db-reports"),
        ("sqlite:///team/b.db", "team/b.db-reports"),
        ("sqlite:///team/a.sqlite", "team/a.sqlite-reports"),
        ("sqlite://", "results"),
        ("postgresql+psycopg://me:secret@host/runs", "results/runs@host"),
        ("postgresql+psycopg://you@host:5433/runs", "results/runs@host-5433"),
        ("postgresql+psycopg:///runs", "results/runs@local"),
    ],
)
def test_reports_lie_beside_their_database(url, expected):
    assert place(url) == expected


def test_odd_names_of_databases_keep_apart_within_results():
    server = "postgresql+psycopg://me:secret@host/"
    odd = [place(f"{server}{name}") for name in ("a_b", "a%2Fb", "..%2F..", "a%20b")]
    assert len(set(odd)) == 4
    assert {str(Path(folder).parent) for folder in odd} == {"results"}
    assert all(".." not in Path(folder).parts for folder in odd)
    assert "secret" not in "".join(odd)


def test_a_front_is_named_after_its_experiments_in_any_order():
    one = front_of(Path("results"), ["fig3b", "fig3a", "table3"], STUDY)
    assert one == Path("results/front/fig3a+fig3b+table3/set-quick")
    assert front_of(Path("results"), ["table3", "fig3a", "fig3b"], STUDY) == one
    assert front_of(Path("results"), ["fig3a", "fig3b"], STUDY) != one


def test_a_long_name_is_bounded_and_still_its_own():
    names = [f"an-experiment-with-a-name-{number:02}" for number in range(40)]
    one = front_of(Path("results"), names, STUDY).parent.name
    other = front_of(Path("results"), names[:-1], STUDY).parent.name
    assert max(len(one), len(other)) == 100
    assert one != other
    assert one.startswith(names[0])
    assert len(bounded("ß" * 99).encode()) <= 100
    assert bounded("ß" * 99) != bounded("ß" * 98)
