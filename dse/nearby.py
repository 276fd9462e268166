"""Prevent files in the working folder from hiding modules that `dse` imports.

`python -m` searches the working folder first, and so does an empty entry or a dot in
PYTHONPATH: a file queue.py there would replace the standard library's module. This
module is imported before all others, and uses only modules that Python has already
imported. It changes nothing for programs that import `dse`.
"""

import os
import sys


def runs_as_module(words: list[str]) -> bool:
    """Check whether a command line (`sys.orig_argv`) is `python -m dse`.

    All spellings that Python accepts count: `-mdse`, `-um dse`.
    """
    rest = iter(words[1:])
    for word in rest:
        if not word.startswith("-") or word == "-":
            return False
        if word.startswith("--"):
            if word == "--check-hash-based-pycs":
                next(rest, "")
            continue
        for place, letter in enumerate(word[1:], 2):
            if letter == "m":
                return (word[place:] or next(rest, "")) in ("dse", "dse.cli")
            if letter in "cWX":
                if letter == "c":
                    return False
                if not word[place:]:
                    next(rest, "")
                break
    return False


def step_back(path: list[str], folder: str, *, by_module: bool) -> list[str]:
    """Search path for modules, with the working folder last.

    Args:
        path: `sys.path`.
        folder: the working folder; other entries may lead to it by links.
        by_module: True if `python -m` put it first; that entry is then removed, since
            the script `dse` does not have it.
    """
    rest = path[1:] if by_module and path[:1] == [folder] else path
    real = os.path.realpath
    near = [entry for entry in rest if not entry or real(entry) == real(folder)]
    return [entry for entry in rest if entry not in near] + near[:1]


_by_module = runs_as_module(sys.orig_argv) and not sys.flags.safe_path
if _by_module or os.path.basename("".join(sys.argv[:1])) == "dse":  # noqa: PTH119
    try:
        _here = os.getcwd()  # noqa: PTH109
    except OSError:  # the working folder was removed
        _here = ""
    sys.path[:] = step_back(sys.path, _here, by_module=_by_module)
