"""Learning rates over the course of training, as factors of the base rate."""

import math
from abc import ABC, abstractmethod


class Schedule(ABC):
    """Progress in [0, 1] ↦ a factor. The constructor's signature is the configuration."""

    @abstractmethod
    def __call__(self, progress: float) -> float:
        """The factor of the base rate at this share of the steps."""


class Constant(Schedule):
    """The base rate throughout."""

    def __call__(self, progress: float) -> float:
        """Always 1."""
        return 1.0


class Cosine(Schedule):
    """A linear rise over the first ``warmup`` of the steps, then half a cosine down to ``final``."""

    def __init__(self, warmup: float = 0.02, final: float = 0.01):
        _check(warmup=warmup, final=final)
        self.warmup, self.final = warmup, final

    def __call__(self, progress: float) -> float:
        """1 at the end of the warm-up."""
        if progress < self.warmup:
            return max(progress / self.warmup, 1e-3)
        return _fall((progress - self.warmup) / max(1 - self.warmup, 1e-9), 1.0, self.final)


class OneCycle(Schedule):
    """Half a cosine up from ``start`` to 1 over the first ``rise`` of the steps, and down to ``final`` (Smith,
    2018).
    """

    def __init__(self, rise: float = 0.25, start: float = 0.1, final: float = 0.001):
        _check(rise=rise, start=start, final=final)
        self.rise, self.start, self.final = rise, start, final

    def __call__(self, progress: float) -> float:
        """1 at the peak."""
        if progress < self.rise:
            return _fall(progress / self.rise, self.start, 1.0)
        return _fall((progress - self.rise) / max(1 - self.rise, 1e-9), 1.0, self.final)


def _fall(position: float, begin: float, end: float) -> float:
    return end + (begin - end) * 0.5 * (1 + math.cos(math.pi * min(position, 1.0)))


def _check(**values: float) -> None:
    for name, value in values.items():
        if not 0 <= value <= 1:
            raise ValueError(f"a schedule's {name} is a share between 0 and 1, got {value}")
