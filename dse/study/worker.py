"""A worker process: a dataset first, then jobs in and events out, over one pipe."""

import os
import sys
import traceback
from multiprocessing.connection import Connection

from dse.study.executors import Job, JobEnded
from dse.train.events import Failed


def main(file_number: int) -> None:
    """Serve the driver at the other end until it is gone."""
    driver: Connection = Connection(file_number)
    try:
        serve(driver)
    except (EOFError, ConnectionError):
        # The driver is gone: nobody waits for the rest. Skip interpreter shutdown,
        # in which XLA's threads can hang.
        os._exit(0)


def serve(driver: Connection) -> None:
    """Train one job after the other."""
    dataset = driver.recv()
    while True:
        job: Job = driver.recv()
        pending = list(job.replicates)
        try:
            from dse.train.run import train

            for event in train(job.cell, job.replicates, dataset):
                driver.send(event)
                if type(event).__name__ in ("Done", "Failed"):
                    pending.remove(event.replicate)
        except (EOFError, ConnectionError):
            raise
        except Exception as error:  # noqa: BLE001 - reported as the run's failure
            traceback.print_exc()
            line = f"{type(error).__name__}: {error}".splitlines()[0]
            for replicate in pending:
                driver.send(Failed(job.cell.id, replicate, "error", line))
        driver.send(JobEnded())


if __name__ == "__main__":
    main(int(sys.argv[1]))
