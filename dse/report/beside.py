"""What stands beside the points of a summary: how much smaller, a source's numbers."""

from collections.abc import Sequence

import pandas as pd

from dse.analysis.statistics import MEASURED_BYTES, size_column
from dse.study.experiment import Experiment


def headings_beside(experiment: Experiment) -> tuple[str, ...]:
    """Headings of the source's numbers, each once."""
    own = experiment.beside.values()
    return tuple(dict.fromkeys(heading for numbers in own for heading in numbers))


def with_beside(
    summary: pd.DataFrame, names: Sequence[str], experiment: Experiment
) -> pd.DataFrame:
    """Add how many times smaller files are than the first point's, and its numbers.

    Where nothing is compressed and no numbers are given, the summary stays as it is.
    """
    added = {}
    if (size := size_column(summary)) == MEASURED_BYTES:
        added["times_smaller"] = summary[size].iloc[0] / summary[size]
    for heading in headings_beside(experiment):
        found = [experiment.beside.get(name, {}).get(heading) for name in names]
        added[heading] = pd.Series(found, summary.index, dtype="float64")
    return summary.assign(**added)
