"""One loop for everything: steps, schedules, precision, checkpoints, progress."""

from .checkpoint import load_state, save_state
from .device import Precision, choose_device
from .distributed import Workers, workers
from .feed import Feed
from .interrupts import Interrupted
from .loop import Settings, Training
from .progress import PlainReporter, Reporter, RichReporter, TensorBoardReporter, default_reporter
from .schedules import Constant, Cosine, OneCycle, Schedule
from .step import Step

__all__ = [
    "Constant",
    "Cosine",
    "Feed",
    "Interrupted",
    "OneCycle",
    "PlainReporter",
    "Precision",
    "Reporter",
    "RichReporter",
    "Schedule",
    "Settings",
    "Step",
    "TensorBoardReporter",
    "Training",
    "Workers",
    "choose_device",
    "default_reporter",
    "load_state",
    "save_state",
    "workers",
]
