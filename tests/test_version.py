"""The commit in the version of the code, read from the files of a Git clone."""

import subprocess

import pytest

from dse.version import _commit


@pytest.fixture
def clone(tmp_path):
    def git(*words):
        mine = [
            "-c",
            "user.name=a",
            "-c",
            "user.email=a@b",
            "-c",
            "init.defaultBranch=x",
        ]
        return subprocess.run(
            ["git", *mine, *words],
            cwd=tmp_path,
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()

    git("init")
    git("commit", "--allow-empty", "--message", "first")
    return git


def test_a_branch_a_packed_branch_and_a_commit(clone, tmp_path):
    commit = clone("rev-parse", "HEAD")
    assert _commit(tmp_path / ".git") == commit
    clone("tag", "not-x")
    clone("pack-refs", "--all", "--prune")
    assert not (tmp_path / ".git/refs/heads/x").exists()
    assert _commit(tmp_path / ".git") == commit
    clone("checkout", "--detach")
    assert _commit(tmp_path / ".git") == commit


def test_no_clone_and_no_commit_yet(tmp_path):
    assert _commit(tmp_path / ".git") is None
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    assert _commit(tmp_path / ".git") is None
