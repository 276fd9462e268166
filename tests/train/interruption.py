"""What tests of interrupted trainings share."""

import numpy as np

from dse.runs.events import Checkpointed, Done, EpochEnded


class Killed(BaseException):
    """What no handler in the product catches."""


def told(events):
    """What a run told, less what a clock decides: checkpoints, and times."""
    return [
        without_times(event) for event in events if not isinstance(event, Checkpointed)
    ]


def without_times(event):
    """An event, less what a clock decides."""
    if isinstance(event, EpochEnded):
        return (event.replicate, event.epoch, event.metrics, event.images)
    if isinstance(event, Done):
        flat = [
            np.asarray(array).tobytes()
            for layer in sorted(event.weights)
            for _, array in sorted(event.weights[layer].items())
        ]
        return (event.replicate, event.metrics, flat)
    return event


def truncate(checkpoint):
    """Tear a checkpoint: of its values only the first bytes are left."""
    for file in (checkpoint / "state" / "d").iterdir():
        file.write_bytes(file.read_bytes()[:10])


def steps_in(folder):
    """The steps of the checkpoints in a run's folder."""
    return sorted(int(kept.name) for kept in folder.iterdir())
