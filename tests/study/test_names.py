"""What a file may be called, for its studies and folders are called so."""

import unicodedata
from dataclasses import replace

import pytest
from samples import SMALL_EXPERIMENT

from dse.errors import DseError
from dse.families.squeezenet import SqueezeNet
from dse.runs.recipe import Recipe
from dse.store.run_states import StoredPoint
from dse.study.experiment import Experiment
from dse.study.loading import load_experiment, load_together
from dse.study.names import check_name, shipped_experiments
from dse.study.plan import make_plans, refuse_other_experiment
from dse.study.preset import Preset
from dse.study.product import Product
from dse.study.settings import experiment_of, space_of

QUICK = Preset(width=1 / 16, replicates=2, recipe=Recipe(1, 0.1))


def write(folder, name, text=SMALL_EXPERIMENT):
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / name
    file.write_text(text)
    return str(file)


@pytest.mark.parametrize(
    "name", ["small.py", "my experiment.py", "fig3b-wide.py", "größe_2.py", "_x.py"]
)
def test_a_plain_name_is_the_experiments(tmp_path, name):
    assert load_experiment(write(tmp_path, name))[0] == name.removesuffix(".py")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("fig3b.py", "fig3b comes with the package"),
        ("FIG3B.py", "fig3b comes with the package"),
        ("front.py", "the folder front beside a database holds something else"),
        ("Weights.py", "the folder Weights beside a database holds something else"),
        ("search-x.py", "begin with search- are those of searches"),
        ("Search-tpe.py", "begin with search- are those of searches"),
        ("ablations.chosen.py", "a dot parts an experiment's name from an arm's"),
        ("dse.db.py", "a dot parts"),
        ("..py", "a dot parts"),
        ("a\nb.py", "expected at most 60 letters"),
        (" a.py", "expected at most 60 letters"),
        ("a+b.py", "expected at most 60 letters"),
        ("a\\b.py", "expected at most 60 letters"),
        ("a\x1b[2J.py", "a dot parts|expected at most 60 letters"),
        (f"{'x' * 61}.py", "expected at most 60 letters"),
        ("-x.py", "expected at most 60 letters"),
    ],
)
def test_a_name_that_means_something_else_is_refused(tmp_path, name, why):
    with pytest.raises(DseError, match=why) as refused:
        load_experiment(write(tmp_path, name))
    assert "rename the file (runs that are there count" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_copy_of_a_shipped_file_is_the_shipped_experiment(tmp_path):
    shipped = shipped_experiments()["fig3b"]
    name, _ = load_experiment(write(tmp_path, "fig3b.py", shipped.read_text()))
    assert name == "fig3b"
    assert load_experiment(str(shipped))[0] == "fig3b"


def test_one_name_in_two_spellings_or_folders_is_given_twice(tmp_path):
    two_forms = [unicodedata.normalize(form, "größe.py") for form in ("NFC", "NFD")]
    for first, second in (("mine.py", "mine.py"), ("mine.py", "Mine.py"), two_forms):
        files = [write(tmp_path / "a", first), write(tmp_path / "b", second)]
        with pytest.raises(DseError, match="given twice"):
            load_together(files, None)


@pytest.mark.parametrize("name", ["", "a/b", "..", "a\nb", "x" * 61])
def test_presets_and_arms_are_words_too(name):
    with pytest.raises(DseError, match="a preset is called"):
        Experiment("X", SqueezeNet(), {name: QUICK})
    with pytest.raises(DseError, match="an arm is called"):
        Experiment("X", SqueezeNet(), {"quick": QUICK}, arms={name: {}})


SHARES = Experiment(
    "Shares",
    SqueezeNet(sr=0.5),
    {"quick": QUICK},
    "pct_3x3",
    (0.25, 0.75),
)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"anchor": SqueezeNet(sr=0.25)}, r"\(sr 0\.5 there, 0\.25 here\)"),
        ({"anchor": SqueezeNet(16, 8, sr=0.5)}, r"\(base_e 8 there, 16 here\)"),
        (
            {"varied": "sr", "values": (0.5, 1.0)},
            r"sr 0\.5 there, 0\.5, 1\.0 here|pct_3x3 0\.25, 0\.75 there, 0\.5 here",
        ),
        ({"varied": None, "values": ()}, r"pct_3x3 0\.25, 0\.75 there, 0\.5 here"),
    ],
)
def test_a_study_of_the_same_name_holds_one_experiment(tiny, changes, told):
    [there] = make_plans("mine", SHARES, "quick", tiny)
    points = [StoredPoint.of(point.metaparameters) for point in there.points]
    [here] = make_plans("mine", replace(SHARES, **changes), "quick", tiny)
    with pytest.raises(DseError, match=told):
        refuse_other_experiment(here, points)


@pytest.mark.parametrize("values", [(0.25, 0.75), (0.25, 0.5, 0.75), (0.25,), (0.1,)])
def test_a_study_may_gain_and_lose_values(tiny, values):
    [there] = make_plans("mine", SHARES, "quick", tiny)
    points = [StoredPoint.of(point.metaparameters) for point in there.points]
    [here] = make_plans("mine", replace(SHARES, values=values), "quick", tiny)
    refuse_other_experiment(here, points)
    refuse_other_experiment(here, [])


# Experiments that are in no file


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Shares of 3x3 filters, and more!", "shares-of-3x3-filters-and-more"),
        ("(Größe)", "größe"),
        ("x" * 70, "x" * 60),
        (f"{'x' * 59} y", "x" * 59),
    ],
)
def test_one_at_hand_is_called_by_the_words_of_its_title(title, name):
    experiments, _, _ = load_together(replace(SHARES, title=title), "quick")
    assert list(experiments) == [name]
    assert check_name(name) == name


def test_one_at_hand_may_be_given_a_name():
    several = [("one", SHARES), ("größe", SHARES), "fig3b"]
    with pytest.raises(DseError, match="mean different things by the preset"):
        load_together(several, "quick")
    loaded, _, _ = load_together(several[:2], "quick")
    assert list(loaded) == ["one", "größe"]
    assert list(load_together(("one", SHARES), "quick")[0]) == ["one"]
    with pytest.raises(DseError, match="given twice: one, One"):
        load_together([("one", SHARES), ("One", SHARES)], "quick")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("fig3b", "fig3b comes with the package"),
        ("Fig3B", "fig3b comes with the package"),
        ("search-tpe", "those of searches"),
        ("Logs", "the folder Logs beside a database holds something else"),
        ("a.b", "a dot parts an experiment's name from an arm's"),
        ("", "expected at most 60 letters"),
        ("a/b", "expected at most 60 letters"),
        ("a\nb", "expected at most 60 letters"),
        ("-x", "expected at most 60 letters"),
        ("x" * 61, "expected at most 60 letters"),
    ],
)
def test_a_name_that_is_given_means_nothing_else(name, why):
    for refuse in (
        lambda: check_name(name),
        lambda: load_together((name, SHARES), "quick"),
    ):
        with pytest.raises(DseError, match=why) as refused:
            refuse()
        assert "take another" in str(refused.value)
        assert "\n" not in str(refused.value)


def test_names_are_in_one_spelling():
    decomposed = unicodedata.normalize("NFD", "größe")
    assert check_name(decomposed) == unicodedata.normalize("NFC", "größe")
    for called, _ in (
        experiment_of(Product(settings=("sr=0.25,0.5",), called=decomposed)),
        space_of(Product(settings=("sr=0.25,0.5",), called=decomposed), 1.0),
    ):
        assert called.startswith(unicodedata.normalize("NFC", "größe"))


def test_a_tuple_of_experiments_is_not_a_name_and_an_experiment():
    pair = (replace(SHARES, title="a"), replace(SHARES, title="b"))
    assert list(load_together(pair, "quick")[0]) == ["a", "b"]
    three = (*pair, replace(SHARES, title="c"))
    assert list(load_together(three, "quick")[0]) == ["a", "b", "c"]


def test_a_title_without_a_letter_is_no_name():
    with pytest.raises(DseError, match="would be called ''; expected at most 60"):
        load_together(replace(SHARES, title="—"), "quick")
