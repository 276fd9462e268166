"""Logs are regular files, or none."""

import datetime
import os

import pytest

from dse.errors import DseError
from dse.runs.paths import append_to, read_from, weights_of


def test_a_log_is_added_to_and_read(tmp_path):
    file = tmp_path / "logs" / "a.log"
    for text in (b"one\n", b"two\n"):
        with append_to(file) as log:
            log.write(text)
    with append_to(file) as log:
        log.seek(0)
        assert log.read() == b"one\ntwo\n"
    with read_from(file) as log:
        assert log.read() == b"one\ntwo\n"


@pytest.mark.parametrize("make", [os.mkfifo, lambda file: file.symlink_to("victim")])
def test_what_is_no_regular_file_is_left_alone(tmp_path, make):
    file = tmp_path / "a.log"
    make(file)
    for access in (append_to, read_from):
        with pytest.raises(OSError, match=r"no regular file|symbolic links|No such"):
            access(file)
    assert not (tmp_path / "victim").exists()


def test_no_two_runs_weights_are_called_the_same(tmp_path):
    begun = datetime.datetime(2026, 1, 2, 3, 4, 5, 6)
    file = weights_of(tmp_path, "a" * 16, 0, begun)
    assert file.parent == tmp_path / "weights"
    assert file.name == f"{'a' * 16}-20260102T030405000006-0.safetensors"
    later = begun + datetime.timedelta(microseconds=1)
    others = (("b" * 16, 0, begun), ("a" * 16, 1, begun), ("a" * 16, 0, later))
    names = {weights_of(tmp_path, *other).name for other in others}
    assert len(names | {file.name}) == 4
    with pytest.raises(DseError):
        weights_of(tmp_path, "../a", 0, begun)
