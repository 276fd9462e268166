"""A person's own family, in a file: swept, and read back by who cannot import it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import inspect

import dse as package
from dse.cli import main
from dse.store.database import open_store

README = Path(package.__file__).parents[1] / "README.md"
FAMILY = '''
from dataclasses import dataclass

from dse import Build, Family, choice, flag, whole


@dataclass(frozen=True)
class Mine(Family, name="mine"):
    """Convolutions of stride 2, one after the other."""
    filters: int = whole(64, "of the first layer", label="{} filters", scales=True)
    depth: int = whole(3, "layers", most=5, cost="rises")
    head: str = choice("average", ("average", "dense"), "what turns maps into scores")
    doubles: bool = flag(True, "whether each layer has twice the filters")

    def architecture(self, input_shape, classes):
        net = Build(input_shape, classes)
        for i in range(self.depth):
            filters = self.filters * 2**i if self.doubles else self.filters
            net.conv(f"conv{i + 1}", filters, kernel=3, stride=2, padding=1)
        if self.head == "dense":
            net.dense("scores", classes)
        else:
            net.conv("scores", classes, kernel=1, relu=False)
            net.average("average")
        return net.done()

    def derived(self):
        return {"last_filters": self.filters * 2**(self.depth - 1)}
'''
SWEEP = (
    *("sweep", "--family", "mine.py:Mine", "--name", "own", "--seeds", "1"),
    *("--set", "filters=4,8", "--set", "head=average,dense", "--epochs", "20"),
)
STUDY = "own/stripes-quick"


def dse(*words, folder, **around):
    return subprocess.run(
        [sys.executable, "-m", "dse", *map(str, words)],
        cwd=folder,
        env={**os.environ, **around},
        capture_output=True,
        text=True,
    )


def test_a_file_s_class_is_described(workplace):
    (workplace / "mine.py").write_text(FAMILY)
    words = ["mine.py:Mine", "--depth", 4, "--classes", 10, "--input-size", 28]
    told = dse("describe", *words, folder=workplace)
    assert told.returncode == 0, told.stderr
    # 1,792 + 73,856 + 295,168 + 1,180,160 of 3x3, 512 x 10 + 10 of 1x1.
    assert "1,556,106 parameters = 6,224,424 bytes" in told.stdout
    assert "mine: 64 filters, depth 4 · architecture " in told.stdout
    rows = {line.split()[0]: line.split()[1] for line in told.stdout.splitlines()[1:7]}
    # 28 pixels by halves, rounded up.
    assert (rows["conv1"], rows["conv4"]) == ("14x14x64", "2x2x512")
    helped = dse("describe", "mine.py:Mine", "--help", folder=workplace)
    assert "--filters INT" in helped.stdout
    assert "--head {average,dense}" in helped.stdout
    assert "--sr" not in helped.stdout.partition("options")[2]


@pytest.mark.slow
@pytest.mark.skipif(not README.is_file(), reason="not a checkout")
def test_the_readmes_family_is_one(workplace):
    blocks = README.read_text().split("```python\n")[1:]
    [code] = [b.partition("```")[0] for b in blocks if "(Family, name=" in b]
    (workplace / "mine.py").write_text(code)
    words = ["mine.py:Mine", "--depth", 4, "--classes", 10, "--input-size", 28]
    told = dse("describe", *words, "--json", folder=workplace)
    assert json.loads(told.stdout)["params"] == 1_556_106
    planned = dse("plan", "mine.py", "--seeds", 1, folder=workplace)
    assert planned.returncode == 0, planned.stderr
    assert "6 cells, 6 runs" in planned.stdout


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("", "mine.py has no class 'Mine'; expected class Mine(Family, name='mine')"),
        ("Mine = 3", "Mine in mine.py is no family; expected a class Mine(Family, nam"),
        ("raise SystemExit('x')", "family mine.py cannot be run: SystemExit: x"),
        ("import no_such", "cannot be run: ModuleNotFoundError: No module named 'no_s"),
        ("def (", "family mine.py cannot be run: SyntaxError: "),
        (FAMILY.replace("Mine(", "Other("), "has no class 'Mine'; expected Other"),
        (FAMILY.replace('"mine"', '"nin"'), "called 'nin', as one that comes with the"),
        (FAMILY.replace('"mine"', '"a b"'), "is called 'a b'; expected class Mine(Fam"),
        (FAMILY.replace(', name="mine"', ""), "Mine in mine.py is called ''; expected"),
        (FAMILY.replace("(frozen=True)", ""), "Mine is not frozen; write @dataclass(f"),
        (FAMILY.replace("depth", "params"), "a metaparameter 'params'; a column of th"),
        (FAMILY.replace("depth", "Depth"), "a metaparameter 'Depth'; expected small l"),
        (FAMILY.replace("def arch", "def a_"), "has no architecture(self, input_shape"),
        (FAMILY.replace("whole(64,", "whole(...,"), "filters has no default"),
        (FAMILY.replace("whole(3,", "whole(9,"), "depth is 9; expected a whole number"),
    ],
)
def test_a_family_that_cannot_be_used_is_one_line(workplace, capfd, code, said):
    (workplace / "mine.py").write_text(code)
    for verb in (["describe", "mine.py:Mine"], ["plan", "--family", "mine.py:Mine"]):
        with pytest.raises(SystemExit) as end:
            main(verb)
        told = capfd.readouterr().err
        assert end.value.code == 1
        assert told.startswith("dse: ") and said in told
        assert len(told.splitlines()) == 1
        assert "internal error" not in told


@pytest.fixture(scope="module")
def swept(tmp_path_factory, tiny_folder):
    """A folder in which own networks were swept, whose file is gone by now."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "mine.py").write_text(FAMILY)
    done = dse(*SWEEP, "--dataset", tiny_folder, folder=folder)
    assert done.returncode == 0, done.stderr
    (folder / "mine.py").unlink()
    return folder, done


@pytest.mark.slow
def test_a_product_is_swept_with_workers(swept, tiny_folder):
    folder, done = swept
    assert f"{STUDY}: 4 runs planned, 4 trained now" in done.stdout
    for label in ("4 filters, head average", "8 filters, head dense"):
        assert f"{label}, replicate 0 · " in done.stdout
    # Whoever has the file goes on with it: nothing is missing.
    (folder / "elsewhere.py").write_text(FAMILY)
    words = [word.replace("mine.py", "elsewhere.py") for word in SWEEP]
    again = dse(*words, "--dataset", tiny_folder, folder=folder)
    assert "4 runs planned, 0 trained now" in again.stdout, again.stderr
    (folder / "elsewhere.py").unlink()


@pytest.mark.slow
def test_the_views_have_a_column_for_each_metaparameter(swept):
    folder, _ = swept
    sql = (
        "SELECT family, filters, depth, head, doubles, last_filters, params "
        "FROM runs WHERE status = 'complete' ORDER BY filters, head"
    )
    told = dse("query", sql, "--format", "json", folder=folder)
    rows = json.loads(told.stdout)
    names = ["filters", "depth", "head", "doubles", "last_filters"]
    assert [[row[name] for name in names] for row in rows] == [
        [4, 3, "average", 1, 16],
        [4, 3, "dense", 1, 16],
        [8, 3, "average", 1, 32],
        [8, 3, "dense", 1, 32],
    ]
    assert {row["family"] for row in rows} == {"mine"}
    # One channel: 40 + 296 + 1,168, and 16 x 4 + 4 or 4 x 4 x 16 x 4 + 4.
    assert [row["params"] for row in rows][:2] == [1504 + 68, 1504 + 1028]
    runs = package.load_runs(STUDY, f"sqlite:///{folder}/results/dse.db")
    assert runs["doubles"].tolist() == [True] * 4
    assert "sr" not in runs


@pytest.mark.slow
def test_who_has_no_such_class_reads_status_predicts_and_forgets(swept, tiny_folder):
    folder, _ = swept
    told = dse("status", folder=folder)
    heading = told.stdout.splitlines()[1].split()
    assert heading[:3] == ["cell_id", "filters", "head"]
    assert "4 of 4 runs complete" in told.stdout
    sql = "SELECT run_id FROM runs ORDER BY test_accuracy DESC LIMIT 1"
    best = dse("query", sql, "--format", "csv", folder=folder).stdout.splitlines()[1]
    images = sorted((tiny_folder / "test" / "class_2").glob("*.png"))[:5]
    said = dse("predict", best, *images, folder=folder).stdout.splitlines()
    assert len(said) == 5 and all(": class_" in line for line in said)
    told = dse("retry", STUDY, "filters=4,head=dense", folder=folder)
    assert told.stdout.startswith("0 failed runs are to be tried again"), told.stderr
    told = dse("retry", STUDY, "sr=0.5", folder=folder)
    assert told.returncode == 1
    assert "names 'sr'; expected some of filters, depth, head, doubles" in told.stderr


REPORT = """
import sys
from pathlib import Path
from dse.data.load import load
from dse.report import report_front
from dse.store.database import open_store
from dse.store.query import study_called
store = open_store(sys.argv[1], create=False)
study = study_called(store, sys.argv[2])
report = report_front(store, [study], load(sys.argv[3]), Path("front"))
print(*sorted(report.labels), sep="\\n")
"""


@pytest.mark.slow
def test_who_has_no_such_class_merges_and_reports(swept, tiny_folder, tmp_path):
    folder, _ = swept
    assert dse("export", tmp_path / "own.zip", folder=folder).returncode == 0
    assert "4 new runs" in dse("import", "own.zip", folder=tmp_path).stdout
    url = f"sqlite:///{tmp_path}/results/dse.db"
    names = {x["name"] for x in inspect(open_store(url).engine).get_columns("runs")}
    assert {"filters", "depth", "head", "doubles", "last_filters"} < names
    done = subprocess.run(
        [sys.executable, "-P", "-c", REPORT, url, STUDY, tiny_folder],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "4 filters, head average",
        "4 filters, head dense",
        "8 filters, head average",
        "8 filters, head dense",
    ]
    assert (tmp_path / "front/figure.png").stat().st_size > 10_000
    # Beside networks of another family: each has its own columns alone.
    other = dse(
        *("sweep", "--family", "nin", "--set", "width=0.03125", "--epochs", 1),
        *("--seeds", 1, "--dataset", tiny_folder, "--name", "net"),
        folder=tmp_path,
    )
    assert other.returncode == 0, other.stderr
    runs = package.load_runs(storage=url)
    assert set(runs["family"]) == {"mine", "nin"}
    assert runs["width"].notna().sum() == 1
    assert runs["filters"].notna().sum() == 4
    assert "width" not in package.load_runs(STUDY, url)


@pytest.mark.slow
def test_a_family_of_a_script_is_swept_by_workers(workplace, tiny_folder):
    script = workplace / "script.py"
    script.write_text(
        f"{FAMILY}\n"
        "import dse\n"
        "recipe = dse.Recipe(epochs=20, peak_learning_rate=0.05, batch_size=32)\n"
        "preset = dse.Preset(width=1 / 16, replicates=1, recipe=recipe)\n"
        "points = [Mine(), Mine(depth=2), dse.Nin(width=0.05)]\n"
        "both = dse.Experiment('Both', points=points, presets={'p': preset})\n"
        f"options = dse.Options(dataset={str(tiny_folder)!r}, workers=2)\n"
        "report = dse.reproduce(('both', both), options)\n"
        "print(*report.labels, sep='\\n')\n"
    )
    done = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, cwd=workplace
    )
    assert done.returncode == 0, done.stderr
    labels = done.stdout.splitlines()[-3:]
    assert labels == ["mine depth 3", "mine depth 2", "nin"]
