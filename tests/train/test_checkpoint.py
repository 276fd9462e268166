"""Checkpoints by themselves: what is read back, and what is not."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from interruption import steps_in, truncate

from dse.errors import DseError
from dse.runs.events import EpochEnded
from dse.runs.paths import checkpoints_of
from dse.train.checkpoint import Checkpoints, Progress, checkpoints_in, restore
from dse.train.state import TrainState, no_totals

# Orbax reads arrays at once and is heard of the first that fails alone.
pytestmark = pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"
)


def state_at(step, size=3):
    """Numbers without a pattern: nothing of them is compressed."""
    values = np.random.default_rng(step).integers(2**32, size=(size, size), dtype="u4")
    weights = {"conv1": {"kernel": jnp.asarray(values)}}
    return TrainState(weights, (), no_totals(), jnp.int32(step), {})


def progress_at(step):
    metrics = {"train": {"loss": 0.1 * step}, "validation": {"loss": float("inf")}}
    ended = EpochEnded("cell", 0, step, metrics, 100, 0.1)
    return Progress((ended,), train_seconds=0.3 * step, epoch_seconds=0.7)


def keep(folder, steps, replicate=0, size=3):
    """Have a run leave checkpoints; the folder in which they lie."""
    with checkpoints_in(folder, "cell", (replicate,)) as [kept]:
        for step in steps:
            kept.save(state_at(step, size), progress_at(step))
    return checkpoints_of(folder, "cell", replicate)


def steps_restored(folder, replicates=(0,)):
    """The step that runs go on from; None where they begin."""
    with checkpoints_in(folder, "cell", replicates) as kept:
        restored = restore(kept, state_at(0))
    found = {int(state.step) for state, _ in restored}
    assert len(restored) in (0, len(replicates))
    assert len(found) <= 1
    return next(iter(found), None)


def test_a_state_comes_back_as_it_was(tmp_path):
    keep(tmp_path, (3, 6, 9))
    with checkpoints_in(tmp_path, "cell", (0,)) as kept:
        [(state, progress)] = restore(kept, state_at(0))
    assert progress == progress_at(9)
    assert [ended.replayed for ended in progress.replayed] == [True]
    for got, saved in zip(
        jax.tree.leaves(state), jax.tree.leaves(state_at(9)), strict=True
    ):
        assert got.dtype == saved.dtype
        np.testing.assert_array_equal(got, saved)


def test_the_last_two_are_kept(tmp_path):
    assert steps_in(keep(tmp_path, (3, 6, 9))) == [6, 9]


def test_without_a_folder_there_are_none(tmp_path):
    with checkpoints_in(None, "cell", (0, 1)) as kept:
        assert kept == []
        assert restore(kept, state_at(0)) == []
    assert steps_restored(tmp_path) is None
    assert not list(tmp_path.iterdir())


def test_runs_go_on_from_the_newest_step_of_all(tmp_path):
    folders = [
        keep(tmp_path, steps, replicate)
        for replicate, steps in enumerate([(3, 6), (6, 9), (6,)])
    ]
    assert steps_restored(tmp_path, (0, 1, 2)) == 6
    # What is later would keep what is taken anew from being the newest.
    assert [steps_in(folder) for folder in folders] == [[3, 6], [6], [6]]


def test_runs_without_a_step_of_all_begin(tmp_path):
    first, second = keep(tmp_path, (3, 6), 0), keep(tmp_path, (9, 12), 1)
    assert steps_restored(tmp_path, (0, 1)) is None
    assert steps_in(first) == steps_in(second) == []
    keep(tmp_path, (3,), 0)
    assert steps_restored(tmp_path, (0, 2)) is None


def test_a_torn_one_of_one_run_takes_all_to_the_step_before(tmp_path):
    first, second = keep(tmp_path, (3, 6), 0), keep(tmp_path, (3, 6), 1)
    truncate(second / "6")
    assert steps_restored(tmp_path, (0, 1)) == 3
    assert steps_in(first) == steps_in(second) == [3]


def test_a_file_that_is_gone_is_noticed(tmp_path, capsys):
    files = [
        file.relative_to(tmp_path)
        for file in keep(tmp_path, (3, 6)).rglob("6/*/d/*")
        if "process" not in str(file)
    ]
    assert len(files) == 2  # of the state and of the progress
    for number, file in enumerate(files):
        keep(tmp_path / str(number), (3, 6))
        for gone in (tmp_path / str(number) / file.parent).iterdir():
            gone.unlink()
        assert steps_restored(tmp_path / str(number)) == 3
    assert capsys.readouterr().err.count("cannot be read") == 2


def test_a_block_that_the_disk_lost_is_noticed(tmp_path, capsys):
    """Orbax itself would restore the block as zeros."""
    folder = keep(tmp_path, (3, 6), size=300)
    largest = max(folder.rglob("6/state/**/d/*"), key=lambda file: file.stat().st_size)
    held = largest.read_bytes()
    assert len(held) > 300_000
    largest.write_bytes(held[:200_000] + bytes(4096) + held[204_096:])
    assert steps_restored(tmp_path) == 3
    assert "it is not what was written" in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "checkpoints").write_text("a file in its place")
    with pytest.raises(DseError, match=r"cannot write a checkpoint in .*; free some"):
        keep(tmp_path, (3,))


def test_closing_twice_or_after_deletion_is_no_error(tmp_path):
    kept = Checkpoints(tmp_path / "run")
    kept.close()
    kept.save(state_at(1), progress_at(1))
    kept.close()
    kept.close()
    assert steps_in(tmp_path / "run") == [1]
