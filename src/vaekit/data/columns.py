"""One column of a table: what its values are, and how they map to the numbers that a model sees, and back."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

ColumnKind = Literal["real", "positive", "count", "bounded", "ordinal", "boolean", "categorical", "datetime"]
CATEGORIES = ("boolean", "categorical")
FEW = 12  # whole numbers that take no more values than this are ordinal
MOST_DECIMALS = 6
SPIKE = 0.05  # share of the rows at one value of a column that takes many


@dataclass(frozen=True)
class Column:
    """A column by ``name``, of narwhals' type ``dtype``.

    Numbers, dates among them as seconds, map to (value - offset) / scale; ``step`` is the distance between neighbouring
    recorded values (None if they are continuous), ``low`` and ``high`` the observed range, ``spikes`` values of more
    than a twentieth of the rows. Categories map to their position in ``values``.
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

    @classmethod
    def infer(cls, name: str, raw: np.ndarray, dtype: str) -> Column:
        """What the values look like. Raises ValueError for a column without values, or with a single one."""
        if raw.dtype.kind in "OUSb":
            return cls._categories(name, raw, dtype)
        numbers = as_numbers(raw)
        numbers = numbers[~np.isnan(numbers)]
        distinct, counts = np.unique(numbers, return_counts=True)
        if not np.isfinite(distinct).all():
            raise ValueError(f"column {name!r} holds infinite values; replace them by numbers, or by NaN for missing")
        if len(distinct) < 2:
            raise ValueError(f"column {name!r} is {'constant' if len(distinct) else 'empty'}; leave it out")
        step = _step(distinct)
        spikes = distinct[counts > SPIKE * len(numbers)] if len(distinct) > FEW else distinct[:0]
        return cls(
            name, _kind(raw, distinct, step), dtype, float(numbers.mean()), float(numbers.std()) or 1.0, step,
            float(distinct[0]), float(distinct[-1]), tuple(spikes.tolist()),
        )  # fmt: skip

    @classmethod
    def _categories(cls, name: str, raw: np.ndarray, dtype: str) -> Column:
        present = [value for value in raw.tolist() if not _is_missing(value)]
        values = sorted(set(present), key=str)
        if len(values) < 2:
            raise ValueError(f"column {name!r} is {'constant' if values else 'empty'}; leave it out")
        kind = "boolean" if all(isinstance(value, bool) for value in values) else "categorical"
        return cls(name, kind, dtype, step=1.0, low=0.0, high=len(values) - 1.0, values=tuple(values))

    @property
    def is_category(self) -> bool:
        """Whether its values have no order."""
        return self.kind in CATEGORIES

    def encode(self, raw: np.ndarray) -> np.ndarray:
        """Raw values (N,) ↦ model units, float64, NaN where missing. Raises ValueError for unknown categories."""
        if not self.is_category:
            return (as_numbers(raw) - self.offset) / self.scale
        places = {value: float(place) for place, value in enumerate(self.values)}
        try:
            return np.array([math.nan if _is_missing(value) else places[value] for value in raw.tolist()])
        except KeyError as error:
            raise ValueError(
                f"column {self.name!r} holds the value {error}, which was not among the training data's"
            ) from error

    def decode(self, x: np.ndarray) -> np.ndarray:
        """Model units (N,) ↦ raw values, rounded to the recorded step and kept within the observed range."""
        if self.is_category:
            values = np.array([*self.values, None], object)
            return values[np.where(np.isnan(x), len(self.values), np.nan_to_num(x)).round().astype(int)]
        numbers = np.asarray(x, np.float64) * self.scale + self.offset
        if self.step is not None:
            numbers = self.low + np.rint((numbers - self.low) / self.step) * self.step
            numbers = np.round(numbers, MOST_DECIMALS)
        numbers = np.clip(numbers, self.low, self.high)
        if self.kind == "datetime":
            return np.where(np.isnan(numbers), np.datetime64("NaT"), (numbers * 1e6).astype("datetime64[us]"))
        whole = self.dtype.lower().startswith(("int", "uint")) and not np.isnan(numbers).any()
        return numbers.astype(self.dtype.lower()) if whole else numbers


def as_numbers(raw: np.ndarray) -> np.ndarray:
    """Float64, NaN where missing; dates in seconds since 1970."""
    if raw.dtype.kind == "M":
        numbers = raw.astype("datetime64[us]").astype(np.int64) / 1e6
        return np.where(np.isnat(raw), np.nan, numbers)
    return raw.astype(np.float64)


def _kind(raw: np.ndarray, distinct: np.ndarray, step: float | None) -> ColumnKind:
    if raw.dtype.kind == "M":
        return "datetime"
    low, high = distinct[0], distinct[-1]
    if step is not None and float(step).is_integer() and np.equal(distinct, np.rint(distinct)).all():
        return "ordinal" if len(distinct) <= FEW else "count" if low >= 0 else "real"
    if low >= 0 and high <= 1:
        return "bounded"
    return "positive" if low > 0 else "real"


def _step(distinct: np.ndarray) -> float | None:
    """The largest 1, 0.1, 0.01, … of which all values are multiples, or a whole multiple of it; None if there is none."""
    for decimals in range(MOST_DECIMALS + 1):
        scaled = distinct * 10.0**decimals
        whole = np.rint(scaled)
        if np.abs(scaled).max() < 2**53 and np.allclose(scaled, whole, rtol=1e-9, atol=1e-6):
            return float(np.gcd.reduce(np.diff(whole.astype(np.int64)))) / 10.0**decimals
    return None


def _is_missing(value: Any) -> bool:
    return value is None or value != value
