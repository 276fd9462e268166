"""A worker process: a dataset first, then jobs in and events out, over one pipe."""

import os
import sys
from multiprocessing.connection import Connection

from dse.study.executors import Job, JobEnded
from dse.train.guard import train_guarded


def main(file_number: int) -> None:
    """Serve the driver at the other end until it is gone."""
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
        # The driver is gone: nobody waits for the rest. Skip interpreter shutdown,
        # in which XLA's threads can hang.
        os._exit(0)


if __name__ == "__main__":
    main(int(sys.argv[1]))
