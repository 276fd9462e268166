"""`dse compress` on runs and studies, whose family nobody has any more."""

import numpy as np
import pandas as pd
import pytest
from samples import write_image_folder

import dse
from dse.cli import main
from dse.compress.container import MAGIC
from dse.data.dataset import Images
from dse.errors import DseError
from dse.options import Options
from dse.store.database import open_store
from dse.store.query import load_network, view, weights_path
from dse.study.product import Product

FAMILY = '''
from dataclasses import dataclass

from dse import Build, Family, whole


@dataclass(frozen=True)
class Gone(Family, name="gone"):
    """Two convolutions of stride 2."""
    filters: int = whole(8, "filters of both", label="{} filters")

    def architecture(self, input_shape, classes):
        net = Build(input_shape, classes)
        net.conv("first", self.filters, kernel=3, stride=2, padding=1)
        net.conv("second", classes, kernel=3, stride=2, padding=1, relu=False)
        net.average("scores")
        return net.done()
'''
STUDY = "own/stripes-quick"


@pytest.fixture(scope="module")
def place(tmp_path_factory, tiny_folder):
    """A database of two networks, two replicates each, without their family's file."""
    folder = tmp_path_factory.mktemp("compress")
    (folder / "mine.py").write_text(FAMILY)
    product = Product(
        family=f"{folder}/mine.py:Gone",
        settings=("filters=4,8",),
        epochs=12,
        called="own",
    )
    dse.sweep(product, options(folder, dataset=str(tiny_folder)))
    (folder / "mine.py").unlink()
    return folder


def options(folder, **more):
    storage = f"sqlite:///{folder}/dse.db"
    return Options(storage=storage, executor="serial", **more)


def runs_of(place, study):
    frame = view(open_store(f"sqlite:///{place}/dse.db"), "runs", study)
    return frame.sort_values("run_id").reset_index(drop=True)


@pytest.mark.slow
def test_a_study_is_compressed_and_paired_with_its_replicates(place, tiny_folder):
    chosen = options(place, dataset=str(tiny_folder))
    report = dse.compress_runs(STUDY, chosen, name="less", density=0.5, bits=(3, 5))
    assert report.figure.is_file()
    assert report.labels[:6] == [
        "as trained, 4 filters",
        "as trained, 8 filters",
        "quantise bits 3, 4 filters",
        "quantise bits 3, 8 filters",
        "quantise bits 5, 4 filters",
        "quantise bits 5, 8 filters",
    ]
    assert sorted(report.labels[6:]) == [
        "4 filters, stages prune",
        "4 filters, stages prune, quantise, bits 3",
        "4 filters, stages prune, quantise, bits 5",
        "8 filters, stages prune",
        "8 filters, stages prune, quantise, bits 3",
        "8 filters, stages prune, quantise, bits 5",
    ]
    trained, found = runs_of(place, STUDY), runs_of(place, "less/stripes-quick")
    assert (found["status"] == "complete").all()
    assert len(found) == 24
    as_trained = found[found["stages"].isna()]
    assert as_trained["run_id"].tolist() == trained["run_id"].tolist()
    assert (as_trained["bytes"] == as_trained["bytes_fp32"]).all()
    coded = found[found["stages"] == "prune, quantise, code"]
    assert (
        coded.groupby(["filters", "bits"])["replicate"].apply(list).tolist()
        == [[0, 1]] * 4
    )
    assert coded["density"].tolist() == [0.5] * 8
    store = open_store(f"sqlite:///{place}/dse.db")
    for row in coded.itertuples():
        content = weights_path(store, row.run_id).read_bytes()
        assert content.startswith(MAGIC)
        assert len(content) == row.bytes < row.bytes_fp32
    summary = report.summary.set_index("cell_id")
    means = coded.groupby("cell_id")["bytes"].mean()
    assert summary.loc[means.index, "mean_bytes"].tolist() == means.tolist()
    # Half of the weights of each kernel are left, of 2^bits values at most.
    run = coded[(coded["filters"] == 8) & (coded["bits"] == 3)].iloc[0]
    kernel = load_network(store, int(run["run_id"])).weights["first"]["kernel"]
    assert np.count_nonzero(kernel) == kernel.size // 2
    assert len(np.unique(kernel)) <= 2**3 + 1
    # What is there is not done again.
    again = dse.compress_runs(STUDY, chosen, name="less", density=0.5, bits=(3, 5))
    assert again.summary["mean_bytes"].equals(report.summary["mean_bytes"])
    assert runs_of(place, "less/stripes-quick").equals(found)


@pytest.mark.slow
def test_a_run_is_compressed_alone_and_goes_on_from_its_stages(place, tiny_folder):
    chosen = options(place, dataset=str(tiny_folder))
    trained = runs_of(place, STUDY)
    run = int(trained.loc[trained["replicate"] == 1, "run_id"].iloc[0])
    report = dse.compress_runs(run, chosen, name="one", density=0.3, huffman="none")
    found = runs_of(place, "one/stripes-quick")
    done = found[found["stages"].notna()]
    assert done["replicate"].tolist() == [1, 1]
    assert done["stages"].tolist() == ["prune", "prune, code"]
    assert report.summary["mean_bytes"].tolist()[1] < report.summary["bytes_fp32"][0]
    pruned = int(done["run_id"].iloc[0])
    dse.compress_runs(pruned, chosen, name="two", bits=4)
    after = runs_of(place, "two/stripes-quick")
    coded = after[after["stages"] == "prune, quantise, code"]
    assert (coded["replicate"].tolist(), coded["density"].tolist()) == ([1], [0.3])


@pytest.mark.slow
def test_what_cannot_be_compressed_is_refused_in_a_line(place, tiny_folder, tmp_path):
    chosen = options(place, dataset=str(tiny_folder))
    wanted = (
        ((STUDY, chosen), {}, "nothing says how to compress"),
        (("other", chosen), {"bits": 4}, "there is no study 'other'"),
        ((999, chosen), {"bits": 4}, "there is no run 999"),
        ((STUDY, options(place)), {"bits": 4}, "was trained on stripes; say where"),
        (
            (STUDY, options(place, dataset=str(tiny_folder), preset="quick")),
            {"bits": 4},
            "--preset has no meaning here",
        ),
        (
            (STUDY, options(place, dataset=str(tiny_folder), weights=False)),
            {"bits": 4},
            "stages begin from weights that were kept",
        ),
        ((STUDY, chosen), {"bits": 4, "name": "fig3b"}, "fig3b comes with the package"),
        ((STUDY, chosen), {"pruned": "third"}, "the network has no kernel in 'third'"),
    )
    before = set(view(open_store(chosen.storage), "cells")["study"])
    for arguments, settings, said in wanted:
        with pytest.raises(DseError, match=said):
            dse.compress_runs(*arguments, **settings)
    others = tmp_path / "stripes"
    generator, labels = np.random.default_rng(0), np.arange(40, dtype=np.int32) % 4
    for part in ("train", "test"):
        images = generator.integers(0, 256, (40, 28, 28, 1), np.uint8)
        write_image_folder(others / part, Images(images, labels))
    with pytest.raises(
        DseError, match=r"trained on stripes, fingerprint .* are others"
    ):
        dse.compress_runs(STUDY, options(place, dataset=str(others)), bits=4)
    assert set(view(open_store(chosen.storage), "cells")["study"]) == before


@pytest.mark.slow
def test_runs_without_kept_weights_are_named(tmp_path, tiny_folder):
    (tmp_path / "mine.py").write_text(FAMILY)
    product = Product(family=f"{tmp_path}/mine.py:Gone", epochs=1, called="none")
    chosen = options(tmp_path, dataset=str(tiny_folder))
    dse.sweep(product, options(tmp_path, dataset=str(tiny_folder), weights=False))
    with pytest.raises(DseError, match="the weights of runs 1, 2 were not kept"):
        dse.compress_runs("none/stripes-quick", chosen, bits=4)
    with pytest.raises(DseError, match="the weights of run 1 were not kept"):
        dse.compress_runs(1, chosen, bits=4)


def test_the_verb_says_what_it_takes(workplace, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["compress", "some/study-quick", "--bits", "four"])
    assert ended.value.code == 1
    said = capsys.readouterr().err
    assert said.startswith("dse: bits is 'four'; expected a whole number")
    with pytest.raises(SystemExit) as ended:
        main(["compress", "--help"])
    assert ended.value.code == 0
    helped = capsys.readouterr().out
    for flag in ("--density", "--bits", "--huffman", "--storage"):
        assert flag in helped


@pytest.mark.slow
def test_what_fits_of_a_run_and_of_a_study(place, capsys):
    storage = f"sqlite:///{place}/dse.db"
    run = int(runs_of(place, STUDY)["run_id"].iloc[0])
    forms = dse.fit_run(run, "1KiB", storage)
    [row] = (
        view(open_store(storage), "runs")
        .query(f"run_id == {run}")[:1]
        .to_dict("records")
    )
    assert forms["weight_bytes"].tolist() == [
        row["bytes_fp32"],
        row["params"],
        row["bytes"],
    ]
    # The maps of 14x14 and 7x7 places are larger than a KiB.
    assert set(forms["activations_in"]) == {"DRAM"}
    table, folder = dse.fit_study(STUDY, 2**20, storage)
    assert (folder / "fit.png").is_file()
    assert table["cell"].tolist() == ["4 filters", "8 filters"]
    assert set(table["weights_in"]) == {"SRAM"}
    assert pd.read_csv(folder / "fit.csv")["cell"].tolist() == table["cell"].tolist()
    main(["fit", STUDY, "--sram", "1MiB", "--storage", storage])
    printed = capsys.readouterr().out
    assert "1,048,576 bytes of SRAM" in printed
    assert "8 filters" in printed
    for words, said in (
        (["fit", "999", "--sram", "1MiB"], "there is no run 999"),
        (["fit", str(run), "--sram", "some"], "--sram is 'some'; expected bytes"),
        (["fit", "other", "--sram", "1MiB"], "there is no study 'other'"),
    ):
        with pytest.raises(SystemExit):
            main([*words, "--storage", storage])
        assert said in capsys.readouterr().err
