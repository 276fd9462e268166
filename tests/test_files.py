"""Files are whole or not there, and nothing but a regular file is replaced."""

import os
import sqlite3
import stat
from contextlib import closing

import pytest

from dse import files
from dse.files import copy_beside, write_whole


def write_new(file):
    file.write(b"new")


def test_a_file_is_replaced_whole(tmp_path):
    file = tmp_path / "x.csv"
    write_whole(file, write_new)
    assert file.read_bytes() == b"new"

    def fail(opened):
        opened.write(b"half")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        write_whole(file, fail)
    assert file.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [file]


def test_a_new_file_has_the_rights_that_others_have(tmp_path):
    before = os.umask(0o027)
    try:
        write_whole(tmp_path / "x", write_new)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == 0o640


@pytest.mark.parametrize("kind", ["folder", "pipe", "link", "dangling", "device"])
def test_only_regular_files_are_replaced(tmp_path, kind):
    file, other = tmp_path / "x", tmp_path / "other"
    other.write_text("other")
    match kind:
        case "folder":
            file.mkdir()
        case "pipe":
            os.mkfifo(file)
        case "link":
            file.symlink_to(other)
        case "dangling":
            file.symlink_to(tmp_path / "nowhere")
        case "device":
            file.symlink_to("/dev/null")
    before = file.lstat()
    with pytest.raises(OSError, match="no regular file"):
        write_whole(file, write_new)
    assert file.lstat() == before
    assert other.read_text() == "other"
    assert len(list(tmp_path.iterdir())) == 2


def test_a_link_at_the_temporary_name_is_not_followed(tmp_path, monkeypatch):
    monkeypatch.setattr(files.secrets, "token_hex", lambda _: "known")
    other = tmp_path / "other"
    other.write_text("other")
    (tmp_path / ".x.known").symlink_to(other)
    with pytest.raises(FileExistsError):
        write_whole(tmp_path / "x", write_new)
    assert other.read_text() == "other"
    assert not (tmp_path / "x").exists()


def test_a_name_as_long_as_can_be(tmp_path):
    write_whole(tmp_path / ("x" * 255), write_new)
    assert [len(file.name) for file in tmp_path.iterdir()] == [255]


@pytest.fixture
def database(tmp_path):
    """A SQLite file with a row that is in its write-ahead log alone."""
    file = tmp_path / "x.db"
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = wal")
        connection.execute("CREATE TABLE t (x)")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("INSERT INTO t VALUES (1)")
        yield file


def values_in(file):
    with closing(sqlite3.connect(file)) as connection:
        return connection.execute("SELECT x FROM t").fetchall()


def test_a_copy_beside_has_what_the_log_has(database):
    copy = copy_beside(database, ".before")
    assert copy == database.with_name("x.db.before")
    assert values_in(copy) == [(1,)]
    # The next one takes another name.
    second = copy_beside(database, ".before")
    assert second != copy
    assert second.name.startswith("x.db.before")
    assert values_in(second) == [(1,)]
    assert values_in(database) == [(1,)]


def test_of_a_damaged_file_there_is_no_copy(tmp_path):
    file = tmp_path / "x.db"
    file.write_bytes(b"SQLite format 3\0" + bytes(5000))
    with pytest.raises(OSError, match="no copy can be kept of it"):
        copy_beside(file, ".before")
    assert list(tmp_path.iterdir()) == [file]
