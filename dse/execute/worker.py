"""Worker process: it receives a setting, then jobs, and sends events over one pipe."""

import contextlib
import os
import threading
import time
import traceback
from multiprocessing.connection import Connection

from dse.errors import DseError, first_line
from dse.execute.guarded import train_guarded
from dse.execute.imports import origins
from dse.execute.jobs import JobEnded, Ready, Setting, Unable
from dse.machine import offer_to_the_kernel
from dse.runs.events import EpochEnded
from dse.runs.runlog import RunLogs
from dse.runs.weights import Keeper
from dse.train.trainers import trainer_for

WATCH_SECONDS = 0.5


def main(file_number: int, driver_number: int) -> None:
    """Serve the driver until it is gone.

    Args:
        file_number: file descriptor of the pipe to the driver.
        driver_number: process id of the driver.
    """
    offer_to_the_kernel()
    watching = threading.Thread(target=_end_with, args=(driver_number,), daemon=True)
    watching.start()
    driver: Connection = Connection(file_number)
    try:
        serve(driver)
    except (EOFError, ConnectionError):
        pass
    except Exception as error:  # noqa: BLE001 - sent to the driver, printed in full
        traceback.print_exception(error)
        with contextlib.suppress(ConnectionError):
            driver.send(Unable(_said(error)))
    _exit()


def serve(driver: Connection) -> None:
    """Get ready, then do one job after the other until the pipe ends.

    Raises:
        Exception: a cause that would stop other workers too, such as a missing
            package or device.
    """
    setting: Setting = driver.recv()
    trainer = trainer_for(setting.dataset, setting.folder)
    logs = RunLogs(setting.folder, redirect=True)
    keeper = Keeper(setting.folder, setting.keeps_weights)
    driver.send(Ready(origins()))
    while True:
        job, upcoming = driver.recv()
        for event in train_guarded(trainer, job, logs, keeper):
            driver.send(event)
            if upcoming is not None and isinstance(event, EpochEnded):
                trainer.prepare(upcoming.cell, upcoming.replicates)
        driver.send(JobEnded())


def _said(error: Exception) -> str:
    if isinstance(error, DseError):
        return str(error)
    return f"{type(error).__name__}: {first_line(error)}"


def _end_with(driver: int) -> None:
    """End this process when the driver ends, even in the middle of a long epoch.

    Another driver may begin the same run again, and both would share checkpoints.
    """
    while os.getppid() == driver:
        time.sleep(WATCH_SECONDS)
    _exit()


def _exit() -> None:
    """Exit without Python's shutdown, in which XLA's threads can hang."""
    os._exit(0)
