"""Parts of captions that describe data, recipes and replicates."""

import pandas as pd

from dse.arch.family import Source
from dse.data.dataset import ImageData
from dse.fields import Fields
from dse.runs.labels import fields_of_points
from dse.runs.recipe import Recipe
from dse.study.widths import equations


def data_line(dataset: ImageData) -> str:
    """Describe a dataset in a line."""
    height, width, _ = dataset.image_shape
    formats = dataset.contents.formats if dataset.contents is not None else ()
    lossy = ", kept as JPEG" if "JPEG" in formats or "MPO" in formats else ""
    train, own = len(dataset.train), dataset.own_validation
    validated = f"({100 * dataset.validation_share:g} % of them for validation)"
    if own is not None:
        train -= len(own)
        validated = f"and {len(own):,} validation"
    return (
        f"{dataset.name}: {train:,} train {validated} and {len(dataset.test):,} test "
        f"images of {width}x{height}{lossy}"
    )


def recipe_line(recipe: Recipe) -> str:
    """Describe a recipe in a line."""
    length, unit = recipe.epochs, "epoch"
    if recipe.steps is not None:
        length, unit = recipe.steps, "step"
    augmentation = [f"crop ±{recipe.crop_padding}"] if recipe.crop_padding else []
    if recipe.resize is not None:
        augmentation.append(f"crop {recipe.crop} of {recipe.resize} pixels")
    augmentation += ["mirror"] if recipe.mirror else []
    more = [f"warm-up {100 * recipe.warmup_share:g} %"] if recipe.warmup_share else []
    if recipe.clip_norm is not None:
        more.append(f"clipped at {recipe.clip_norm:g}")
    if recipe.schedule != "linear":
        more.append(f"{recipe.schedule} decay of the rate")
    if recipe.label_smoothing:
        more.append(f"labels smoothed by {recipe.label_smoothing:g}")
    if recipe.dropout is not None:
        more.append(f"dropout {recipe.dropout:g}")
    if recipe.initializer is not None:
        more.append(f"{recipe.initializer.capitalize()} initialisation")
    main = (
        f"SGD, {counted(str(length), unit)}, batch {recipe.batch_size}, peak "
        f"rate {recipe.peak_learning_rate:g}, momentum {recipe.momentum:g}, decay "
        f"{recipe.weight_decay:g}, {' and '.join(augmentation) or 'no augmentation'}"
    )
    return ", ".join([main, *more])


def shared_widths(rows: pd.DataFrame, fields: Fields) -> str:
    """Widths that all rows have in common, as `base_e = incr_e = 16`."""
    names = {
        name: None
        for own in fields.values()
        for name, field in own.items()
        if field.scales and name in rows
    }
    values = {name: rows[name].dropna().unique() for name in names}
    shared = {name: found[0] for name, found in values.items() if len(found) == 1}
    return equations(shared)


def published_widths(source: Source) -> str:
    """Widths that all published points have in common, likewise."""
    points = [printed.point for printed in source.points]
    rows = pd.DataFrame([point.values for point in points])
    return shared_widths(rows, fields_of_points(points))


def replicates_line(summary: pd.DataFrame, seed: int) -> str:
    """Describe the number of replicates of a cell, and their seed."""
    least, most = summary["replicates"].min(), summary["replicates"].max()
    number = f"{least}" if least == most else f"{least} to {most}"
    return f"{counted(number, 'replicate')} a cell, sweep seed {seed}"


def counted(number: str, unit: str) -> str:
    """A number with its unit, in the singular or plural."""
    return f"{number} {unit}" if number == "1" else f"{number} {unit}s"


def untrained_line(runs: pd.DataFrame) -> str:
    """Describe how many runs (one a row) stayed at chance; empty where none did."""
    untrained = int((runs["reason"] == "untrained").sum())
    return f" {untrained} of {len(runs)} runs stayed at chance." if untrained else ""
