"""Design-space exploration of convolutional networks on JAX.

    import dse
    dse.describe(sr=0.5)["params"]
    dse.reproduce("fig3b")
    dse.load_runs().groupby("pct_3x3")["test_accuracy"].mean()

Names are loaded on first use, so that the import itself is quick. Families that come
with the package are names too, as `dse.SqueezeNet` and `dse.AlexNet`.
"""

import dse.nearby  # noqa: F401 - must come first

# isort: split

import importlib
import importlib.util
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dse.api.compress import compress_runs, scan_layers
    from dse.api.fit import fit_run, fit_study
    from dse.api.networks import describe, load_model, predict
    from dse.api.published import import_published
    from dse.api.results import (
        export_studies,
        forget,
        import_studies,
        load_runs,
        query,
    )
    from dse.api.studies import (
        check,
        open_dataset,
        plan,
        reproduce,
        reproduce_all,
        search,
        sweep,
        sweep_all,
    )
    from dse.arch.build import Build
    from dse.arch.family import Family, Published, Source
    from dse.errors import DseError
    from dse.families.alexnet import AlexNet
    from dse.families.googlenet import GoogLeNet
    from dse.families.nin import Nin
    from dse.families.resnet import ResNet
    from dse.families.squeezenet import SqueezeNet
    from dse.families.vgg import Vgg
    from dse.fields import Grid, choice, flag, real, share, text, whole
    from dse.options import Options
    from dse.runs.recipe import Recipe
    from dse.runs.staged import Staged
    from dse.runs.stages import Code, Densify, Factor, Prune, Quantise
    from dse.spaces.budget import Budget
    from dse.spaces.space import Space
    from dse.study.claim import (
        Beats,
        GainsLittle,
        OverfitsLess,
        SizesAsPrinted,
        TimesFewer,
        TimesSmaller,
    )
    from dse.study.experiment import Experiment
    from dse.study.preset import Preset
    from dse.study.presets import PRESETS
    from dse.study.series_claim import AddUp, LosesLittle, MovesFront

_WHERE = {
    "api.compress": "compress_runs scan_layers",
    "api.fit": "fit_run fit_study",
    "api.networks": "describe load_model predict",
    "api.published": "import_published",
    "api.results": "export_studies forget import_studies load_runs query",
    "api.studies": "check open_dataset plan reproduce reproduce_all search sweep "
    "sweep_all",
    "arch.build": "Build",
    "arch.family": "Family Published Source",
    "errors": "DseError",
    "fields": "Grid choice flag real share text whole",
    "options": "Options",
    "runs.recipe": "Recipe",
    "runs.staged": "Staged",
    "runs.stages": "Code Densify Factor Prune Quantise",
    "spaces.budget": "Budget",
    "spaces.space": "Space",
    "study.claim": "Beats GainsLittle OverfitsLess SizesAsPrinted TimesFewer "
    "TimesSmaller",
    "study.experiment": "Experiment",
    "study.preset": "Preset",
    "study.presets": "PRESETS",
    "study.series_claim": "AddUp LosesLittle MovesFront",
}
_ELSEWHERE = {name: place for place, names in _WHERE.items() for name in names.split()}

__all__ = [
    "PRESETS",
    "AddUp",
    "AlexNet",
    "Beats",
    "Budget",
    "Build",
    "Code",
    "Densify",
    "DseError",
    "Experiment",
    "Factor",
    "Family",
    "GainsLittle",
    "GoogLeNet",
    "Grid",
    "LosesLittle",
    "MovesFront",
    "Nin",
    "Options",
    "OverfitsLess",
    "Preset",
    "Prune",
    "Published",
    "Quantise",
    "Recipe",
    "ResNet",
    "SizesAsPrinted",
    "Source",
    "Space",
    "SqueezeNet",
    "Staged",
    "TimesFewer",
    "TimesSmaller",
    "Vgg",
    "check",
    "choice",
    "compress_runs",
    "describe",
    "export_studies",
    "fit_run",
    "fit_study",
    "flag",
    "forget",
    "import_published",
    "import_studies",
    "load_model",
    "load_runs",
    "open_dataset",
    "plan",
    "predict",
    "query",
    "real",
    "reproduce",
    "reproduce_all",
    "scan_layers",
    "search",
    "share",
    "sweep",
    "sweep_all",
    "text",
    "whole",
]


def __getattr__(name: str) -> Any:
    if name in _ELSEWHERE:
        module = importlib.import_module(f"dse.{_ELSEWHERE[name]}")
        return getattr(module, name)
    if name[:1].isupper() and importlib.util.find_spec(f"dse.families.{name.lower()}"):
        return getattr(importlib.import_module(f"dse.families.{name.lower()}"), name)
    raise AttributeError(f"module 'dse' has no attribute {name!r}")
