"""The rule by which folders of images are parts or classes.

A top folder called `train`, `val` or `test` (in any usual spelling and case) is that
part, and the folders in it are the classes. Without such a folder the top folders are
the classes. File names, words inside names and deeper folders decide nothing. If they
suggest another reading, the set is refused until the user names the folder to train
on: `.` for the dataset's own folder, whose folders are then the classes.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from dse.data.ambiguous import (
    RENAME,
    refuse_flat,
    refuse_one_folder,
    refuse_parts_in,
    refuse_parts_within,
    refuse_same_classes,
    refuse_twice,
)
from dse.data.names import WHOLE, PartName, as_text, listed, part_called
from dse.data.walk import Found, LeftOut
from dse.declared import Declared
from dse.errors import DseError
from dse.fields import text


@dataclass(frozen=True)
class Named(Declared, name="named"):
    """Columns and folders named by the user; None leaves the choice to the rule."""

    image_column: str | None = text(
        None, "of Parquet files with several columns of images"
    )
    label_column: str | None = text(
        None, "of Parquet files with several columns of labels"
    )
    train_folder: str | None = text(
        None,
        "folder within the dataset's that is trained on, . for its own, or how the "
        "names of Parquet files begin, where names do not say so",
    )
    test_folder: str | None = text(None, "the same of the test images, but for .")

    @property
    def folders(self) -> dict[PartName, str]:
        """Named parts, each with its folder.

        Raises:
            DseError: a folder lies outside the set, or both are the same.
        """
        options: tuple[tuple[PartName, str, str | None], ...] = (
            ("train", "--train-folder", self.train_folder),
            ("test", "--test-folder", self.test_folder),
        )
        folders: dict[PartName, str] = {}
        for part, option, place in options:
            if place is None:
                continue
            steps = PurePosixPath(place).parts
            if not steps and place and part == "train":
                steps = (WHOLE,)
            if not steps or ".." in steps or place.startswith("/"):
                raise DseError(
                    f"{option} is {place!r}; expected a folder within the dataset's, "
                    "as train"
                )
            folders[part] = "/".join(steps)
        if len(set(folders.values())) < len(folders):
            raise DseError(f"--train-folder and --test-folder are both {place!r}")
        return folders


@dataclass
class Layout:
    """Images of each part with their classes, files left out, and notes."""

    parts: dict[PartName, list[tuple[Found, str]]] = field(default_factory=dict)
    left_out: list[LeftOut] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(
        self, part: PartName, folder: str, images: Iterable[Found], called: str
    ) -> None:
        """Add the images of a folder as a part; its subfolders are the classes.

        Raises:
            DseError: none of them lies in a subfolder.
        """
        above = len(folder.split("/")) if folder else 0
        taken = self.parts.setdefault(part, [])
        for image in images:
            steps = image.steps[above:]
            if len(steps) == 1:
                self.left_out.append(LeftOut(image.place, "in no class folder"))
            else:
                taken.append((image, as_text(steps[0])))
        if not taken:
            where = f"one folder, {as_text(folder)}" if folder else "no folder"
            raise DseError(
                f"dataset {called}: the images of its {part} part lie in {where}, so "
                "they have no labels; expected a folder for each class in it: sort "
                "them, or take the part out of the folder"
            )
        deeper = {
            "/".join(x.steps[above : above + 2])
            for x, _ in taken
            if len(x.steps) > above + 2
        }
        if deeper:
            named = listed(sorted(map(as_text, deeper)))
            self.notes.append(
                f"folders within the classes of {part} ({named}) count to the class"
            )


def lay_out(images: Sequence[Found], named: Named, called: str) -> Layout:
    """Find the part and class of each image in a folder.

    Raises:
        DseError: it is unclear which images are trained on, or which class one has.
    """
    if named.folders:
        return _as_named(images, named.folders, called)
    tops = _by_top(images)
    parts = {top: part for top in tops if top and (part := part_called(top))}
    others = [top for top in tops if top and top not in parts]
    holds_classes = {top: _folders_in(tops[top]) for top in tops}
    if not any(holds_classes[top] for top in parts) and others:
        refuse_flat(parts, called)
        parts = {}  # classes that happen to have these names
        others = [top for top in tops if top]
    layout = Layout()
    if not parts:
        refuse_parts_within(others, holds_classes, called)
        refuse_same_classes(others, (), holds_classes, called)
        refuse_one_folder(others, holds_classes, called)
        layout.add("train", "", images, called)
        return layout
    refuse_twice(parts, called)
    refuse_same_classes(others, parts, holds_classes, called)
    for top, part in parts.items():
        layout.add(part, top, tops[top], called)
    for top in ("", *others):
        reason = f"not within {listed(map(as_text, parts))}"
        layout.left_out += [LeftOut(image.place, reason) for image in tops.get(top, ())]
    if "train" not in layout.parts and others:
        raise DseError(
            f"dataset {called}: its folders {listed(map(as_text, others))} are no "
            f"part, and of its parts, {listed(map(as_text, parts))}, none is train; "
            f"{RENAME}"
        )
    return layout


def the_whole(parts: Mapping[PartName, object], called: str) -> PartName:
    """Name of the part that is trained on: `train`, or the only part.

    Raises:
        DseError: there are several parts, and none is train.
    """
    if "train" not in parts and len(parts) > 1:
        raise DseError(
            f"dataset {called} has the parts {' and '.join(parts)}, but none to train "
            f"on; {RENAME}"
        )
    return "train" if "train" in parts else next(iter(parts))


def _by_top(images: Iterable[Found]) -> dict[str, list[Found]]:
    """Group images by top folder, with "" for images in none."""
    tops: dict[str, list[Found]] = {}
    for image in images:
        top = image.steps[0] if len(image.steps) > 1 else ""
        tops.setdefault(top, []).append(image)
    return tops


def _folders_in(images: Iterable[Found]) -> set[str]:
    """Names of the folders in a top folder that hold images."""
    return {image.steps[1] for image in images if len(image.steps) > 2}


def _as_named(
    images: Sequence[Found], folders: Mapping[PartName, str], called: str
) -> Layout:
    """Lay out the parts that the user named, then folders named as other parts."""
    layout, left = Layout(), list(images)
    # Of two nested folders, the inner one first.
    for part, folder in sorted(folders.items(), key=lambda x: -len(x[1])):
        if folder == WHOLE:
            continue  # takes what is left at the end
        within = [image for image in left if image.place.startswith(f"{folder}/")]
        if not within:
            raise DseError(
                f"dataset {called}: --{part}-folder {as_text(folder)} holds no images; "
                f"expected one of {_tops(images)}"
            )
        refuse_parts_in(folder, within, called)
        layout.add(part, folder, within, called)
        taken = {image.place for image in within}
        left = [image for image in left if image.place not in taken]
    for top, rest in _by_top(left).items():
        part_found = part_called(top)
        if part_found and part_found not in folders and _folders_in(rest):
            layout.add(part_found, top, rest, called)
            left = [image for image in left if image.steps[0] != top]
    if "train" not in layout.parts:
        layout.add("train", "", left, called)
        left = []
    layout.left_out += [LeftOut(x.place, "in no part that was named") for x in left]
    return layout


def _tops(images: Sequence[Found]) -> str:
    return listed((as_text(top) for top in sorted(_by_top(images)) if top), 6)
