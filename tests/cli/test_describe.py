"""`dse describe` of any family: its flags, its table, its exact costs."""

import json

import pytest

import dse as package
from dse.cli import main


@pytest.fixture
def describe(workplace, capfd):
    """The words of a description, or its refusal."""

    def run(*words):
        status = 0
        try:
            main(["describe", *map(str, words)])
        except SystemExit as end:
            status = end.code
        printed = capfd.readouterr()
        return status, printed.out, printed.err

    return run


def test_network_in_network_at_half_its_width(describe):
    status, told, error = describe("nin", "--width", 0.5, "--classes", 10)
    assert (status, error) == (0, "")
    rows = {line.split()[0]: line.split()[1:] for line in told.splitlines()[1:17]}
    # Of 224 pixels: (224 - 11) // 4 + 1 = 54; pools of 3 by 2 round up.
    sizes = {"conv1": "54x54x48", "pool1": "27x27x48", "conv2": "27x27x128"}
    sizes |= {"pool2": "13x13x128", "conv3": "13x13x192", "pool3": "6x6x192"}
    sizes |= {"conv4": "6x6x512", "cccp8": "6x6x10"}
    assert {name: rows[name][0] for name in sizes} == sizes
    assert rows["conv1"] == [
        "54x54x48",
        "11x11/4",
        "(x48)",
        "1",
        "17,472",
        "50,808,384",
    ]
    assert rows["cccp8"][-2:] == ["5,130", "184,320"]
    # conv1 17,472 + 2 x 2,352; 153,728 + 2 x 16,512; 221,376 + 2 x 37,056;
    # 885,248 + 262,656 + 5,130.
    assert "1,657,450 parameters = 6,629,800 bytes in 32-bit floats" in told
    # Positions by kernel, channels and filters: 2,916 x (17,424 + 2 x 2,304), 729 x
    # (153,600 + 2 x 16,384), 169 x (221,184 + 2 x 36,864), 36 x (884,736 + 262,144 +
    # 5,120).
    assert "\n291,419,712 MACs, " in told
    assert "\nnin: width 0.5 · architecture " in told


def test_network_in_network_for_small_images(describe):
    words = ["nin", "--input-size", 32, "--classes", 10, "--json"]
    told = json.loads(describe(*words)[1])
    # 14,592 + 30,880 + 15,456; 460,992 + 2 x 37,056; 331,968 + 37,056 + 1,930.
    assert told["params"] == 966_986
    dense = json.loads(describe(*words, "--head", "dense")[1])
    # The 10 maps of 8x8 pixels, all with all.
    assert dense["params"] - told["params"] == 640 * 10 + 10
    assert dense["id"] != told["id"]
    average = json.loads(describe(*words, "--pool2", "average")[1])
    assert average["params"] == told["params"]
    assert average["id"] != told["id"]


def test_the_first_family_needs_no_name(describe):
    assert describe("--sr", 0.5) == describe("squeezenet", "--sr", 0.5)
    assert describe("squeezenet", "--sr", 0.5)[0] == 0


def test_a_family_is_a_name_of_the_package_too():
    small = package.describe((32, 32, 3), 10, family="nin", width=0.5)
    whole = package.Nin(width=0.5).architecture((32, 32, 3), 10)
    assert small["id"] == whole.id
    # Its own side where no shape is given.
    assert package.describe(family="nin")["layers"][0]["output"] == [54, 54, 96]
    assert package.describe()["layers"][0]["output"] == [111, 111, 96]


def test_help_has_the_flags_of_the_family_and_names_others(describe):
    status, told, _ = describe("nin", "--help")
    assert status == 0
    options = told.partition("options")[2]
    assert "--head {average,dense}" in told and "--sr" not in options
    assert "squeezenet" in told
    example = next(line for line in told.splitlines() if line.startswith("Example: "))
    assert example.startswith("Example: dse describe nin")
    _, told, _ = describe("--help")
    assert "--base-e INT" in told and "--head" not in told
    assert "Another family by its name: alexnet, googlenet, " in told


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (
            ["nim"],
            1,
            "no family is called 'nim'; expected some of alexnet, googlenet, nin, ",
        ),
        (["nin", "--sr", 0.5], 2, "Unrecognized options: --sr"),
        (["nin", "--width", -1], 1, "width is -1.0; expected a number"),
        (["nin", "--width", "nan"], 1, "width is nan; expected a number"),
        (["nin", "--width", 5], 1, "width is 5.0; expected a number"),
        (["nin", "--head", "none"], 2, "none"),
        (
            ["nin", "--classes", 1],
            1,
            "classes is 1; expected 2 or more",
        ),
        (["mine.py:Mine"], 1, "there is no file mine.py; expected path/mine.py:Class"),
        (["mine.py"], 1, "no family is called 'mine.py'; expected some of alexnet, "),
        (["nin", "squeezenet"], 2, "squeezenet"),
    ],
)
def test_no_such_network(describe, words, status, said):
    code, told, error = describe(*words)
    assert (code, told) == (status, "")
    assert error.startswith("dse: ") and len(error.splitlines()) == 1
    assert said in error
