"""Networks asked for by words: `--family`, `--set`, `--epochs` and `--name`."""

import pytest

from dse.cli import main
from dse.study.product import Product
from dse.study.settings import experiment_of

MANY_OF_SR = ["--set", "sr=0:1:0.001"]


def product(*settings, **more):
    return Product(settings=settings, **more)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--set", "sr=0.5", "--set", "sr=1"], "--set sr is given twice; give its"),
        (["--set", "sr"], "--set sr has no values; write them as sr=...,..."),
        (["--set", "sr="], "--set sr= has no values; write them as sr=...,..."),
        (["--set", "sr=,"], "sr is ''; expected a number from 0 to 1"),
        (["--set", "sr=0.5,2"], "sr is 2.0; expected a number from 0 to 1"),
        (["--set", "freq=1.5"], "freq is '1.5'; expected a whole number from 1 to"),
        (
            ["--set", "bypass=double"],
            "bypass is 'double'; expected one of none, simple",
        ),
        (["--set", "pools=1,11"], "pools is '1,11'; expected modules from 1 to 9"),
        (["--set", "base_e=64:16:16"], "base_e=64:16:16 goes nowhere; expected from:"),
        (["--set", "base_e=16:64:0"], "base_e=16:64:0 goes nowhere; expected from:to"),
        (["--set", "base_e=0:64:8"], "base_e is 0; expected a whole number from 1 to"),
        (["--set", "pct_3x=0"], "--set 'pct_3x'; expected some of base_e, incr_e, fr"),
        (["--set", "pct_3x=0"], "(did you mean pct_3x3?)"),
        (["--set", "width=1"], "--set 'width'; expected some of base_e"),
        (["--epochs", 2, "--set", "epochs=1"], "--set epochs and --epochs are both g"),
        (
            ["--set", "epochs=1,2"],
            "arm epochs 1 changes epochs; expected some of peak_",
        ),
        (["--epochs", 0], "epochs is 0; expected a whole number from 1 to 1,000,000"),
        ([*MANY_OF_SR, "--set", "pct_3x3=0:1:0.01"], "--set makes 101,101 cells; give"),
        (["fig3b", "--family", "nin"], "an experiment (fig3b) and --family, --set, --"),
        (["fig3b", "--set", "sr=0.5"], "an experiment (fig3b) and --family, --set, --"),
        (["--set", "sr=0.5", "0.25"], "an experiment (0.25) and --family, --set, --ep"),
        (
            ["--family", "nim"],
            "no family is called 'nim'; expected some of alexnet, googlenet",
        ),
        (["--family", "gone.py:Mine"], "there is no file gone.py; expected path/mine."),
        (["--name", "fig3b"], "fig3b comes with the package, and its studies are call"),
        (["--name", "a.b"], "'a.b'; a dot parts an experiment's name from an arm's"),
        ([], "no experiment is given; expected one or more, as fig3b"),
    ],
)
@pytest.mark.parametrize("verb", ["sweep", "plan"])
def test_words_that_make_no_sense_are_one_line(workplace, capfd, verb, words, said):
    with pytest.raises(SystemExit) as end:
        main([verb, *map(str, words)])
    told = capfd.readouterr().err
    assert end.value.code == 1
    assert told.startswith("dse: ") and len(told.splitlines()) == 1
    assert said in told
    assert not list(workplace.iterdir())


def test_epochs_that_are_asked_for_are_trained(tiny):
    """A preset raises its own on a small set; here 400 images once."""
    _, experiment = experiment_of(product("sr=0.5", epochs=1))
    [recipe] = experiment.recipes(experiment.preset("quick"), tiny).values()
    assert recipe.epochs == 1
    _, plain = experiment_of(product("sr=0.5"))
    [recipe] = plain.recipes(plain.preset("quick"), tiny).values()
    assert recipe.epochs == 75  # 30,000 images


def test_epochs_that_are_asked_for_replace_the_steps_of_a_preset():
    _, experiment = experiment_of(product("sr=0.5", epochs=2))
    recipe = experiment.preset("imagenet").recipe
    assert (recipe.epochs, recipe.steps) == (2, None)


def test_what_one_preset_alone_can_have_is_no_hindrance():
    """The others train on no streamed images; they are not asked for."""
    _, experiment = experiment_of(product("steps=100", "crop=64"))
    recipe = experiment.preset("imagenet").recipe
    assert (recipe.steps, recipe.crop) == (100, 64)


def test_a_search_is_of_words_or_of_a_named_space(workplace, capfd):
    for words, said in (
        (["--space", "narrow", "--set", "sr=0.5,1"], "--space and --family or --set "),
        (["--family", "nin"], "a search varies nothing; say what, as --set width=..."),
        (["--set", "sr=0.5,1", "--epochs", 1], "a search has one recipe, and --set ch"),
    ):
        with pytest.raises(SystemExit) as end:
            main(["search", *map(str, words)])
        told = capfd.readouterr().err
        assert end.value.code == 1
        assert said in told and len(told.splitlines()) == 1
    assert not list(workplace.iterdir())
