"""Trainings of a set in memory go on where they were interrupted."""

import errno
import shutil
import sys
from dataclasses import replace
from types import SimpleNamespace

import jax
import numpy as np
import pytest
from interruption import Killed, steps_in, told, truncate
from orbax.checkpoint import v1 as orbax

from dse.data.dataset import Images
from dse.errors import DseError
from dse.families.squeezenet import SqueezeNet
from dse.runs.cell import Cell
from dse.runs.events import Checkpointed, Done, EpochEnded, Failed
from dse.runs.paths import checkpoints_of
from dse.runs.recipe import Recipe
from dse.train import checkpoint, loop, memory, program
from dse.train.members import Saving
from dse.train.memory import MemoryFeed
from dse.train.run import Trainer
from dse.train.stacked import StackedTraining
from dse.train.stepped import SteppedTraining

RECIPE = Recipe(5, 0.05, batch_size=16, warmup_share=0.2, crop_padding=1, dropout=0.1)
STEPS = 7
"""An epoch: 116 of 128 images train."""


@pytest.fixture(scope="module")
def few(tiny):
    """Fewer images: an epoch in a moment."""
    train = Images(tiny.train.pixels[:128], tiny.train.labels[:128])
    return replace(tiny, fingerprint="few", train=train)


@pytest.fixture(scope="module")
def cell(few):
    network = SqueezeNet(8, 8, sr=0.5).architecture(few.image_shape, few.classes)
    return Cell(network, RECIPE, few.name, few.fingerprint, few.class_names)


@pytest.fixture(params=["stepped", pytest.param("stacked", marks=pytest.mark.slow)])
def form(request, monkeypatch):
    monkeypatch.setattr(program, "form_for", lambda _: request.param)
    return request.param


@pytest.fixture
def stacked(monkeypatch):
    monkeypatch.setattr(program, "form_for", lambda _: "stacked")


@pytest.fixture(scope="module")
def programs():
    """What was compiled, by form and size of the stack."""
    return {}


@pytest.fixture(autouse=True)
def _compile_once(programs, monkeypatch):
    real = memory.compile_program

    def compile_program(cell, images, train_size, batch, replicates, **named):
        key = program.form_for("cpu"), program.stack_size(replicates)
        if key not in programs:
            programs[key] = real(cell, images, train_size, batch, replicates, **named)
        return programs[key]

    monkeypatch.setattr(memory, "compile_program", compile_program)


@pytest.fixture
def train(few, cell):
    """Train replicates, until an event if asked, with a checkpoint every epoch."""

    def train(folder, replicates=(0,), until=lambda _: False, seconds=0.0):
        trainer = Trainer(MemoryFeed(few), folder, Saving(seconds))
        events = []
        for event in trainer.train(cell, replicates):
            events.append(event)
            if until(event):
                break
        trainer.close()
        return events

    return train


def is_at(kind, epoch, replicate=0):
    """Whether an event is of this kind, epoch and replicate."""
    return lambda event: (
        isinstance(event, kind) and (event.epoch, event.replicate) == (epoch, replicate)
    )


def before_epoch(monkeypatch, number, do):
    """Have something done when a training comes to an epoch."""
    for training in (SteppedTraining, StackedTraining):
        real = training.advance

        def advance(self, epoch, stop, real=real):
            if epoch == number:
                do()
            return real(self, epoch, stop)

        monkeypatch.setattr(training, "advance", advance)


def kill():
    raise Killed


def replayed(events, replicate=0):
    """The epochs that were not trained this time."""
    return [
        event.epoch
        for event in events
        if isinstance(event, EpochEnded)
        and event.replayed
        and event.replicate == replicate
    ]


def kept(events, replicate=0):
    """The epochs that a run was said to go on from."""
    return [
        event.epoch
        for event in events
        if isinstance(event, Checkpointed) and event.replicate == replicate
    ]


def test_a_killed_run_ends_with_the_same_bits(train, tmp_path, monkeypatch, form):
    undisturbed = train(None, (0, 1))
    with monkeypatch.context() as patch:
        before_epoch(patch, 4, kill)
        with pytest.raises(Killed):
            train(tmp_path, (0, 1))
    again = train(tmp_path, (0, 1))
    assert replayed(undisturbed) == []
    assert replayed(again) == [1, 2, 3]
    assert kept(again) == [4, 5]
    assert told(again) == told(undisturbed)
    # Time that was spent before counts as the epochs that were trained then do.
    done = next(event for event in again if isinstance(event, Done))
    seconds = [e.seconds for e in again if isinstance(e, EpochEnded)][:5]
    if form == "stepped":
        assert done.step_seconds == pytest.approx(sum(seconds))
    assert done.train_seconds > done.step_seconds > 0


# Orbax reads arrays at once and is heard of the first that fails alone.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_torn_checkpoint_leaves_the_one_before(train, cell, tmp_path, capsys):
    undisturbed = train(tmp_path / "other")
    train(tmp_path, until=is_at(Checkpointed, 4))
    folder = checkpoints_of(tmp_path, cell.id, 0)
    assert steps_in(folder) == [3 * STEPS, 4 * STEPS]
    truncate(folder / str(4 * STEPS))
    again = train(tmp_path)
    assert replayed(again) == [1, 2, 3]
    assert told(again) == told(undisturbed)
    for step in steps_in(folder):
        shutil.rmtree(folder / str(step) / "state")
    again = train(tmp_path)
    assert replayed(again) == []
    assert told(again) == told(undisturbed)
    assert capsys.readouterr().err.count("cannot be read") == 3


@pytest.mark.parametrize("number", [errno.EMFILE, errno.EACCES, errno.ESTALE])
def test_a_checkpoint_that_cannot_be_opened_now_is_kept(
    train, cell, tmp_path, monkeypatch, number
):
    train(tmp_path, until=is_at(Checkpointed, 4))

    def fail(*_, **__):
        raise OSError(number, "not now")

    kept_steps = steps_in(checkpoints_of(tmp_path, cell.id, 0))
    with monkeypatch.context() as patch:
        kind = orbax.training.Checkpointer
        patch.setattr(kind, "load_checkpointables", fail)
        with pytest.raises(DseError, match="not now; repeat the command when"):
            train(tmp_path)
    assert steps_in(checkpoints_of(tmp_path, cell.id, 0)) == kept_steps


def test_progress_of_another_version_counts_as_torn(
    train, cell, tmp_path, monkeypatch, capsys
):
    with monkeypatch.context() as patch:
        patch.setattr(
            checkpoint,
            "asdict",
            lambda _: {
                "ended": [{"flavour": 1}],
                "train_seconds": 0.0,
                "epoch_seconds": 0.0,
            },
        )
        train(tmp_path, until=is_at(Checkpointed, 2))
    assert replayed(train(tmp_path)) == []
    assert capsys.readouterr().err.count("cannot be read") == 2


def test_a_short_run_writes_nothing_and_does_without_orbax(
    train, tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, "orbax.checkpoint", None)
    assert isinstance(train(tmp_path, seconds=memory.CHECKPOINT_SECONDS)[-1], Done)
    assert not list(tmp_path.iterdir())
    with pytest.raises(ModuleNotFoundError):
        train(tmp_path)


def test_a_checkpoint_is_due_when_the_last_is_old(train, tmp_path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(loop, "time", SimpleNamespace(perf_counter=lambda: now[0]))
    for epoch in (1, 2, 3, 4, 5):
        before_epoch(monkeypatch, epoch, lambda: now.__setitem__(0, now[0] + 10.0))
    events = train(tmp_path, until=is_at(EpochEnded, 5), seconds=20.0)
    assert kept(events) == [2, 4]
    # What a run that goes on took before counts.
    [*again, done] = train(tmp_path, seconds=10.0)
    assert replayed(again) == [1, 2, 3, 4]
    assert kept(again) == [5]
    assert done.train_seconds == done.step_seconds == 50


def test_a_checkpoint_that_cannot_be_written_is_told(train, tmp_path):
    (tmp_path / "checkpoints").write_text("a file in its place")
    with pytest.raises(DseError, match="cannot write a checkpoint"):
        train(tmp_path)


@pytest.mark.slow
def test_a_stack_goes_on_from_what_all_have_kept(train, cell, tmp_path, stacked):
    undisturbed = train(None, (0, 1))
    train(tmp_path, (0, 1), until=is_at(Checkpointed, 3, replicate=0))
    folders = [checkpoints_of(tmp_path, cell.id, number) for number in (0, 1)]
    assert list(map(steps_in, folders)) == [[2 * STEPS, 3 * STEPS], [STEPS, 2 * STEPS]]
    again = train(tmp_path, (0, 1))
    for number in (0, 1):
        assert replayed(again, number) == [1, 2]
        assert kept(again, number) == [3, 4, 5]
    assert told(again) == told(undisturbed)


@pytest.fixture
def diverging(monkeypatch):
    """The loss of replicate 1 of a stack of two is no number from epoch 2 on."""
    real = StackedTraining.advance

    def advance(self, epoch, stop):
        first, *others = real(self, epoch, stop)
        if epoch < 2:
            return [first, *others]
        return [first, *(o._replace(loss=np.float32(np.nan)) for o in others)]

    monkeypatch.setattr(StackedTraining, "advance", advance)


@pytest.mark.slow
def test_a_diverged_member_is_told_again_unless_that_was_heard(
    train, cell, tmp_path, stacked, diverging
):
    undisturbed = train(None, (0, 1))
    [failed] = [event for event in undisturbed if isinstance(event, Failed)]
    assert (failed.replicate, failed.reason) == (1, "diverged")
    # Killed before anybody heard of the failure: both are still to be done.
    train(tmp_path, (0, 1), until=lambda event: isinstance(event, Failed))
    events = train(tmp_path, (0, 1), until=is_at(EpochEnded, 4))
    assert replayed(events, 0) == replayed(events, 1) == [1]
    assert failed in events
    # Killed later: it has ended, and its checkpoints are not written any more.
    assert (kept(events, 0), kept(events, 1)) == ([2, 3], [])
    shutil.rmtree(checkpoints_of(tmp_path, cell.id, 1))
    *again, done = train(tmp_path, (0,))
    assert replayed(again, 0) == [1, 2, 3]
    expected = undisturbed[-1]
    for split, values in expected.metrics.items():
        assert done.metrics[split] == pytest.approx(values, rel=2e-3)
    for one, other in zip(
        jax.tree.leaves(done.weights), jax.tree.leaves(expected.weights), strict=True
    ):
        np.testing.assert_allclose(one, other, rtol=2e-3, atol=2e-4)
    assert not checkpoints_of(tmp_path, cell.id, 1).exists()
