"""What the values of a column look like: its kind, precision, range and spikes, or why it cannot be used."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from vaekit.data.columns import MISSING, MOST_DECIMALS, Column, ColumnKind, as_numbers, infinite, is_number
from vaekit.data.delimited import COMMA, GROUPED
from vaekit.data.natives import declared_categories, is_missing

FEW = 12  # whole numbers that take no more values than this are ordinal; so many texts are categories in any case
MOST_CATEGORIES = 1000
REPEATED = 3  # how often a few values occur at least, on average
LONG = 40  # characters of a text that is more than a name
SPIKE, AS_OFTEN = 0.05, 5  # share of the rows at one value, and how many times more than at others on average
OFF_GRID = 1e-3  # steps
EXACT = 2**53  # up to which every whole number has a float64
BEYOND = "whole numbers beyond 2^53, whose last digits would be lost; subtract a number, or make them texts"
ROW_NAMES = ("id", "index", "key", "row", "uuid", "guid", "unnamed: 0")
MOMENTS = (86400.0, 3600.0, 60.0, 1.0, 1e-3)  # seconds between recorded dates


class LeftOutError(ValueError):
    """Why a column cannot be used."""


def infer_column(name: str, raw: np.ndarray, dtype: str, choice: Mapping[str, Any] | None = None) -> Column:
    """The column of raw values (N,); a ``choice`` (see :mod:`vaekit.data.schemafile`) goes before what they look like.

    A column of one value is returned with ``is_constant``. Raises LeftOutError, whose text is the reason, for columns
    without values, of mixed types, of identifiers and of free text; ValueError for infinite numbers and for values that
    contradict the choice.
    """
    choice = choice or {}
    kind = choice.get("kind")
    if kind == "left-out":
        raise LeftOutError(str(choice.get("reason", "as its schema says")))
    if raw.dtype.kind not in "biufMmO":
        raise LeftOutError(f"of type {dtype}, which a model cannot take")
    if "values" in choice or kind in ("boolean", "categorical") or (kind is None and declared_categories(dtype)[0]):
        return _categories(name, raw, dtype, choice)
    if raw.dtype.kind in "bO" and kind is None:
        spelled = _check_texts(raw) if raw.dtype == object else False
        if not spelled:
            return _categories(name, raw, dtype, choice)
    return _numbers(name, raw, dtype, choice)


def _check_texts(raw: np.ndarray) -> bool:
    """Whether texts are numbers; LeftOutError for those that are neither numbers nor categories."""
    types = {kind.__name__ for kind in set(map(type, raw.tolist())) - {type(None)}}
    if len(types) > 1:
        raise LeftOutError(f"mixed: it holds values of the types {', '.join(sorted(types))}; convert them to one")
    if types == {"int"}:
        raise LeftOutError(BEYOND)
    if types - {"str", "bool", "bool_"}:
        raise LeftOutError(f"of {types.pop()} objects, which a model cannot take")
    counts = Counter(raw.tolist())
    del counts[None]
    n, distinct = counts.total(), len(counts)
    if distinct <= FEW or types != {"str"}:
        return False
    spelled = [value for value in counts if value.strip().lower() not in MISSING]
    others = [value for value in spelled if not is_number(value) or _is_coded(value)]
    if not others:
        return True
    if all(GROUPED.fullmatch(value.strip()) or COMMA.fullmatch(value.strip()) for value in spelled):
        raise LeftOutError(f"texts of numbers with separators, such as {others[0]!r}; convert them to numbers")
    if len(others) < len(spelled) / 2 and not any(map(_is_coded, others)):
        raise LeftOutError(
            f"mixed: most cells are numbers, but others are not, such as {others[0]!r}; correct or empty them"
        )
    if sum(map(_is_date, spelled)) == len(spelled):
        raise LeftOutError("texts of dates; convert them to dates")
    if np.mean([len(value) for value in spelled]) > LONG:
        raise LeftOutError("free text")
    if distinct > n / 2:
        raise LeftOutError(f"identifier: {'every' if distinct == n else 'nearly every'} row has a text of its own")
    if distinct > MOST_CATEGORIES:
        raise LeftOutError(f"{distinct:,} different texts, more than {MOST_CATEGORIES:,}; merge the rare ones")
    return False


def _categories(name: str, raw: np.ndarray, dtype: str, choice: Mapping[str, Any]) -> Column:
    if raw.dtype.kind in "mM":
        raise ValueError(f"column {name!r} holds dates, which cannot be {choice.get('kind', 'named by values')}")
    counts = Counter(raw.tolist())
    counts = {value: count for value, count in counts.items() if not is_missing(value)}
    declared, ordered = declared_categories(dtype)
    if "values" in choice:
        values = tuple(choice["values"])
        strange = [value for value in counts if value not in values]
        if strange:
            raise ValueError(f"column {name!r} holds {strange[0]!r}, which is not among the values of its schema")
    elif declared:
        values = tuple(value for value in declared if value in counts)
    else:
        values = tuple(sorted(counts, key=lambda value: (str(type(value)), value)))
    if not values:
        raise LeftOutError("empty: no cell holds a value")
    flags = set(values) <= {False, True} and len(values) == 2
    kind: ColumnKind = choice.get("kind") or ("ordinal" if ordered else "boolean" if flags else "categorical")
    values = (False, True) if flags else values
    column = Column(name, kind, dtype, step=1.0, low=0.0, high=len(values) - 1.0, values=values)
    if column.is_category:
        return column
    positions = column.encode(raw)
    return replace(column, offset=float(np.nanmean(positions)), scale=float(np.nanstd(positions)) or 1.0)


def _numbers(name: str, raw: np.ndarray, dtype: str, choice: Mapping[str, Any]) -> Column:
    numbers = as_numbers(raw if choice.get("kind") != "datetime" or raw.dtype != object else raw.astype("M8[us]"), name)
    n = int(np.count_nonzero(~np.isnan(numbers)))
    distinct, counts = np.unique(numbers[~np.isnan(numbers)], return_counts=True)
    if not n:
        raise LeftOutError("empty: no cell holds a value")
    if not np.isfinite(distinct).all():
        raise ValueError(infinite(name))
    whole = raw.dtype == object or ("int" in dtype.lower() and raw.dtype.kind not in "mM")
    if whole and np.abs(distinct).max() > EXACT:
        raise LeftOutError(BEYOND)
    kind = choice.get("kind")
    if kind is None and raw.dtype.kind in "iu" and _is_row_number(name, distinct, n):
        raise LeftOutError("identifier: every row has a number of its own")
    if kind is None and distinct.tolist() == [0.0, 1.0] and raw.dtype.kind != "m":
        return Column(name, "boolean", dtype, step=1.0, low=0.0, high=1.0, values=(False, True))
    step = choice.get("step", _moment(distinct) if raw.dtype.kind in "mM" else recorded_step(distinct, n, _eps(raw)))
    kind = kind or ("datetime" if raw.dtype.kind == "M" else number_kind(distinct, n, step))
    if kind == "ordinal" and step is None:
        raise ValueError(f"column {name!r} cannot be ordinal, as its values lie on no grid; give it a step")
    low, high = (_end(choice, end, value) for end, value in (("low", distinct[0]), ("high", distinct[-1])))
    places = (distinct - low) / step if step and "step" in choice else np.zeros(1)
    if (off := np.abs(places - np.rint(places)) > OFF_GRID).any():
        raise ValueError(f"column {name!r} holds {distinct[off][0]:g}, which is no multiple of {step:g} from {low:g}")
    if kind in ("bounded", "ordinal") and not low <= distinct[0] <= distinct[-1] <= high:
        raise ValueError(f"column {name!r} goes from {distinct[0]:g} to {distinct[-1]:g}, beyond {low:g} to {high:g}")
    spikes = choice.get("spikes", _spikes(distinct, counts, step))
    return Column(name, kind, dtype, *_scaling(distinct, counts), step or None, low, high, tuple(map(float, spikes)))


def number_kind(distinct: np.ndarray, n: int, step: float | None) -> ColumnKind:
    """Of distinct numbers that ascend, of ``n`` cells: whole numbers are ordinal if few and repeated, else counts."""
    low, high = distinct[0], distinct[-1]
    if step is not None and float(step).is_integer() and np.equal(distinct, np.rint(distinct)).all():
        few = len(distinct) <= FEW and n >= REPEATED * len(distinct)
        return "real" if low == high else "ordinal" if few else "count" if low >= 0 else "real"
    if low >= 0 and high <= 1:
        return "bounded"
    return "positive" if low > 0 else "real"


def recorded_step(distinct: np.ndarray, n: int, eps: float) -> float | None:
    """The largest 1, 0.1, 0.01, … of which all values are multiples, within ``eps`` times their size; a whole multiple
    of it where enough values agree; None if there is none.
    """
    for decimals in range(MOST_DECIMALS + 1):
        scaled = distinct * 10.0**decimals
        tolerance = 4 * eps * np.abs(scaled)
        if tolerance.max() > 0.01:  # one could not tell
            return None
        whole = np.rint(scaled)
        if (np.abs(scaled - whole) <= tolerance).all():
            enough = len(distinct) >= 10 or n >= 10 * len(distinct) > 10
            return (float(np.gcd.reduce(np.diff(whole.astype(np.int64)))) if enough else 1.0) / 10.0**decimals
    return None


def _moment(seconds: np.ndarray) -> float:
    ticks = np.rint(seconds * 1e6).astype(np.int64)
    return next((step for step in MOMENTS if not (ticks % round(step * 1e6)).any()), 1e-6)


def _eps(raw: np.ndarray) -> float:
    return float(np.finfo(raw.dtype if raw.dtype.kind == "f" else float).eps)


def _scaling(distinct: np.ndarray, counts: np.ndarray) -> tuple[float, float]:
    """Mean and standard deviation; what they are divided by keeps large numbers finite."""
    size = max(float(np.abs(distinct).max()), 1e-300)
    small = distinct / size
    mean = float(np.average(small, weights=counts))
    spread = float(np.sqrt(np.average((small - mean) ** 2, weights=counts)))
    span = float(small[-1] - small[0])
    if span == 0:
        return float(distinct[0]), 1.0
    return mean * size, (spread or span) * size


def _spikes(distinct: np.ndarray, counts: np.ndarray, step: float | None) -> np.ndarray:
    """Values that are recorded far more often than others, or, where there is no grid, the repeated ones of a few."""
    if len(distinct) <= FEW:
        return distinct[counts > 1] if not step and counts.sum() >= REPEATED * len(distinct) else distinct[:0]
    return distinct[(counts > SPIKE * counts.sum()) & (counts > AS_OFTEN * counts.mean())]


def _is_row_number(name: str, distinct: np.ndarray, n: int) -> bool:
    """Whether whole numbers count the rows, or are all different in a column whose name says so."""
    if len(distinct) < n or n <= FEW:
        return False
    last = name.lower().replace("-", "_").rsplit("_", 1)[-1]
    counts = distinct[0] in (0, 1) and distinct[-1] - distinct[0] == n - 1
    return bool(counts) or last in ROW_NAMES or (name[-2:] == "Id" or name[-2:] == "ID")


def _is_coded(text: str) -> bool:
    """Whether a text of digits begins with a zero that says something, as 02139."""
    digits = text.strip().lstrip("+-")
    return len(digits) > 1 and digits[0] == "0" and digits.isdigit()


def _is_date(text: str) -> bool:
    try:
        np.datetime64(text.strip())
    except ValueError:
        return False
    return "-" in text


def _end(choice: Mapping[str, Any], end: str, observed: float) -> float:
    given = choice.get(end, observed)
    return float(np.datetime64(given, "us").astype(np.int64) / 1e6) if isinstance(given, str) else float(given)
