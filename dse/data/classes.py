"""Encoding of labels as whole numbers; the train part defines the classes."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np
from jaxtyping import Int

from dse.data.names import PartName, folded, listed
from dse.errors import DseError

MOST_CLASSES = 100_000
NAMED = 3
"""Number of unknown classes that an error message names."""
MOST_LIKENED = 2_000
"""Most train classes that an unknown class is compared with."""

Label = str | int | None
"""A class by name, or by number where there are no names.

None or a number below 0 means that the label is withheld."""


@dataclass(frozen=True)
class Classes:
    """A set's classes.

    Attributes:
        names: one for each label, in order.
        keys: the same classes as they appear in the labels.
    """

    names: tuple[str, ...]
    keys: tuple[Label, ...]

    def encode(self, labels: Iterable[Label]) -> Int[np.ndarray, " n"]:
        """Convert labels to whole numbers from 0; -1 for a label that is no class."""
        number = {key: index for index, key in enumerate(self.keys)}
        return np.array([number.get(label, -1) for label in labels], np.int32)


def classes_of(
    labels: Iterable[Label], declared: Sequence[str], called: str
) -> Classes:
    """Find the classes of a train part: the declared list, else the sorted labels.

    Raises:
        DseError: names and numbers are mixed, or there are too many.
    """
    present = {label for label in labels if not kept_back(label)}
    if declared:
        # Each file may declare the same list.
        keys: list[Label] = list(dict.fromkeys(declared))
    elif any(isinstance(label, str) for label in present) and any(
        isinstance(label, int) for label in present
    ):
        raise DseError(
            f"dataset {called}: some of its labels are words and some are numbers; "
            "expected one kind"
        )
    else:
        keys = sorted(present)  # type: ignore[type-var]
    if len(keys) > MOST_CLASSES:
        raise DseError(
            f"dataset {called} has {len(keys):,} classes; expected at most "
            f"{MOST_CLASSES:,}: is its label column one of classes?"
        )
    return Classes(tuple(map(str, keys)), tuple(keys))


def refuse_same_names(names: Sequence[str], called: str) -> None:
    """Refuse a class list in which two numbers have the same name.

    Raises:
        DseError: there is such a name.
    """
    if len(set(names)) < len(names):
        counts = Counter(names)
        twice = next(name for name in names if counts[name] > 1)
        numbers = [number for number, name in enumerate(names) if name == twice]
        raise DseError(
            f"{called}: its class list has {twice!r} as {numbers[0]} and as "
            f"{numbers[1]}; give each class its own name, or bring both together"
        )


def alike_names(names: Sequence[str]) -> list[str]:
    """Note class names that differ only in case, Unicode form or outer spaces."""
    by_fold: dict[str, list[str]] = {}
    for name in names:
        by_fold.setdefault(folded(name), []).append(name)
    alike = [
        " and ".join(map(repr, same)) for same in by_fold.values() if len(same) > 1
    ]
    return [f"classes are called nearly alike: {listed(alike)}"] if alike else []


def kept_back(label: Label) -> bool:
    """True if the label is withheld: None or a number below 0."""
    return label is None or (isinstance(label, int) and label < 0)


def is_unlabelled(labels: Sequence[Label]) -> bool:
    """True if all labels of a part are withheld, as in a contest's test part."""
    return bool(labels) and all(map(kept_back, labels))


def refuse_strange_labels(
    labels: Mapping[PartName, Sequence[Label]],
    whole: PartName,
    classes: Classes,
    called: str,
) -> None:
    """Refuse images without a label and classes without a train image.

    Raises:
        DseError: a part is empty or has a class that train lacks, or a label is
            withheld or in no class list.
    """
    for part, own in labels.items():
        if not own:
            raise DseError(
                f"dataset {called}: its {part} part has no images; put some in, or "
                "take the part out"
            )
        row = next((i for i, label in enumerate(own) if kept_back(label)), None)
        if row is not None:
            size = len(classes.keys)
            raise DseError(
                f"dataset {called}: {part} image {row} has label "
                f"{-1 if own[row] is None else own[row]}, outside its class list of "
                f"{size} (0 to {size - 1}); correct the label or the list"
            )
    trained = set(labels[whole])
    odd = sorted({str(label) for label in trained - set(classes.keys)})
    if odd:
        raise DseError(
            f"dataset {called}: some of its train labels are in no class list "
            f"({listed(odd)}); expected one list, or words, or numbers, in all files"
        )
    for part, own in labels.items():
        strange = sorted({str(x) for x in own if x not in trained})
        if strange:
            raise DseError(
                f"dataset {called}: its {part} part has "
                f"{'classes' if len(strange) > 1 else 'a class'} that train lacks "
                f"({_beside(strange, map(str, trained))}); name classes alike "
                "in both, or take such images out"
            )


def _beside(strange: Sequence[str], known: Iterable[str]) -> str:
    """List the first unknown names, each with the known name that it may stand for."""
    names = sorted(known)
    by_fold = {folded(name): name for name in names}
    unknown = []
    for name in strange[:NAMED]:
        same = by_fold.get(folded(name))
        like = get_close_matches(name, names[:MOST_LIKENED], 1, 0.8)
        if same is not None:
            what = "in capitals" if name.casefold() == same.casefold() else "in Unicode"
            unknown.append(f"{name!r}, which differs from {same!r} {what} alone")
        elif like:
            unknown.append(f"{name!r}, while train has {like[0]!r}")
        else:
            unknown.append(repr(name))
    return listed([*unknown, *strange[NAMED:]], NAMED)
