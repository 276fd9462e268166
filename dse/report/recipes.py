"""Report on an experiment that compares recipes: their table and figure."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from dse.analysis.plotting import drawing, new_figure
from dse.analysis.recipes import compare_recipes, draw_recipes
from dse.data.dataset import ImageData
from dse.errors import DseError
from dse.report.captions import counted, data_line, recipe_line
from dse.report.folder import write_report
from dse.report.result import Report
from dse.runs.records import StudyRecord
from dse.store.database import Store
from dse.store.query import view
from dse.study.experiment import Experiment
from dse.study.widths import chosen_widths, widths_line


def report_recipes(
    store: Store,
    studies: Mapping[str, StudyRecord],
    experiment: Experiment,
    dataset: ImageData,
    folder: Path,
) -> Report:
    """Write all runs, the gain of each recipe over the first, and the figure.

    Args:
        store: the database.
        studies: studies by arm; the others are compared with the first.
        experiment: the experiment that has these arms.
        dataset: the dataset that they trained on.
        folder: where to write.

    Raises:
        DseError: no run is complete, or a file cannot be written.
    """
    runs = pd.concat(
        [
            view(store, "runs", study.name).assign(arm=arm)
            for arm, study in studies.items()
        ]
    )
    if not (runs["status"] == "complete").any():
        raise DseError(f"no run of {experiment.title} was trained to the end")
    arm, study = next(iter(studies.items()))
    first = study.recipe
    summary = compare_recipes(runs.drop_duplicates(["arm", "cell_id", "replicate"]))
    changes = [study.recipe.changes_from(first) for study in studies.values()]
    summary.insert(1, "changes", changes)
    networks = counted(str(runs["arch_id"].nunique()), "network")
    replicates = counted(str(study.replicates), "replicate")
    widths = widths_line(experiment, study.preset)
    bars = (
        "dots: differences, of too few runs for an interval."
        if summary["low"].isna().all()
        else "bars: intervals of paired differences, each end of which errs in 5 % "
        "over their number."
    )
    with drawing():
        caption = (
            f"{data_line(dataset)}. {arm}: {recipe_line(first)}.\n"
            f"{networks}, {widths}; {replicates}, sweep seed {first.seed}; {bars}"
        )
        figure, [axes] = new_figure(1, experiment.title, caption, width=7.5)
        draw_recipes(axes, summary)
    tables = {"runs": runs, "summary": summary}
    chosen = chosen_widths(experiment, study.preset)
    figures = {"figure": figure}
    write_report(folder, list(studies.values()), dataset, tables, figures, chosen)
    return Report(folder, summary, summary["arm"].tolist(), "recipes", widths=widths)
