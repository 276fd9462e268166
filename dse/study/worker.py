"""A worker process: a dataset first, then jobs in and events out, over one pipe."""

import os
import sys
import threading
import time
from multiprocessing.connection import Connection

from dse.study.executors import Job, JobEnded
from dse.train.guard import train_guarded

WATCH_SECONDS = 0.5


def main(file_number: int, driver_number: int) -> None:
    """Serve the driver at the other end until it is gone.

    Args:
        file_number: the file descriptor of the pipe to it.
        driver_number: its process id.
    """
    watching = threading.Thread(target=_end_with, args=(driver_number,), daemon=True)
    watching.start()
    driver: Connection = Connection(file_number)
    try:
        # Before JAX is imported: the driver waits for it.
        dataset, folder = driver.recv()
        from dse.train.trainers import trainer_for

        trainer = trainer_for(dataset, folder)
        while True:
            job: Job = driver.recv()
            for event in train_guarded(trainer, job.cell, job.replicates):
                driver.send(event)
            driver.send(JobEnded())
    except (EOFError, ConnectionError):
        _exit()


def _end_with(driver: int) -> None:
    """End when the driver does, also within an epoch of hours.

    Another driver may begin the same run anew, and the two would share checkpoints.
    """
    while os.getppid() == driver:
        time.sleep(WATCH_SECONDS)
    _exit()


def _exit() -> None:
    """Skip Python's shutdown, in which XLA's threads can hang: nobody waits for it."""
    os._exit(0)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
