"""Training that never raises: what goes wrong is a failed run with its reason."""

import sys
import traceback
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from dse.train.cell import Cell
from dse.train.events import Done, Event, Failed

if TYPE_CHECKING:
    from dse.train.trainers import CellTrainer


def train_guarded(
    trainer: "CellTrainer", cell: Cell, replicates: Sequence[int]
) -> Iterator[Event]:
    """As `CellTrainer.train`; an error fails the replicates that had not ended.

    The traceback goes to standard error, which a worker keeps in its log.
    """
    pending = list(replicates)
    try:
        for event in trainer.train(cell, replicates):
            if isinstance(event, Done | Failed):
                pending.remove(event.replicate)
            yield event
    except Exception as error:  # noqa: BLE001 - reported as the runs' failure
        traceback.print_exc(file=sys.stderr)
        line = f"{type(error).__name__}: {error}".splitlines()[0]
        for replicate in pending:
            yield Failed(cell.id, replicate, "error", line)
