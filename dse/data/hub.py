"""Image sets of the Hugging Face hub, loaded with its library `datasets`."""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedIOBase, BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import datasets

from dse.data.before import DIGITS, Known, columns_as_before
from dse.data.classes import (
    Label,
    classes_of,
    is_unlabelled,
    refuse_same_names,
    refuse_strange_labels,
)
from dse.data.columns import IMAGE_NAMES, Columns, chosen_column
from dse.data.foreign import refused
from dse.data.layout import Layout, Named, the_whole
from dse.data.names import PartName, part_called
from dse.data.pixels import DECODING_VERSION, MOST_FILE_BYTES
from dse.data.source import PARTS, UNLABELLED, Part, Record, Source, parted
from dse.data.tables import LABEL_NAMES
from dse.data.walk import LeftOut, read_regular
from dse.errors import DseError


@dataclass(frozen=True)
class HubRecords:
    """Encoded images of a split, from the library's tables or its cache."""

    split: str
    rows: Any

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Record:
        value = self.rows[index] or {}
        place = f"{self.split}, row {index},"
        content, path = value.get("bytes"), value.get("path")
        if content is None and path is not None and _is_librarys(Path(path)):
            content = read_regular(Path(path), MOST_FILE_BYTES)
        if content is None:
            raise DseError(
                f"{place} holds no image; expected its bytes, and no file elsewhere is "
                "read"
            )
        return Record(content, place, Path(path or "").suffix.lower())

    def __iter__(self) -> Iterator[Record]:
        return (self[index] for index in range(len(self)))

    @contextmanager
    def opened(self, index: int) -> Iterator[tuple[BufferedIOBase, str, str]]:
        """See `dse.data.atrandom.RecordsAtRandom`."""
        content, place, extension = self[index]
        yield BytesIO(content), place, extension


class HubNames(NamedTuple):
    """Fingerprints of a hub set: now, and in earlier versions that read it the same."""

    now: str
    before: str

    def known(self, *, decoded_as_before: bool) -> Known:
        """Choose the fingerprint: `before` only if pixels are decoded as before."""
        return Known(self.before if decoded_as_before else self.now)


def hub_source(name: str, named: Named) -> tuple[Source, HubNames]:
    """Open the hub's set `name`, and compute its fingerprints.

    Raises:
        DseError: it cannot be loaded, has no images with labels, or invalid labels.
    """
    called = f"{name} (no such folder here, so the hub was asked)"
    datasets.disable_progress_bars()
    with refused(
        f"dataset {called} could not be opened", "check its name and the connection"
    ):
        opened: Mapping[str, Any] = datasets.load_dataset(name)
    by_part = _splits(opened, named, name)
    first = opened[next(iter(by_part.values()))].features
    columns = _columns(first, named, name)
    layout = Layout()
    whole = the_whole(by_part, name)
    labels: dict[PartName, list[Label]] = {
        part: _labels(opened[split], columns.label, name)
        for part, split in by_part.items()
    }
    for part in [p for p in by_part if p != whole and is_unlabelled(labels[p])]:
        layout.notes.append(f"its {part} part keeps its labels back, and is not used")
        layout.left_out.append(LeftOut(by_part.pop(part), UNLABELLED))
        del labels[part]
    declared = getattr(opened[by_part[whole]].features[columns.label], "names", ())
    classes = classes_of(labels[whole], declared, name)
    refuse_strange_labels(labels, whole, classes, name)
    undecoded = datasets.Image(decode=False)
    parts = {
        part: Part(
            HubRecords(
                split,
                opened[split].cast_column(columns.image, undecoded)[columns.image],
            ),
            classes.encode(labels[part]),
        )
        for part, split in by_part.items()
    }
    source = Source(
        name.replace("/", "--"),
        name,
        "hub",
        parted(parts, whole, layout),
        classes.names,
        columns=tuple(columns),
        left_out=tuple(layout.left_out),
        notes=tuple(layout.notes),
    )
    return source, _names(opened, by_part, columns)


def _names(
    opened: Mapping[str, Any], by_part: Mapping[PartName, str], columns: Columns
) -> HubNames:
    """Hash the library's own fingerprints; earlier versions had no validation part."""
    fingerprints = {part: opened[split]._fingerprint for part, split in by_part.items()}
    deciding = [f"dse {DECODING_VERSION}", *columns]
    deciding += [
        x for part in PARTS if part in fingerprints for x in (part, fingerprints[part])
    ]
    framed = "".join(f"{len(text)}:{text}" for text in deciding)
    alike = _as_before(opened, by_part, columns)
    before = (
        "".join(fingerprints[part] for part in PARTS if part in fingerprints)
        if alike
        else framed
    )
    now, then = (
        hashlib.sha256(x.encode()).hexdigest()[:DIGITS] for x in (framed, before)
    )
    return HubNames(now, then)


def _as_before(
    opened: Mapping[str, Any], by_part: Mapping[PartName, str], columns: Columns
) -> bool:
    """True if earlier versions took these splits and columns."""
    first = "train" if "train" in opened else next(iter(opened))
    kinds = {name: type(x).__name__ for name, x in opened[first].features.items()}
    taken = {"train": first, **({"test": "test"} if "test" in by_part else {})}
    return dict(by_part) == taken and tuple(columns) == columns_as_before(kinds)


def _splits(opened: Mapping[str, Any], named: Named, name: str) -> dict[PartName, str]:
    """Find the split of each part."""
    by_part = named.folders
    for split in by_part.values():
        if split not in opened:
            raise DseError(
                f"dataset {name} has no split {split!r}; expected one of "
                f"{', '.join(opened)}"
            )
    for split in opened:
        part = part_called(split)
        if part is not None and split not in by_part.values():
            by_part.setdefault(part, split)
    if not by_part:
        by_part = {"train": next(iter(opened))}
    return by_part


def _columns(features: Any, named: Named, name: str) -> Columns:
    images = [n for n, kind in features.items() if isinstance(kind, datasets.Image)]
    labels = [
        n
        for n, kind in features.items()
        if n in LABEL_NAMES or isinstance(kind, datasets.ClassLabel)
    ]
    every = list(features)
    return Columns(
        chosen_column("image", named.image_column, images, IMAGE_NAMES, every, name),
        chosen_column(
            "label", named.label_column, labels, LABEL_NAMES[:1], every, name
        ),
    )


def _labels(split: Any, column: str, name: str) -> list[Label]:
    values, names = split[column], getattr(split.features[column], "names", None)
    if names is None:
        return list(values)
    refuse_same_names(names, name)
    return [
        names[v] if isinstance(v, int) and 0 <= v < len(names) else v for v in values
    ]


def _is_librarys(path: Path) -> bool:
    """True if a file lies in the library's own cache, where it puts downloads."""
    caches = (datasets.config.HF_CACHE_HOME, datasets.config.HF_DATASETS_CACHE)
    return any(path.resolve().is_relative_to(Path(c).resolve()) for c in caches)
