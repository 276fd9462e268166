"""Logs are regular files, or none."""

import os

import pytest

from dse.runs.paths import append_to, read_from


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
