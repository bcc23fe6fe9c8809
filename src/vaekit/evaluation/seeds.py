"""Means over seeds with intervals, and who is better as far as the intervals allow to say."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

LEVEL = 0.95
Better = Literal["higher", "lower"]


@dataclass(frozen=True)
class SeedMean:
    """The mean over n seeds and half the width of its confidence interval, None for a single seed."""

    mean: float
    half: float | None
    n: int

    @classmethod
    def of(cls, values: Sequence[float], level: float = LEVEL) -> SeedMean:
        """Student's interval: mean ± t · s / √n with n - 1 degrees of freedom. Raises ValueError without values."""
        if not len(values):
            raise ValueError("an interval needs at least one value, got none")
        if len(values) == 1:
            return cls(float(values[0]), None, 1)
        error = float(np.std(values, ddof=1)) / math.sqrt(len(values))
        return cls(float(np.mean(values)), float(stats.t.ppf((1 + level) / 2, len(values) - 1)) * error, len(values))


def winner(values: Mapping[str, Sequence[float]], better: Better, level: float = LEVEL) -> str | None:
    """The entrant that is better than every other, None where the intervals do not allow to say so.

    Each difference of the best mean to another is tested by Welch's test at ``level``, corrected for the number of
    rivals (Bonferroni). With a single seed of the best or of a rival nothing can be said.
    """
    if len(values) < 2:
        return None
    sign = 1 if better == "higher" else -1
    best = max(values, key=lambda name: sign * float(np.mean(values[name])))
    rivals = [name for name in values if name != best]
    return best if all(_is_above(values[best], values[name], sign, level, len(rivals)) for name in rivals) else None


def _is_above(a: Sequence[float], b: Sequence[float], sign: int, level: float, tests: int) -> bool:
    if min(len(a), len(b)) < 2:
        return False
    difference = sign * (float(np.mean(a)) - float(np.mean(b)))
    parts = [float(np.var(values, ddof=1)) / len(values) for values in (a, b)]
    if not sum(parts):  # no seed makes a difference, as for methods in closed form
        return difference > 0
    freedom = sum(parts) ** 2 / sum(part**2 / (len(v) - 1) for part, v in zip(parts, (a, b), strict=True))
    return difference / math.sqrt(sum(parts)) > float(stats.t.ppf(1 - (1 - level) / (2 * tests), freedom))
