"""Faults at random moments, many of them; and what they came to, counted.

`pytest tests/faults` runs these; the suite's own run leaves them out for their length.
"""

import os
import random
from collections import Counter

import pretend
import pytest
from place import Place
from samples import SMALL_EXPERIMENT


def pytest_terminal_summary(terminalreporter):
    """The figures: what was done, and what was lost or doubled by it."""
    lines = []
    for report in terminalreporter.getreports(""):
        figures = dict(report.user_properties).get("faults")
        if report.when == "teardown" and figures:
            told = ", ".join(f"{count} {what}" for what, count in figures.items())
            lines.append(f"{report.nodeid.partition('::')[2]}: {told}")
    if lines:
        terminalreporter.section("faults")
        for line in sorted(lines):
            terminalreporter.write_line(line)


@pytest.fixture
def counted(request):
    """Figures of a test, by what they count."""
    figures = Counter()
    yield figures
    request.node.user_properties.append(("faults", dict(figures)))


@pytest.fixture
def moments():
    """A random generator; its seed is printed where a test fails."""
    seed = int(
        os.environ.get("DSE_FAULTS_SEED", random.SystemRandom().randrange(10**6))
    )
    print(f"DSE_FAULTS_SEED={seed} repeats these moments")
    return random.Random(seed)


@pytest.fixture
def make_place(tmp_path, tiny_folder):
    """Makes places, with mischief planned, where runs take so many seconds."""

    def make(name, *mischief, seconds=0.1, replicates=4):
        folder = tmp_path / name
        folder.mkdir()
        text = SMALL_EXPERIMENT.replace("DATASET", str(tiny_folder))
        text = text.replace("replicates=2", f"replicates={replicates}")
        text = text.replace("(0.25, 0.75)", "(0.25, 0.5, 0.75)")
        (folder / "small.py").write_text(text)
        told = pretend.plan_mischief(folder, *mischief, seconds=seconds)
        return Place(folder, environment={"DSE_PRETEND": told["DSE_PRETEND"]})

    return make


@pytest.fixture
def undisturbed(make_place):
    """The table as it is without faults."""
    place = make_place("undisturbed", seconds=0.0)
    place.finish()
    return place.results()
