"""Names and JSON ↔ objects: registry, requests, presets, runs. Names are imported when first used, as in ``vaekit``."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .assemble import build_model, build_objective, build_settings, support_of
    from .comparison import Comparison, compare, requests, runs_of
    from .defaults import complete
    from .examples import Examples, choose_examples, parts_of, plan
    from .items import load_run_data, training_items
    from .learning import resume, train
    from .presets import PRESETS, preset
    from .refitting import refit
    from .registry import build, members, spell
    from .request import TrainRequest, read_config_file
    from .run import Run
    from .synthesis import synthesize, train_synthesizer

__all__ = [
    "PRESETS",
    "Comparison",
    "Examples",
    "Run",
    "TrainRequest",
    "build",
    "build_model",
    "build_objective",
    "build_settings",
    "choose_examples",
    "compare",
    "complete",
    "load_run_data",
    "members",
    "parts_of",
    "plan",
    "preset",
    "read_config_file",
    "refit",
    "requests",
    "resume",
    "runs_of",
    "spell",
    "support_of",
    "synthesize",
    "train",
    "train_synthesizer",
    "training_items",
]

_WHERE = {
    "assemble": ("build_model", "build_objective", "build_settings", "support_of"),
    "comparison": ("Comparison", "compare", "requests", "runs_of"),
    "defaults": ("complete",),
    "examples": ("Examples", "choose_examples", "parts_of", "plan"),
    "items": ("load_run_data", "training_items"),
    "learning": ("resume", "train"),
    "presets": ("PRESETS", "preset"),
    "refitting": ("refit",),
    "registry": ("build", "members", "spell"),
    "request": ("TrainRequest", "read_config_file"),
    "run": ("Run",),
    "synthesis": ("synthesize", "train_synthesizer"),
}
_MODULE_OF = {name: module for module, names in _WHERE.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'vaekit.recipes' has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
