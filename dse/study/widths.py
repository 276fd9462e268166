"""Which widths of an experiment its preset chose, and which are its own, in words."""

from collections.abc import Mapping

from dse.study.experiment import Experiment


def chosen_widths(experiment: Experiment, preset: str) -> dict[str, int]:
    """The widths that the experiment leaves open, as a preset of its has them."""
    return dict.fromkeys(experiment.open_widths, experiment.preset(preset).base_e)


def widths_line(experiment: Experiment, preset: str) -> str:
    """What the preset chose and what it left alone, in a line."""
    chosen = chosen_widths(experiment, preset)
    own = {
        name: int(getattr(experiment.anchor, name))
        for name in ("base_e", "incr_e")
        if name not in chosen and name != experiment.varied
    }
    stated = f"{equations(own)} as the experiment states"
    if not chosen:
        return f"{stated}; the preset {preset} scales no width"
    scaled = f"{equations(chosen)} by the preset {preset}"
    return f"{scaled}; {stated}" if own else scaled


def widths_lines(experiments: Mapping[str, Experiment], preset: str) -> tuple[str, ...]:
    """The same of several, under their names where they differ."""
    lines = {name: widths_line(each, preset) for name, each in experiments.items()}
    if len(set(lines.values())) == 1:
        return (next(iter(lines.values())),)
    return tuple(f"{name}: {line}" for name, line in lines.items())


def equations(widths: Mapping[str, int]) -> str:
    """Widths by name: `base_e = incr_e = 16`, or `base_e = 64, incr_e = 8`."""
    if len(widths) > 1 and len(set(widths.values())) == 1:
        return f"{' = '.join(widths)} = {next(iter(widths.values()))}"
    return ", ".join(f"{name} = {value}" for name, value in widths.items())
