"""Imported before all else: what lies in the working folder hides no module of `dse`'s.

With `python -m` Python looks there first, and an empty entry or a dot in PYTHONPATH
means it too: a file called queue.py would be the standard library's. Only what Python
has imported by then is used here, and programs that import `dse` are left alone.
"""

import os
import sys


def runs_as_module(words: list[str]) -> bool:
    """Whether a command line, as `sys.orig_argv`, is `python -m dse`.

    In any of the spellings that Python knows: `-mdse`, `-um dse`.
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
    """Where to look for modules, the working folder last.

    Args:
        path: `sys.path`.
        folder: the working folder, which other entries may lead to by links.
        by_module: whether `python -m` put that first: it is not looked into at all
            then, as the script `dse` does not.
    """
    rest = path[1:] if by_module and path[:1] == [folder] else path
    real = os.path.realpath
    near = [entry for entry in rest if not entry or real(entry) == real(folder)]
    return [entry for entry in rest if entry not in near] + near[:1]


_by_module = runs_as_module(sys.orig_argv) and not sys.flags.safe_path
if _by_module or os.path.basename("".join(sys.argv[:1])) == "dse":  # noqa: PTH119
    try:
        _here = os.getcwd()  # noqa: PTH109
    except OSError:  # it is gone
        _here = ""
    sys.path[:] = step_back(sys.path, _here, by_module=_by_module)
