"""Names and JSON ↔ objects: registry, requests, presets, runs."""

from .build import build_model, build_objective, build_settings, support_of
from .defaults import complete
from .presets import PRESETS, preset
from .registry import build, members, spell
from .request import TrainRequest, read_config_file
from .run import Run, load_run_data, resume, train, training_items

__all__ = [
    "PRESETS",
    "Run",
    "TrainRequest",
    "build",
    "build_model",
    "build_objective",
    "build_settings",
    "complete",
    "load_run_data",
    "members",
    "preset",
    "read_config_file",
    "resume",
    "spell",
    "support_of",
    "train",
    "training_items",
]
