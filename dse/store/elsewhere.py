"""Enter networks that were trained elsewhere, as complete runs without a score."""

import datetime

from sqlalchemy import insert, select

from dse.runs.events import Done
from dse.runs.records import Point, StudyRecord
from dse.runs.weights import save_weights
from dse.store.database import Store
from dse.store.enter import register_points, register_study
from dse.store.schema import artifacts, runs
from dse.version import code_version

ELSEWHERE = "elsewhere-"
"""How the fingerprint of images begins that are not known here."""


def enter_elsewhere(
    store: Store, study: StudyRecord, point: Point, done: Done
) -> tuple[int, bool]:
    """Enter the only run of a study whose network was trained elsewhere.

    Args:
        store: the database.
        study: the study's record.
        point: its network.
        done: the weights, with the file that is to be kept.

    Returns:
        The run's id, and whether it is new.

    Raises:
        DseError: the study is there with another network.
    """
    register_study(store, study)
    register_points(store, study.name, [point])
    query = select(runs.c.id).where(
        runs.c.cell_id == done.cell_id, runs.c.replicate == done.replicate
    )
    with store.reading() as connection:
        known = connection.execute(query).scalar()
    if known is not None:
        return int(known), False
    begun = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
    kept = save_weights(store.place.own, done, begun)
    values = {
        "cell_id": done.cell_id,
        "replicate": done.replicate,
        "seed": study.recipe.seed,
        "status": "complete",
        "detail": "trained elsewhere",
        "epochs": 0,
        "tries": 1,
        "code_version": code_version(),
        "created_at": begun,
        "bytes": done.size,
    }
    with store.writing(lasting=True) as connection:
        entered = insert(runs).values(**values).returning(runs.c.id)
        run_id = int(connection.execute(entered).scalar_one())
        connection.execute(
            insert(artifacts).values(
                run_id=run_id, kind="weights", path=kept.path, hash=kept.hash
            )
        )
    return run_id, True
