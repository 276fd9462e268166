"""Imported before all else: what lies in the working folder hides no module of `dse`'s.

With `python -m` Python looks there first, and an empty entry or a dot in PYTHONPATH
means it too: a file called queue.py would be the standard library's. Only what Python
has imported by then is used here, and programs that import `dse` are left alone.
"""

import os
import sys


def runs_as_module(words: list[str]) -> bool:
    """Whether a command line, as `sys.orig_argv`, is `python -m dse`."""
    told = words[words.index("-m") + 1 :][:1] if "-m" in words else []
    return told in (["dse"], ["dse.cli"])


def step_back(path: list[str], folder: str, *, by_module: bool) -> list[str]:
    """Where to look for modules, the working folder last.

    Args:
        path: `sys.path`.
        folder: the working folder.
        by_module: whether `python -m` put that first: it is not looked into at all
            then, as the script `dse` does not.
    """
    rest = path[1:] if by_module and path[:1] == [folder] else path
    near = [entry for entry in rest if entry in ("", ".", folder)]
    return [entry for entry in rest if entry not in near] + near[:1]


_by_module = runs_as_module(sys.orig_argv) and not sys.flags.safe_path
if _by_module or os.path.basename("".join(sys.argv[:1])) == "dse":  # noqa: PTH119
    try:
        _here = os.getcwd()  # noqa: PTH109
    except OSError:  # it is gone
        _here = ""
    sys.path[:] = step_back(sys.path, _here, by_module=_by_module)
