"""The command line in processes of its own: what it prints, and how it fails."""

import json
import subprocess
import sys

import pytest

from dse.cli.parsing import _first_paragraph
from dse.data.load import EMBEDDED, load

DSE = [sys.executable, "-m", "dse.cli"]


def dse(*words, **options):
    return subprocess.run(
        [*DSE, *map(str, words)], capture_output=True, text=True, **options
    )


@pytest.fixture(scope="module")
def _embedded_set_is_decoded():
    """Decoding it tells of its progress where it takes more than two seconds."""
    load(EMBEDDED)


def test_describe_prints_table_1_without_jax(workplace):
    script = (
        "import sys; from dse.cli import main; main(['describe']); "
        "print(sorted({'jax', 'pandas', 'optuna', 'datasets'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    *lines, imported = done.stdout.splitlines()
    assert imported == "[]"
    table = {line.split()[0]: line for line in lines if line}
    assert "111x111x96" in table["conv1"] and "14,208" in table["conv1"]
    assert table["fire9"].split()[-6:] == [
        "2",
        "64",
        "256",
        "256",
        "197,184",
        "33,226,752",
    ]
    assert "1,248,424 parameters = 4,993,696 bytes" in done.stdout
    assert "4.762 MiB" in done.stdout


def test_importing_dse_and_its_verbs_is_light():
    script = (
        "import sys, dse, dse.cli; "
        "print(sorted({'jax', 'numpy', 'pandas', 'flax'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True
    )
    assert done.stdout.strip() == "[]"


def test_describe_json(workplace):
    done = dse("describe", "--sr", 0.5, "--input-size", 32, "--classes", 10, "--json")
    described = json.loads(done.stdout)
    assert set(described) >= {
        "id",
        "params",
        "macs",
        "activations",
        "bytes_fp32",
        "layers",
    }
    assert sum(x["params"] for x in described["layers"]) == described["params"]
    assert described["bytes_fp32"] == 4 * described["params"]
    by_name = {x["name"]: x for x in described["layers"]}
    assert by_name["conv1"]["output"] == [32, 32, 96]
    assert by_name["fire2/squeeze1x1"]["params"] == 96 * 64 + 64


def test_describe_names_the_share_that_rounding_makes(workplace):
    wide = ["describe", "--base-e", 16, "--incr-e", 16, "--input-size", 28]
    told = dse(*wide, "--pct-3x3", 0.01).stdout
    assert "after rounding to whole widths: resolved_pct_3x3 0.00625" in told
    assert "after rounding" not in dse(*wide).stdout


@pytest.mark.parametrize("verb", ["describe", "sweep", "reproduce", "search", "status"])
def test_help_has_an_example(verb, workplace):
    done = dse(verb, "--help")
    assert done.returncode == 0
    assert f"Example: dse {verb}" in done.stdout


@pytest.mark.parametrize(
    ("words", "status", "complaint"),
    [
        (["describe", "--base-e", "0"], 1, "base_e is 0; expected a whole number"),
        (["describe", "--base-e", "many"], 2, "--base-e"),
        (["describe", "--sr", "1.5"], 1, "sr is 1.5; expected a number from 0 to 1"),
        (["describe", "--bypass", "double"], 2, "double"),
        (["describe", "--input-size", "23"], 1, "the input is 23 pixels"),
        (["describe", "--channels", "0"], 1, "0 channels"),
        (["fly"], 2, "fly"),
        (["reproduce", "fig9"], 1, "is called 'fig9'; expected ablations, down"),
        (
            ["reproduce", "fig3b", "--preset", "huge"],
            1,
            "expected quick, narrow, full or",
        ),
        (["reproduce", "fig3b", "--seeds", "0"], 1, "seeds is 0; expected a whole"),
        (["reproduce", "fig3b", "--dataset", "./gone"], 1, "no dataset folder ./gone"),
        (["reproduce", "fig3b", "--workers", "0"], 1, "workers is 0"),
        (["search", "--max-bytes", "100", "--trials", "1"], 1, "no point of the space"),
        (["search", "--max-bytes", "-3"], 1, "max_bytes is -3"),
        (["search", "--space", "vast"], 1, "no space is called 'vast'"),
        (["query", "SELECT 1"], 1, "there is no database"),
        (["status", "--storage", "nonsense"], 1, "'nonsense' is no database URL"),
        (["import", "nothing.zip"], 1, "nothing.zip"),
        (["import"], 1, "no file is named"),
        (["sweep", "fig3b", "--retry"], 1, "--retry names no failure"),
        (["predict", "1"], 1, "no image file is named"),
        (["forget", "x", "y", "--replicate"], 1, "--replicate names none"),
    ],
)
@pytest.mark.usefixtures("_embedded_set_is_decoded")
def test_bad_input_is_one_line_and_a_status(words, status, complaint, workplace):
    done = dse(*words)
    assert done.returncode == status
    assert complaint in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert done.stderr.startswith("dse: ")


def test_a_parsing_panel_becomes_a_line():
    panel = "╭─ Error ─╮\n│ Unknown --x  │\n│ ──────── │\n│ Perhaps  │\n╰──────╯\n"
    assert _first_paragraph(panel).startswith("Unknown --x (dse --help")


def test_results_in_a_read_only_place(workplace, small_experiment):
    (workplace / "results").mkdir()
    (workplace / "results" / "dse.db").mkdir()
    done = dse("sweep", small_experiment)
    assert done.returncode == 1
    assert "unable to open database file" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
