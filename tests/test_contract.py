"""The completion contract: a sweep completes, or explains each hole.

By the command line; the workers only pretend to train, and misbehave as told.
"""

import itertools
import re
import sys
import time
from pathlib import Path

import pandas as pd
import pretend
import pytest
from pretend import Mischief, begun

from dse.execute import worker_process
from dse.store.database import open_store
from dse.store.query import status, study_names, view
from dse.study.optuna_study import open_study

STUDY = "small/stripes-quick"


def runs() -> pd.DataFrame:
    store = open_store("sqlite:///results/dse.db", create=False)
    return view(store, "runs").sort_values(["pct_3x3", "replicate"])


def results() -> list[tuple]:
    """What every run came to, whoever died on the way."""
    wanted = ["cell_id", "replicate", "status", "val_accuracy", "test_accuracy"]
    return list(runs()[wanted].itertuples(index=False, name=None))


@pytest.fixture
def undisturbed(dse, workplace):
    """The results without any mischief; the place is as before."""
    assert dse("sweep", "small.py")[0] == 0
    expected = results()
    assert [row[2] for row in expected] == ["complete"] * 4
    (workplace / "results").rename(workplace / "undisturbed")
    (workplace / "pretend.json.begun").unlink()
    return expected


def test_what_fails_once_is_tried_again_by_the_same_command(dse, undisturbed):
    mischief = Mischief("die", replicate=0), Mischief("raise", replicate=1)
    status, printed = dse("sweep", "small.py", mischief=mischief)
    assert status == 0
    assert results() == undisturbed
    assert runs()["tries"].tolist() == [2] * 4
    assert "failed, lost: the worker process ended with status -9; its log" in (
        printed.out
    )
    assert printed.out.count("; it is tried again\n") == 4
    # The number that is told of a run is that by which the database knows it.
    told = re.findall(
        r"(\d) of 4 done · run (\d+) · pct_3x3 (\d+) %, replicate (\d) .* "
        r"test ([\d.]+)%",
        printed.out,
    )
    assert [number for number, *_ in told] == ["1", "2", "3", "4"]
    known = {
        (row.run_id, 100 * row.pct_3x3, row.replicate, f"{100 * row.test_accuracy:.1f}")
        for row in runs().itertuples()
    }
    assert {(int(i), float(p), int(r), t) for _, i, p, r, t in told} == known


def test_a_finished_plan_trains_nothing(dse, undisturbed, workplace):
    assert dse("sweep", "small.py")[0] == 0
    so_far = len(begun(workplace))
    status, printed = dse("sweep", "small.py")
    assert status == 0
    assert "4 runs planned, 0 trained now" in printed.out
    assert "base_e = incr_e = 8 by the preset quick" in printed.out
    assert len(begun(workplace)) == so_far == 4


def test_a_hole_is_explained_and_stays_until_it_is_retried(dse, undisturbed, workplace):
    always = [Mischief("raise", replicate=1, start=0)]
    status, printed = dse("sweep", "small.py", mischief=always)
    assert status == 1
    assert "runs failed and have no tries left (2 error): dse status says why" in (
        printed.err
    )
    table = runs()
    assert table["status"].tolist() == ["complete", "failed"] * 2
    assert table["tries"].tolist() == [1, 3, 1, 3]
    assert table["detail"].iloc[1] == "RuntimeError: a pretended error"
    # It is final: nothing is trained, and the status says so still.
    so_far = len(begun(workplace))
    assert dse("sweep", "small.py", mischief=always)[0] == 1
    assert len(begun(workplace)) == so_far == 8
    # More tries go on from there; the setting is the command's.
    assert dse("sweep", "small.py", "--tries", 4, mischief=always)[0] == 1
    assert len(begun(workplace)) == so_far + 2
    # Retried by name, one cell of the two, they are as if never tried.
    status, printed = dse("retry", STUDY, "pct_3x3=0.25")
    assert status == 0
    assert "1 failed runs are to be tried again" in printed.out
    assert dse("sweep", "small.py")[0] == 1
    assert runs()["status"].tolist() == ["complete", "complete", "complete", "failed"]
    dse("retry", STUDY)
    assert dse("sweep", "small.py")[0] == 0
    assert results() == undisturbed
    assert runs()["tries"].tolist() == [1] * 4


def test_which_failures_are_tried_again_is_a_setting(dse, workplace):
    once = [Mischief("die", replicate=0), Mischief("raise", replicate=1)]
    status, printed = dse("sweep", "small.py", "--retry", "lost", mischief=once)
    assert status == 1
    assert "(2 error)" in printed.err
    assert runs()["tries"].tolist() == [2, 1, 2, 1]
    status, printed = dse("sweep", "small.py", "--retry", "tired")
    assert status == 1
    assert "no failure has the reason 'tired'" in printed.err


def test_divergence_is_a_result_and_repeats_only_when_asked(dse, workplace):
    nan = [Mischief("nan", replicate=0, start=0)]
    assert dse("sweep", "small.py", mischief=nan)[0] == 0
    assert runs()["reason"].dropna().tolist() == ["diverged"] * 2
    assert runs()["tries"].tolist() == [1] * 4


BACKWARDS = """
import datetime, sys
from pathlib import Path
from types import SimpleNamespace
import pretend
from dse.execute import guarded

def now(zone):
    with Path("asked").open("a") as asked:
        asked.write("once\\n")
    hours = len(Path("asked").read_text().splitlines())
    return datetime.datetime(2026, 1, 1, tzinfo=zone) - datetime.timedelta(hours=hours)

kind = SimpleNamespace(now=now, datetime=datetime.datetime)
guarded.datetime = SimpleNamespace(datetime=kind, UTC=datetime.UTC)
pretend.be_a_worker(int(sys.argv[-2]), int(sys.argv[-1]))
"""


def test_a_clock_that_is_set_back_changes_nothing(
    dse, undisturbed, workplace, monkeypatch
):
    """By an hour whenever a worker asks it, or the driver."""
    file = workplace / "backwards.py"
    file.write_text(BACKWARDS)
    monkeypatch.setenv("PYTHONPATH", str(Path(pretend.__file__).parent))
    monkeypatch.setattr(worker_process, "WORKER", (sys.executable, str(file)))
    asked = itertools.count(1)
    began = time.time()
    monkeypatch.setattr(time, "time", lambda: began - 3600 * next(asked))
    mischief = Mischief("die", replicate=0), Mischief("hang", replicate=1)
    assert dse("sweep", "small.py", "--time-limit", 0.05, mischief=mischief)[0] == 0
    assert results() == undisturbed
    assert (workplace / "asked").read_text().split() == ["once"] * 8
    assert (runs()["created_at"] < "2026-01-01T00:00Z").all()


def test_replicates_and_cells_extend_a_plan(dse, workplace):
    assert dse("sweep", "small.py")[0] == 0
    first = results()
    assert dse("sweep", "small.py", "--seeds", 3)[0] == 0
    assert [row for row in results() if row[1] < 2] == first
    assert len(begun(workplace)) == 6
    file = workplace / "small.py"
    file.write_text(file.read_text().replace("(0.25, 0.75)", "(0.25, 0.5, 0.75)"))
    assert dse("sweep", "small.py", "--seeds", 3)[0] == 0
    assert len(begun(workplace)) == 9
    assert len(results()) == 9


NAMED = """
from dse import Experiment, Preset, Recipe, SqueezeNet

EXPERIMENT = Experiment(
    title="Named",
    points={"the lean one": SqueezeNet(8, 8, sr=0.25), "the rich": SqueezeNet(8, 8)},
    presets={"quick": Preset(width=1, replicates=1, recipe=Recipe(4, 0.05))},
)
"""


def test_progress_calls_points_by_the_names_that_they_were_given(dse, workplace):
    (workplace / "named.py").write_text(NAMED)
    told = (workplace / "small.py").read_text()
    [folder] = re.findall(r'dataset="([^"]+)"', told)
    status, printed = dse("sweep", "named.py", "--dataset", folder)
    assert status == 0, printed.err
    assert "the lean one, replicate 0" in printed.out
    assert "the rich, replicate 0" in printed.out


def test_a_hole_beyond_the_plan_is_none_of_it(dse, workplace):
    stop = [Mischief("nan", replicate=2)]
    assert dse("sweep", "small.py", "--seeds", 3, mischief=stop)[0] == 0
    status, printed = dse("sweep", "small.py", "--seeds", 3)
    assert "diverged" in printed.out
    status, printed = dse("sweep", "small.py")
    assert status == 0
    assert "diverged" not in printed.out


def test_another_experiment_of_the_same_name_replaces_nothing(dse, workplace):
    assert dse("sweep", "small.py")[0] == 0
    first = results()
    mine = (workplace / "small.py").read_text()
    other = workplace / "elsewhere" / "small.py"
    other.parent.mkdir()
    other.write_text(mine.replace("sr=0.5", "base_e=4, sr=0.5"))
    for verb in ("sweep", "reproduce", "check"):
        status, printed = dse(verb, other)
        assert status == 1
        assert printed.err.startswith(
            f"dse: study {STUDY} holds another experiment (base_e 8 there, 4 here); a "
        )
    assert results() == first
    assert len(begun(workplace)) == 4
    # Under another name what both have in common is not trained again.
    (workplace / "narrower.py").write_text(mine.replace("(0.25, 0.75)", "(0.75, 0.25)"))
    assert dse("sweep", "narrower.py")[0] == 0
    assert len(begun(workplace)) == 4


def test_points_that_are_no_longer_named_are_told(dse, workplace):
    file = workplace / "small.py"
    file.write_text(file.read_text().replace("(0.25, 0.75)", "(0.25, 0.5, 0.75)"))
    assert dse("sweep", "small.py")[1].err == ""
    file.write_text(file.read_text().replace("(0.25, 0.5, 0.75)", "(0.25, 0.75)"))
    status, printed = dse("sweep", "small.py")
    assert status == 0
    assert printed.err == (
        f"dse: study {STUDY} had 1 more point, which the experiment names no longer; "
        "their runs are kept\n"
    )


def test_two_databases_in_one_folder_have_reports_of_their_own(dse, workplace):
    for name in ("a", "b"):
        status, printed = dse(
            "reproduce", "small.py", "--storage", f"sqlite:///{name}.db"
        )
        assert status == 0
        assert f"in: {name}.db.files/small/stripes-quick\n" in printed.out
    reports = sorted(str(f.relative_to(workplace)) for f in workplace.rglob("runs.csv"))
    assert reports == [
        "a.db.files/small/stripes-quick/runs.csv",
        "b.db.files/small/stripes-quick/runs.csv",
    ]


@pytest.mark.slow
def test_fronts_of_other_experiments_lie_elsewhere(dse, workplace):
    mine = (workplace / "small.py").read_text()
    for name, second in (("one", "0.5"), ("two", "0.6")):
        (workplace / f"{name}.py").write_text(mine.replace("0.75", second))
    for words in (
        ["one.py", "small.py"],
        ["small.py", "one.py"],
        ["small.py", "two.py"],
    ):
        assert dse("reproduce", *words)[0] == 0
    fronts = sorted(folder.name for folder in (workplace / "results/front").iterdir())
    assert fronts == ["one+small", "small+two"]


def test_runs_are_forgotten_by_name(dse, undisturbed, workplace):
    assert dse("sweep", "small.py")[0] == 0
    study = open_study(open_store("sqlite:///results/dse.db"), STUDY)
    assert len(study.trials) == 2
    weights = set((workplace / "results/weights").iterdir())
    status, printed = dse("forget", STUDY, "pct_3x3=0.75", "--replicate", 1)
    assert status == 0
    assert "1 runs are forgotten; the next dse sweep trains them" in printed.out
    assert len(results()) == 3
    [gone] = weights - set((workplace / "results/weights").iterdir())
    assert gone.stem.endswith("-1")
    assert dse("sweep", "small.py")[0] == 0
    assert results() == undisturbed
    assert len(begun(workplace)) == 5
    study = open_study(open_store("sqlite:///results/dse.db"), STUDY)
    assert sorted(t.params["pct_3x3"] for t in study.trials) == [0.25, 0.75]
    # By the beginning of an id.
    cell = runs()["cell_id"].iloc[0]
    assert "2 runs are forgotten" in dse("forget", STUDY, cell[:6])[1].out
    for words, said in (
        (["forget", STUDY], "no cell is named; expected one or more"),
        (["forget", STUDY, "pct_3x3=0.3"], "the study has no cell 'pct_3x3=0.3'"),
        (["forget", STUDY, "size=3"], "names 'size'; expected some of base_e"),
        (["retry", "no/such"], f"there is no study 'no/such'; expected {STUDY}"),
    ):
        status, printed = dse(*words)
        assert status in (1, 2)
        assert said in printed.err


def test_two_settings_of_one_network_are_trained_once(dse, workplace):
    file = workplace / "small.py"
    file.write_text(
        file.read_text()
        .replace("(0.25, 0.75)", "(0.0, 0.001, 0.5)")
        .replace("better=0.75, worse=0.25", "better=0.5, worse=0.0")
    )
    assert dse("sweep", "small.py")[0] == 0
    assert len(begun(workplace)) == 4
    store = open_store("sqlite:///results/dse.db")
    cells = status(store, STUDY)
    assert cells["pct_3x3"].tolist() == [0.0, 0.001, 0.5]
    assert cells["cell_id"].nunique() == 2
    assert cells["complete"].tolist() == [2, 2, 2]


def test_shards_make_the_whole_together(dse, undisturbed, workplace):
    files = []
    for part in (1, 2):
        storage = f"sqlite:///part{part}/dse.db"
        words = ["sweep", "small.py", "--shard", f"{part}/2", "--storage", storage]
        status, printed = dse(*words)
        assert status == 0
        assert "2 trained now, 2 left to others" in printed.out
        files.append(f"part{part}.zip")
        assert dse("export", files[-1], "--storage", storage)[0] == 0
    assert dse("import", *files)[0] == 0
    assert dse("sweep", "small.py")[0] == 0
    assert results() == undisturbed
    assert len(begun(workplace)) == 4
    refused = dse("reproduce", "small.py", "--shard", "1/2")
    assert refused[0] == 1
    assert "a report is of the whole" in refused[1].err


def test_a_search_s_points_depend_on_the_batch_and_not_on_workers(
    dse, tiny_folder, workplace
):
    def points(name, *words):
        storage = f"sqlite:///{name}/dse.db"
        search = ["search", "--dataset", tiny_folder, "--trials", 6, *words]
        assert dse(*search, "--storage", storage)[0] == 0
        return view(open_store(storage), "runs")["cell_id"].drop_duplicates().tolist()

    one = points("one", "--workers", 1)
    assert len(one) == 6
    assert sorted(points("three", "--workers", 3)) == sorted(one)
    assert sorted(points("two", "--batch", 2)) != sorted(one)


def test_a_product_of_words_goes_on_and_has_a_report(dse, tiny_folder, workplace):
    def grid(verb, *values, name="grid"):
        words = ["--family", "squeezenet", "--name", name, "--seeds", 1]
        words += ["--dataset", tiny_folder]
        return dse(verb, *words, *(x for value in values for x in ("--set", value)))

    two = "sr=0.25,0.5", "bypass=none,simple", "base_e=8"
    status, printed = grid("sweep", *two)
    assert status == 0, printed.err
    assert "grid/stripes-quick: 4 runs planned, 4 trained now" in printed.out
    assert "SR 0.25, bypass simple, replicate 0 · validation" in printed.out
    assert "incr_e = 16 by the preset quick; base_e = 8 as the experiment" in (
        printed.out
    )
    # More values are more of the same study.
    status, printed = grid("reproduce", "sr=0.25,0.5,0.75", *two[1:])
    assert status == 0, printed.err
    assert len(begun(workplace)) == 6
    summary = pd.read_csv("results/grid/stripes-quick/summary.csv")
    assert summary["sr"].tolist() == [0.25, 0.25, 0.5, 0.5, 0.75, 0.75]
    assert summary["bypass"].tolist() == ["none", "simple"] * 3
    assert set(summary["base_e"]) == {8}
    assert "\nSR 0.75, bypass simple " in printed.out
    # Other networks or another recipe are not.
    for others, said in (
        (["base_e=16"], "holds another experiment (base_e 8 there, 16 here); a study"),
        (["base_e=8", "momentum=0.5"], "another recipe (momentum 0.9 there, 0.5 here"),
    ):
        status, printed = grid("sweep", *two[:2], *others)
        assert status == 1
        assert printed.err.startswith("dse: study grid/stripes-quick ")
        assert said in printed.err
    assert len(begun(workplace)) == 6
    # Values of the recipe are studies beside each other.
    status, printed = grid("reproduce", "sr=0.25,0.5", "momentum=0.5,0.9", name="arms")
    assert status == 0, printed.err
    assert len(begun(workplace)) == 10
    names = study_names(open_store("sqlite:///results/dse.db"))
    assert names == [
        "arms.momentum 0.5/stripes-quick",
        "arms.momentum 0.9/stripes-quick",
        "grid/stripes-quick",
    ]


def test_a_search_of_another_family_shows_what_it_varies(dse, tiny_folder, workplace):
    def search(*words):
        family = ["--family", "nin", "--set", "width=0.02:0.1:0.02"]
        family += ["--set", "head=average,dense", "--name", "nets"]
        return dse("search", *family, "--dataset", tiny_folder, *words)

    status, printed = search("--trials", 4, "--max-params", 10_000)
    assert status == 0, printed.err
    assert len(begun(workplace)) == 4
    [study] = study_names(open_store("sqlite:///results/dse.db"))
    assert re.fullmatch(r"search-tpe-nets-[0-9a-f]+-.*/stripes-quick", study)
    heading = next(x for x in printed.out.splitlines() if x.split()[:1] == ["run"])
    assert heading.split()[:3] == ["run", "width", "head"]
    rows = view(open_store("sqlite:///results/dse.db"), "runs")
    assert set(rows["family"]) == {"nin"}
    assert rows["params"].max() <= 10_000
    assert set(rows["width"]) <= {0.02, 0.04, 0.06, 0.08, 0.1}
    # It goes on; other values are another search.
    assert search("--trials", 4, "--max-params", 10_000)[0] == 0
    assert len(begun(workplace)) == 4
    assert search("--trials", 5, "--max-params", 10_000)[0] == 0
    assert len(begun(workplace)) == 5
