"""Kinds of values, and the likelihood to name where another one does not fit them."""

from __future__ import annotations

import math
from typing import NamedTuple

from vaekit.core import Support


class Kind(NamedTuple):
    """A kind of values in words, and the nearest likelihood that fits it."""

    words: str
    nearest: str


BINARY = Kind("two-valued", "bernoulli")
LEVELS = Kind("on a grid with two ends", "discretized-logistic")
COLUMNS = Kind("on grids of their own, column by column", "gaussian")
COUNTS = Kind("counts without an upper end", "negative-binomial")
GRID = Kind("on a grid without a lower end", "gaussian")
INTERVAL = Kind("continuous between two ends", "beta")
POSITIVE = Kind("continuous above a lower end", "log-normal")
LINE = Kind("continuous without a lower end", "gaussian")
EVERY = frozenset({BINARY, LEVELS, COLUMNS, COUNTS, GRID, INTERVAL, POSITIVE, LINE})

_BY_ENDS = {  # (on a grid, has a lower end, has an upper end)
    (True, True, True): COLUMNS,
    (True, True, False): COUNTS,
    (True, False, True): GRID,
    (True, False, False): GRID,
    (False, True, True): INTERVAL,
    (False, True, False): POSITIVE,
    (False, False, True): LINE,
    (False, False, False): LINE,
}


def kind_of(support: Support) -> Kind:
    """The kind of values that all elements have; an end that some elements lack is none."""
    if support.levels is not None:
        return BINARY if support.levels == 2 else LEVELS
    ends = (end if isinstance(end, tuple) else (end,) for end in (support.low, support.high))
    low, high = (all(map(math.isfinite, end)) for end in ends)
    return _BY_ENDS[support.step is not None, low, high]


def bounded_grid(likelihood: str, support: Support) -> tuple[float, float, float]:
    """Low, high and step of a grid that all elements share. Raises ValueError for other values."""
    low, high, step = support.low, support.high, support.step
    if support.levels is None or isinstance(low, tuple) or isinstance(high, tuple) or not isinstance(step, float | int):
        raise unsuitable(likelihood, "values on one grid with two ends, such as 8-bit pixels", support)
    return low, high, step


def unsuitable(likelihood: str, needs: str, support: Support) -> ValueError:
    """The error for values that a likelihood cannot describe."""
    kind = kind_of(support)
    return ValueError(
        f"the {likelihood} likelihood needs {needs}; these are {kind.words}: use likelihood '{kind.nearest}'"
    )
