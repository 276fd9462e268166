"""Texts about widths that the preset chose and those that the experiment states."""

from collections.abc import Mapping
from typing import Any

from dse.study.experiment import Experiment


def chosen_widths(experiment: Experiment, preset: str) -> dict[str, Any]:
    """Widths that the experiment leaves open, with the preset's values."""
    width = experiment.preset(preset).width
    chosen: dict[str, Any] = {}
    for point in experiment.keyed.values():
        scaled = point.scaled(width)
        chosen |= {name: scaled.values[name] for name in point.unstated}
    return chosen


def widths_line(experiment: Experiment, preset: str) -> str:
    """Describe in a line the widths that the preset chose and those it left alone."""
    chosen = chosen_widths(experiment, preset)
    none_scaled = f"the preset {preset} scales no width"
    if experiment.anchor is None:
        width = f"{experiment.preset(preset).width:g} times the published widths"
        by_preset = f"{width} by the preset {preset}, where points state none"
        return by_preset if chosen else none_scaled
    own = {
        name: experiment.anchor.values[name]
        for name, field in experiment.anchor.fields.items()
        if field.scales and name not in chosen and name not in experiment.factors
    }
    stated = f"{equations(own)} as the experiment states"
    if not chosen:
        return f"{stated}; {none_scaled}" if own else none_scaled
    scaled = f"{equations(chosen)} by the preset {preset}"
    return f"{scaled}; {stated}" if own else scaled


def widths_lines(experiments: Mapping[str, Experiment], preset: str) -> tuple[str, ...]:
    """Lines for several experiments, with their names where the lines differ."""
    lines = {name: widths_line(each, preset) for name, each in experiments.items()}
    if len(set(lines.values())) == 1:
        return (next(iter(lines.values())),)
    return tuple(f"{name}: {line}" for name, line in lines.items())


def equations(widths: Mapping[str, Any]) -> str:
    """Format widths: `base_e = incr_e = 16`, or `base_e = 64, incr_e = 8`."""
    formatted = {name: f"{value:g}" for name, value in widths.items()}
    if len(formatted) > 1 and len(set(formatted.values())) == 1:
        return f"{' = '.join(formatted)} = {next(iter(formatted.values()))}"
    return ", ".join(f"{name} = {value}" for name, value in formatted.items())
