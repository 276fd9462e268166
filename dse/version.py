"""The version of the code, recorded with every run."""

from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


@lru_cache
def code_version() -> str:
    """The package version, with the commit if the code is in a Git clone."""
    try:
        number = version("dse")
    except PackageNotFoundError:
        number = "unknown"
    commit = _commit(Path(__file__).parents[1] / ".git")
    return f"{number}+{commit[:12]}" if commit else number


def _commit(git: Path) -> str | None:
    """The commit that HEAD names, read from the repository's files."""
    try:
        head = (git / "HEAD").read_text().strip()
        if not head.startswith("ref: "):
            return head
        branch = head.removeprefix("ref: ")
        if (git / branch).is_file():
            return (git / branch).read_text().strip()
        packed = (git / "packed-refs").read_text().splitlines()
    except OSError:
        return None
    named = (line.split() for line in packed if line.endswith(f" {branch}"))
    return next((commit for commit, _ in named), None)
