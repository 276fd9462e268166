"""A worker process: a setting first, then jobs in and events out, over one pipe."""

import os
import sys
import threading
import time
from multiprocessing.connection import Connection

from dse.study.jobs import JobEnded, Setting
from dse.study.resources import offer_to_the_kernel

WATCH_SECONDS = 0.5


def main(file_number: int, driver_number: int) -> None:
    """Serve the driver at the other end until it is gone.

    Args:
        file_number: the file descriptor of the pipe to it.
        driver_number: its process id.
    """
    offer_to_the_kernel()
    watching = threading.Thread(target=_end_with, args=(driver_number,), daemon=True)
    watching.start()
    driver: Connection = Connection(file_number)
    try:
        # Before JAX is imported: the driver waits for it.
        setting: Setting = driver.recv()
        serve(driver, setting)
    except (EOFError, ConnectionError):
        _exit()


def serve(driver: Connection, setting: Setting) -> None:
    """Do one job after the other, compiling the next; it ends when the pipe does."""
    from dse.study.guard import train_guarded
    from dse.train.events import EpochEnded
    from dse.train.runlog import RunLogs
    from dse.train.trainers import trainer_for

    trainer = trainer_for(setting.dataset, setting.folder)
    logs = RunLogs(setting.folder, redirect=True)
    while True:
        job, upcoming = driver.recv()
        for event in train_guarded(trainer, job, logs):
            driver.send(event)
            if upcoming is not None and isinstance(event, EpochEnded):
                trainer.prepare(upcoming.cell, upcoming.replicates)
        driver.send(JobEnded())


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
