"""Files are whole or not there, and nothing but a regular file is replaced."""

import os
import stat

import pytest

from dse.store import files
from dse.store.files import write_whole


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
