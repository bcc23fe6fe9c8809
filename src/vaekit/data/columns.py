"""One column of a table: what its values are, and how they map to the numbers that a model sees, and back."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import repeat
from typing import Any, Literal

import numpy as np

from vaekit.data.delimited import MISSING, is_number
from vaekit.data.natives import is_missing

ColumnKind = Literal["real", "positive", "count", "bounded", "ordinal", "boolean", "categorical", "datetime"]
Unknown = Literal["error", "missing"]
CATEGORIES = ("boolean", "categorical")
MOST_DECIMALS = 6
FARTHEST = 1e12  # from the offset, in units of the scale: squares are finite in float32 up to there
DAY = 86400.0


@dataclass(frozen=True)
class Column:
    """A column by ``name``, of the type that its library calls ``dtype``.

    Numbers, dates among them as seconds since 1970 in UTC, map to (value - offset) / scale; ``step`` is the distance
    between neighbouring recorded values (None if they are continuous), ``low`` and ``high`` the observed range,
    ``spikes`` values recorded far more often than others. Values that are named in ``values`` are numbered by their
    position there: those of categories, which have no order, and those of ordinal columns of texts, which have.

    Model units are float32: values come back exactly as long as they are less than 2²³ steps from ``offset``, others
    (and continuous ones) with seven digits of their distance from it.
    """

    name: str
    kind: ColumnKind
    dtype: str
    offset: float = 0.0
    scale: float = 1.0
    step: float | None = None
    low: float = -math.inf
    high: float = math.inf
    spikes: tuple[float, ...] = ()
    values: tuple[str | float | bool, ...] = ()

    @property
    def is_category(self) -> bool:
        """Whether its values have no order."""
        return self.kind in CATEGORIES

    @property
    def is_constant(self) -> bool:
        """Whether it had a single value."""
        return self.low == self.high

    @property
    def extent(self) -> str:
        """The range, for people."""
        if self.kind != "datetime":
            ends = (float(self.low), float(self.high))
            return " to ".join(f"{end:,.0f}" if end.is_integer() and abs(end) < 1e9 else f"{end:,.6g}" for end in ends)
        unit = "D" if (self.step or 1) % DAY == 0 else "s"
        return " to ".join(str(np.datetime64(round(end), "s").astype(f"M8[{unit}]")) for end in (self.low, self.high))

    def encode(self, raw: np.ndarray, unknown: Unknown = "error") -> np.ndarray:
        """Raw values (N,) ↦ model units, float64, NaN where missing; beyond :data:`FARTHEST` they count as that far.

        Values that are not among ``values`` are a ValueError or, with ``unknown="missing"``, count as missing:
        :meth:`unseen` says which they are. Raises ValueError also for infinite numbers and for texts that are none.
        """
        if not self.values:
            numbers = self._numbers(raw)
        else:
            numbers = self._positions(raw)
            if unknown == "error" and (numbers < 0).any():
                value = raw[np.argmax(numbers < 0)]
                known = ", ".join(map(str, self.values[:5])) + (", …" if len(self.values) > 5 else "")
                raise ValueError(
                    f"column {self.name!r} holds {value!r}, which was not among the {len(self.values)} values of the "
                    f"training data ({known}); replace it, or leave the cell empty"
                )
            numbers[numbers < 0] = math.nan
        return ((numbers - self.offset) / self.scale).clip(-FARTHEST, FARTHEST)

    def unseen(self, raw: np.ndarray) -> np.ndarray:
        """Which values (N,) are not among those named in ``values``; none of a column of numbers."""
        return self._positions(raw) < 0 if self.values else np.zeros(len(raw), bool)

    def decode(self, x: np.ndarray) -> np.ndarray:
        """Model units (N,) ↦ raw values, rounded to the recorded step and kept within the observed range."""
        numbers = np.asarray(x, np.float64) * self.scale + self.offset
        if self.step is not None:
            numbers = np.round(self.low + np.rint((numbers - self.low) / self.step) * self.step, MOST_DECIMALS)
        numbers = np.clip(numbers, self.low, self.high)
        if self.values:
            return self._named(numbers)
        if self.kind == "datetime":
            return _from_seconds(numbers, "M", whole=self.dtype == "object" and (self.step or 1) % DAY == 0)
        return self._typed(numbers)

    def constant(self, n: int) -> np.ndarray:
        """The value of a constant column n times."""
        return self.decode(np.zeros(n))

    def _numbers(self, raw: np.ndarray) -> np.ndarray:
        if (self.kind == "datetime") != (raw.dtype.kind == "M") and raw.dtype != object:
            what = "dates" if self.kind == "datetime" else "numbers"
            raise ValueError(f"column {self.name!r} holds {raw.dtype}, but {what} in the training data; convert it")
        if self.kind == "datetime" and raw.dtype == object:
            raw = _as_dates(raw, self.name)
        numbers = as_numbers(raw, self.name)
        if np.isinf(numbers).any():
            raise ValueError(infinite(self.name))
        return numbers

    def _positions(self, raw: np.ndarray) -> np.ndarray:
        """Positions in ``values``, NaN where missing and -1 where unseen."""
        places = {value: float(place) for place, value in enumerate(self.values)}
        found = np.fromiter(map(places.get, raw.tolist(), repeat(-1.0)), np.float64, len(raw))
        odd = np.flatnonzero(found < 0)
        for row, value in zip(odd, raw[odd].tolist(), strict=True):
            found[row] = math.nan if is_missing(value) else places.get(str(value), -1.0)
        return found

    def _named(self, numbers: np.ndarray) -> np.ndarray:
        missing = np.isnan(numbers)
        values = np.array([*self.values, None], object)
        named = values[np.where(missing, len(self.values), np.nan_to_num(numbers)).astype(int)]
        if isinstance(self.values[0], str) or self.dtype == "object":
            return named
        if "bool" in self.dtype.lower():
            return named if missing.any() else named.astype(bool)
        return self._typed(named.astype(np.float64))

    def _typed(self, numbers: np.ndarray) -> np.ndarray:
        kind = self.dtype.lower()
        if "duration" in kind or "timedelta" in kind:
            return _from_seconds(numbers, "m")
        whole = "int" in kind and not np.isnan(numbers).any()
        return np.rint(numbers).astype(np.int64) if whole else numbers


def as_numbers(raw: np.ndarray, name: str = "") -> np.ndarray:
    """Float64, NaN where missing; dates in seconds since 1970; texts as the numbers they spell.

    Raises ValueError for a text that spells none.
    """
    if raw.dtype.kind in "mM":
        numbers = raw.astype(f"{raw.dtype.kind}8[us]").astype(np.int64) / 1e6
        return np.where(np.isnat(raw), np.nan, numbers)
    try:
        return raw.astype(np.float64)  # None is NaN
    except (TypeError, ValueError):
        distinct = {value: _number(value, name) for value in set(raw.tolist())}
        return np.fromiter(map(distinct.__getitem__, raw.tolist()), np.float64, len(raw))


def infinite(name: str) -> str:
    """What is said of infinite numbers."""
    return f"column {name!r} holds infinity (inf); replace it by a number, or by NaN if it stands for missing"


def _number(value: Any, name: str) -> float:
    if is_missing(value) or str(value).strip().lower() in MISSING:
        return math.nan
    if not is_number(value):
        raise ValueError(f"column {name!r} holds {value!r}, where numbers are expected; correct it or leave it empty")
    return float(value)


def _as_dates(raw: np.ndarray, name: str) -> np.ndarray:
    try:
        return raw.astype("datetime64[us]")
    except ValueError as error:
        raise ValueError(f"column {name!r} holds texts that are no ISO dates ({error}); convert it") from error


def _from_seconds(numbers: np.ndarray, letter: str, *, whole: bool = False) -> np.ndarray:
    missing = np.isnan(numbers)
    ticks = np.rint(np.where(missing, 0, numbers) * 1e6).astype(np.int64).astype(f"{letter}8[us]")
    ticks[missing] = np.array("NaT", ticks.dtype)
    return ticks.astype("datetime64[D]") if whole else ticks
