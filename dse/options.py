"""Options of a sweep or a search, composed of the settings of their parts."""

from dataclasses import dataclass

from dse.bounds import MOST_REPLICATES
from dse.data.layout import Named
from dse.execute.execution import Execution
from dse.fields import flag, text, whole
from dse.store import DEFAULT_STORAGE
from dse.study.tries import Tries


@dataclass(frozen=True)
class Options(Execution, Tries, Named, name="options"):
    """How to run it; an option that is None is chosen automatically."""

    dataset: str | None = text(
        None, "the embedded set, a folder, or a hub id; by default the preset's"
    )  # fmt: skip
    preset: str | None = text(
        None,
        "by default the experiment's first: quick (minutes on two cores), narrow "
        "(hours), full (the published width, for a GPU) or imagenet",
    )
    seeds: int | None = whole(
        None, "replicates of each cell; by default the preset's", most=MOST_REPLICATES
    )
    storage: str = text(DEFAULT_STORAGE, "database URL", secret=True)
    weights: bool = flag(True, "whether to keep the weights of completed runs")
    shard: str | None = text(
        None,
        "I/N for the I-th of N parts of what there is to train, each with a database "
        "of its own, which dse import brings together",
    )
