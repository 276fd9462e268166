"""From a finished study to a folder of tables and figures."""

import json
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path

import matplotlib
import pandas as pd
from matplotlib.figure import Figure

from dse.analysis.claims import claims_table, judge
from dse.analysis.figures import (
    STYLE,
    draw_front,
    draw_layers,
    draw_measured,
    draw_published,
    new_figure,
    point_label,
    published_label,
    published_marks,
    size_marks,
)
from dse.analysis.pareto import on_front
from dse.analysis.statistics import points, summarise
from dse.arch.describe import table_1
from dse.arch.paper import PUBLISHED, SLIPS, TABLE_1_PARAMS, TABLE_1_TOTAL
from dse.arch.squeezenet import (
    Metaparameters,
    rounding_moves_pct_3x3,
    squeezenet,
)
from dse.data.dataset import Dataset
from dse.errors import DseError
from dse.store.append import StudyRecord
from dse.store.database import Store
from dse.store.query import view, weights_folder
from dse.study.experiment import Experiment
from dse.train.recipe import Recipe

RESULTS = Path("results")
PACKAGES = ("dse", "jax", "jaxlib", "flax", "optax", "optuna", "numpy")


@dataclass(frozen=True)
class Report:
    """Where a report lies, and its summary.

    Attributes:
        folder: `results/<experiment>/<dataset>-<preset>/`.
        figure: the figure's PNG.
        summary: one row a cell (`dse.analysis.statistics.summarise`); a search's has
            `run_id` and `front` besides.
        labels: what the figure calls each cell.
        weights: where the weights of a search's best network lie, if they were kept.
        table_1: the paper's Table 1 beside our counts, where the experiment shows it.
        unfinished: runs that the same command would try again.
        claims: what became of the experiment's claims, if it has any.
    """

    folder: Path
    figure: Path
    summary: pd.DataFrame
    labels: Sequence[str] = ()
    weights: Path | None = None
    table_1: pd.DataFrame | None = None
    unfinished: int = 0
    claims: "Claims | None" = None


@dataclass(frozen=True)
class Claims:
    """What became of an experiment's claims.

    Attributes:
        study: the study that they were held against.
        table: one row a claim (`dse.analysis.claims`); None where the runs do not allow
            for judgements.
        refusal: why not, then.
        caveat: what was measured, beside the paper.
        slips: where the paper contradicts itself.
    """

    study: str
    table: pd.DataFrame | None
    refusal: str
    caveat: str
    slips: Sequence[str]


def report_experiment(
    store: Store,
    study: StudyRecord,
    experiment: Experiment,
    dataset: Dataset,
    results: Path = RESULTS,
) -> Report:
    """Write an experiment's runs, summary and figure."""
    runs, summary = _frames(store, study)
    if not summary["replicates"].any():
        raise DseError(
            f"no run of {study.name} was trained to the end, so there is nothing to "
            "draw; dse query 'SELECT status, reason, detail FROM runs' says why"
        )
    labels = [point_label(m, experiment.varied) for m in points(summary)]
    table = paper_table_1(experiment.anchor) if experiment.shows == "layers" else None
    caption = _caption(study, dataset, runs, summary)
    with matplotlib.rc_context(STYLE):
        figure = _size_figure(experiment, dataset, caption, summary, labels, table)
    tables = {"runs": runs, "summary": summary}
    if table is not None:
        tables["table1"] = table
    claims = check_claims(study, experiment, runs) if experiment.claims else None
    if claims is not None and claims.table is not None:
        tables["claims"] = claims.table
    folder = _write(results, study, tables, figure)
    return Report(
        folder,
        folder / "figure.png",
        summary,
        labels,
        table_1=table,
        claims=claims,
    )


def check_claims(
    study: StudyRecord, experiment: Experiment, runs: pd.DataFrame
) -> Claims:
    """Judge an experiment's claims by the runs of a study."""
    table, refusal = None, ""
    try:
        table = claims_table(judge(experiment, runs))
    except DseError as error:
        refusal = str(error)
    widths = "".join(f", base_e {width}" for width in runs["base_e"].unique())
    caveat = (
        f"measured as top-1 on {study.dataset}{widths}, {study.recipe.epochs} epochs; "
        "the paper's are of ImageNet at base_e 128"
    )
    slips = SLIPS.get(experiment.published or "", ())
    return Claims(study.name, table, refusal, caveat, slips)


def report_search(
    store: Store, study: StudyRecord, dataset: Dataset, results: Path = RESULTS
) -> Report:
    """Write a search's runs, its summary with the front, and the figure."""
    runs, summary = _frames(store, study)
    run_ids = runs.drop_duplicates("cell_id").set_index("cell_id")["run_id"]
    summary = summary[summary["cell_id"].isin(run_ids.index)].reset_index(drop=True)
    summary["run_id"] = summary["cell_id"].map(run_ids)
    accuracy = summary["val_accuracy"].to_numpy()
    summary["front"] = on_front(summary["bytes_fp32"].to_numpy(), accuracy)
    if not summary["front"].any():
        raise DseError(
            f"no network of {study.name} was trained to the end; "
            "dse query 'SELECT status, reason, detail FROM runs' says why"
        )
    with matplotlib.rc_context(STYLE):
        caption = (
            f"{_data_line(dataset)}. {recipe_line(study.recipe)}.\n"
            f"{summary['cell_id'].nunique()} networks of one replicate each; the front "
            "is chosen on validation images, test images choose nothing."
        )
        title = f"Search on {dataset.name}: accuracy against size"
        figure, [axes] = new_figure(1, title, caption)
        draw_front(axes, summary, summary["front"])
    folder = _write(results, study, {"runs": runs, "summary": summary}, figure)
    best = summary[summary["front"]].sort_values("bytes_fp32").iloc[-1]
    weights = weights_folder(store, int(best["run_id"]))
    return Report(folder, folder / "figure.png", summary, weights=weights)


def _frames(store: Store, study: StudyRecord) -> tuple[pd.DataFrame, pd.DataFrame]:
    runs = view(store, "runs", study.name)
    return runs, summarise(runs, view(store, "cells", study.name))


def _size_figure(
    experiment: Experiment,
    dataset: Dataset,
    caption: str,
    summary: pd.DataFrame,
    labels: Sequence[str],
    table: pd.DataFrame | None,
) -> Figure:
    published = PUBLISHED.get(experiment.published or "", ())
    joined = experiment.varied in ("sr", "pct_3x3")
    panels = 2 if published or table is not None else 1
    figure, axes = new_figure(panels, experiment.title, caption)
    draw_measured(axes[0], size_marks(summary, labels), joined=joined)
    width = f", base_e = incr_e = {summary['base_e'].iloc[0]}"
    varies_width = experiment.varied in ("base_e", "incr_e")
    axes[0].set_title(f"This run: {dataset.name}{'' if varies_width else width}")
    if published:
        names = [published_label(experiment.varied, p.value) for p in published]
        draw_published(axes[1], published_marks(published, names), joined=joined)
        axes[1].set_title(f"The paper's {experiment.published}: base_e = 128")
    elif table is not None:
        draw_layers(axes[1], table)
        axes[1].set_title(f"Table 1: {TABLE_1_TOTAL:,} parameters")
    return figure


def _caption(
    study: StudyRecord, dataset: Dataset, runs: pd.DataFrame, summary: pd.DataFrame
) -> str:
    least, most = summary["replicates"].min(), summary["replicates"].max()
    counted = f"{least}" if least == most else f"{least} to {most}"
    interval = (
        "bars: 95 % interval of the mean, deviation pooled over cells"
        if summary["test_low"].notna().any()
        else "one replicate gives no interval"
    )
    untrained = summary["untrained"].sum()
    failed = f" {untrained} of {len(runs)} runs stayed at chance." if untrained else ""
    moved = (
        " In brackets: the share of 3x3 filters once widths are whole numbers."
        if any(map(rounding_moves_pct_3x3, points(summary)))
        else ""
    )
    return (
        f"{_data_line(dataset)}. {recipe_line(study.recipe)}.\n"
        f"{counted} replicates a cell; {interval}.{failed}{moved}"
    )


def _data_line(dataset: Dataset) -> str:
    height, width, _ = dataset.image_shape
    return (
        f"{dataset.name}: {len(dataset.train):,} train (a tenth of them for "
        f"validation) and {len(dataset.test):,} test images of {width}x{height}"
    )


def recipe_line(recipe: Recipe) -> str:
    """A recipe in a line."""
    augmentation = [f"crop ±{recipe.crop_padding}"] if recipe.crop_padding else []
    augmentation += ["mirror"] if recipe.mirror else []
    more = (
        [f"{recipe.schedule} decay of the rate"] if recipe.schedule != "linear" else []
    )
    if recipe.label_smoothing:
        more.append(f"labels smoothed by {recipe.label_smoothing:g}")
    if recipe.dropout is not None:
        more.append(f"dropout {recipe.dropout:g}")
    if recipe.initializer is not None:
        more.append(f"{recipe.initializer} initialisation")
    main = (
        f"SGD, {recipe.epochs} epochs, batch {recipe.batch_size}, peak rate "
        f"{recipe.peak_learning_rate:g}, momentum {recipe.momentum:g}, decay "
        f"{recipe.weight_decay:g}, {' and '.join(augmentation) or 'no augmentation'}"
    )
    return ", ".join([main, *more])


def paper_table_1(metaparameters: Metaparameters) -> pd.DataFrame:
    """Table 1 at the paper's own settings beside the printed parameter counts."""
    rows = table_1(metaparameters, squeezenet(metaparameters))
    return pd.DataFrame(
        [
            {
                "layer": row.name,
                "output": "x".join(map(str, row.output)),
                "filter": row.filter,
                "s1x1": row.fire.s1x1 if row.fire else None,
                "e1x1": row.fire.e1x1 if row.fire else None,
                "e3x3": row.fire.e3x3 if row.fire else None,
                "params": row.params,
                "printed": TABLE_1_PARAMS.get(row.name),
            }
            for row in rows
        ]
    ).astype(dict.fromkeys(("s1x1", "e1x1", "e3x3", "printed"), "Int64"))


def _write(
    results: Path,
    study: StudyRecord,
    tables: dict[str, pd.DataFrame],
    figure: Figure,
) -> Path:
    """Write everything under other names first, so that no half of a file is left."""
    folder = results / study.experiment / f"{study.dataset}-{study.preset}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, table in tables.items():
            _replace(folder / f"{name}.csv", partial(table.to_csv, index=False))
        runs = tables["runs"]
        _replace(folder / "runs.parquet", partial(runs.to_parquet, index=False))
        text = json.dumps(configuration(study, runs), indent=2) + "\n"
        _replace(folder / "config.json", partial(Path.write_text, data=text))
        _replace(folder / "figure.png", partial(figure.savefig, format="png", dpi=200))
        undated = {"Date": None}
        with matplotlib.rc_context(STYLE):
            _replace(
                folder / "figure.svg",
                partial(figure.savefig, format="svg", metadata=undated),
            )
    except OSError as error:
        raise DseError(
            f"cannot write the report to {folder}: {error.strerror or error}; the runs "
            "are in the database, so repeat the command when that is mended"
        ) from error
    return folder


def _replace(file: Path, write: Callable[[Path], object]) -> None:
    unfinished = file.with_name(f".{file.name}.partial")
    try:
        write(unfinished)
        unfinished.replace(file)
    finally:
        unfinished.unlink(missing_ok=True)


def configuration(study: StudyRecord, runs: pd.DataFrame) -> dict[str, object]:
    """What made the runs: recipe, versions, devices."""
    return {
        "study": study.name,
        "dataset": study.dataset,
        "dataset_fingerprint": study.dataset_fingerprint,
        "preset": study.preset,
        "replicates": study.replicates,
        "recipe": study.recipe.to_json(),
        "devices": sorted(runs["device"].dropna().unique().tolist()),
        "code_versions": sorted(runs["code_version"].unique().tolist()),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in PACKAGES},
    }
