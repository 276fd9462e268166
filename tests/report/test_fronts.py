"""What is another report has another place."""

from pathlib import Path

from sqlalchemy import make_url

from dse.files import bounded
from dse.report.place import front_of
from dse.runs.recipe import Recipe
from dse.runs.records import StudyRecord
from dse.store.place import Place

STUDY = StudyRecord("a/set-quick", "a", "quick", "set", "print", Recipe(1, 0.1), 2)


def own(url):
    """Where the files of the server's database at `url` lie; it is not asked."""
    return str(Place.of_server(make_url(url)).own)


def test_odd_names_of_databases_keep_apart_within_results():
    server = "postgresql+psycopg://me:secret@host/"
    odd = [own(f"{server}{name}") for name in ("a_b", "a%2Fb", "..%2F..", "a%20b")]
    assert odd[0] == "results/a_b@host.files"
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
