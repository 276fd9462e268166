"""What is begun, ended and left of a job, and the queue that jobs wait in."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from dse.execute.jobs import Assignment, Job, JobQueue
from dse.runs.cell import Cell
from dse.runs.events import Done, Failed, Started


class FakeCell:
    """All that a queue asks of a cell."""

    def __init__(self, name):
        self.id = name


def job(name="a", replicates=(0, 1, 2)) -> Job:
    cell: Cell = FakeCell(name)  # type: ignore[assignment]
    return Job(cell, replicates)


def done(replicate):
    return Done("a", replicate, {}, 0.0, 0.0, 0.0, {})


def test_a_queue_gives_what_is_put_back_first():
    first, second = job("a"), job("b")
    queue = JobQueue([first, second])
    assert queue.following() is first
    assert queue.take() is first
    queue.put_back(first)
    assert [queue.take() for _ in range(3)] == [first, second, None]
    # One that was empty goes on.
    queue.put_back(second)
    assert queue.take() is second
    assert set(queue.cells) == {"a", "b"}


def test_a_job_is_equipped_when_it_is_taken_and_again_when_it_comes_back():
    equipped = []

    def equip(job):
        equipped.append(job.replicates)
        return replace(job, parents=dict.fromkeys(job.replicates, b"file"))

    queue = JobQueue([job(replicates=(0, 1))], equip=equip)
    assert queue.following().parents == {}
    assignment = Assignment(queue.take())
    assert assignment.job.parents == {0: b"file", 1: b"file"}
    assignment.hear(Started("a", 0, "cpu"))
    assignment.hear(done(0))
    queue.put_back_rest(assignment)
    assert queue.take().parents == {1: b"file"}
    assert equipped == [(0, 1), (1,)]


def test_a_closed_queue_gives_nothing():
    closed = []
    queue = JobQueue([job(), job()], closed=lambda: bool(closed))
    assert queue.take() is not None
    closed.append(True)
    assert queue.following() is None
    assert queue.take() is None


def test_of_a_lost_job_what_began_has_failed_and_the_rest_is_left():
    assignment = Assignment(job())
    assignment.hear(Started("a", 0, "cpu"))
    assignment.hear(done(0))
    assignment.hear(Started("a", 1, "cpu"))
    assert assignment.fail("lost", "why") == [Failed("a", 1, "lost", "why")]
    assert assignment.rest == Job(assignment.job.cell, (2,))


def test_a_stack_fails_together():
    assignment = Assignment(job())
    for replicate in (0, 1, 2):
        assignment.hear(Started("a", replicate, "gpu"))
    assignment.hear(done(1))
    assert [e.replicate for e in assignment.fail("memory", "")] == [0, 2]
    assert assignment.rest is None


def test_a_job_that_is_lost_before_it_began_does_not_come_back_for_ever():
    assignment = Assignment(job())
    started, failed = assignment.fail("lost", "at once")
    assert started == Started("a", 0, "unknown")
    assert failed == Failed("a", 0, "lost", "at once")
    assert assignment.rest.replicates == (1, 2)


@given(
    replicates=st.integers(1, 4),
    begun=st.integers(0, 4),
    ended=st.integers(0, 4),
)
def test_every_run_ends_or_is_left(replicates, begun, ended):
    """One after the other, cut off anywhere."""
    begun = min(begun, replicates)
    ended = min(ended, begun)
    assignment = Assignment(job(replicates=tuple(range(replicates))))
    for replicate in range(begun):
        assignment.hear(Started("a", replicate, "cpu"))
        if replicate < ended:
            assignment.hear(done(replicate))
    failed = [e.replicate for e in assignment.fail("lost", "") if isinstance(e, Failed)]
    left = assignment.rest.replicates if assignment.rest else ()
    assert sorted([*range(ended), *failed, *left]) == list(range(replicates))
    # It never stays as it is.
    assert failed or ended == replicates
