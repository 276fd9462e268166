import pytest

from dse.errors import DseError
from dse.runs.run_state import RunState
from dse.study.tries import Tries, holes


def failed(reason, tries=1):
    return RunState("failed", reason, None, tries)


def test_what_is_tried_again_and_how_often():
    tries = Tries()
    assert not tries.ended(None)
    assert not tries.ended(RunState("running", None, None))
    assert tries.ended(RunState("complete", None, 0.9))
    for reason in ("lost", "error", "memory", "hung"):
        assert not tries.ended(failed(reason, 1))
        assert not tries.ended(failed(reason, 2))
        assert tries.ended(failed(reason, 3))
    for reason in ("diverged", "untrained"):
        assert tries.ended(failed(reason))


def test_which_failures_are_tried_again_is_a_setting():
    tries = Tries(2, ("diverged",))
    assert not tries.ended(failed("diverged", 1))
    assert tries.ended(failed("diverged", 2))
    assert tries.ended(failed("lost", 1))
    # More tries than a finished sweep had go on from there.
    assert not Tries(5, ("diverged",)).ended(failed("diverged", 2))


def test_holes_are_what_the_training_is_not_to_blame_for():
    states = [failed("lost"), failed("untrained"), failed("error"), failed("lost")]
    assert holes([*states, RunState("complete", None, 0.9)]) == {"lost": 2, "error": 1}


def test_bad_settings():
    with pytest.raises(
        DseError, match="tries is 0; expected a whole number from 1 to 10,000"
    ):
        Tries(0)
    with pytest.raises(DseError, match="no failure has the reason 'bored'"):
        Tries(2, ("bored",))
