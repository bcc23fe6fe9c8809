"""How the cells of a column are written in a file: texts ↦ whole numbers and back, to the letter."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from vaekit.data.columns import MOST_DECIMALS, Column
from vaekit.data.delimited import MISSING

CODED, MISSED, ODD = range(3)  # of a cell: a whole number says it, it is missing, or it is written otherwise
MOST = 2**40  # values of a column
TRIED = 1000  # different texts from which a style is chosen
AROUND = " \t\"'"


def _as_date(unit: str, space: str = "T") -> Callable[[float], str]:
    return lambda value: str(np.datetime64(round(value), "s").astype(f"M8[{unit}]")).replace("T", space)


NUMBERS: dict[str, Callable[[float], str]] = {
    **{str(digits): f"{{:.{digits}f}}".format for digits in range(MOST_DECIMALS + 1)},
    "short": lambda value: f"{value:.{MOST_DECIMALS}f}".rstrip("0").rstrip("."),
    "float": repr,
}
DATES = {"day": _as_date("D"), **{unit + gap: _as_date(unit, gap) for unit in "ms" for gap in "T "}}


@dataclass(frozen=True)
class Spelling:
    """The texts of the ``count`` values of a column: the number ``low`` + step · s in a ``style``, between what is
    always around it, or the s-th of the values that are named, spelled as is usual or as ``names`` says.

    ``missing`` is how missing cells are written.
    """

    low: float
    count: int
    style: str = ""
    before: str = ""
    after: str = ""
    missing: str = ""
    names: tuple[tuple[int, str], ...] = ()

    @classmethod
    def learn(cls, column: Column, texts: Iterable[str]) -> Spelling | None:
        """From all cells of a column; None for continuous numbers, and where most cells have another form."""
        if column.step is None:
            return None
        counts = Counter(texts)
        empty = [text for text, _ in counts.most_common() if text.strip().lower() in MISSING]
        for text in empty:
            del counts[text]
        found = _named(column, counts) if column.values else _numbered(column, counts)
        if found is None or found.count > MOST:
            return None
        return cls(**{**asdict(found), "missing": empty[0] if empty else ""})

    @classmethod
    def from_json(cls, column: Column, content: Mapping[str, Any]) -> Spelling:
        """What ``to_json`` gave. Raises ValueError where it does not fit the column."""
        try:
            names = tuple((int(place), str(text)) for place, text in content.get("names", ()))
            found = cls(**{**content, "names": names})
            most = len(column.values) or MOST
            fine = (
                type(found.count) is int
                and 0 < found.count <= most
                and math.isfinite(found.low)
                and column.step is not None
            )
            fine = fine and (bool(column.values) or found.style in (DATES if column.kind == "datetime" else NUMBERS))
            texts = all(isinstance(text, str) for text in (found.before, found.after, found.missing))
        except (TypeError, ValueError) as error:
            raise ValueError(f"the spelling of column {column.name!r} cannot be read ({error})") from error
        if not (fine and texts):
            raise ValueError(f"the spelling of column {column.name!r} does not fit the run's")
        return found

    def to_json(self) -> dict[str, Any]:
        """What differs from the usual."""
        content = {name: value for name, value in asdict(self).items() if value not in ("", ())}
        return content | ({"names": [list(name) for name in self.names]} if self.names else {})

    def read(self, column: Column, texts: Iterable[str]) -> tuple[np.ndarray, np.ndarray]:
        """The whole number and the state of each cell (N,); a cell is coded only if its number gives the same text."""
        texts = list(texts)
        distinct = list(set(texts))
        numbers = self._numbers(column, distinct)
        again = self.write(column, numbers)
        states = [
            MISSED if text == self.missing else CODED if text == own else ODD
            for text, own in zip(distinct, again, strict=True)
        ]
        places = {text: place for place, text in enumerate(distinct)}
        at = np.fromiter(map(places.__getitem__, texts), np.int64, len(texts))
        states = np.array(states, np.uint8)
        return np.where(states == CODED, numbers, 0)[at], states[at]

    def write(self, column: Column, numbers: np.ndarray) -> list[str]:
        """The texts of whole numbers (N,). Raises ValueError for numbers that there are not."""
        if len(numbers) and not 0 <= numbers.min() <= numbers.max() < self.count:
            raise ValueError(f"column {column.name!r} has {self.count} values, not a number {numbers.max()}")
        distinct, at = np.unique(numbers, return_inverse=True)
        if column.values:
            names = dict(self.names)
            texts = [names.get(int(place), str(column.values[place])) for place in distinct]
        else:
            style = (DATES if column.kind == "datetime" else NUMBERS)[self.style]
            texts = [self.before + style(value) + self.after for value in self._values(column, distinct)]
        return np.array(texts, object)[at].tolist()

    def _numbers(self, column: Column, texts: list[str]) -> np.ndarray:
        """The nearest of each text, 0 where it has none."""
        if column.values:
            places = _places(column)
            own = {text: place for place, text in self.names}
            return np.array([own.get(text, _place(places, text)) or 0 for text in texts], np.int64)
        values = np.array([_number(column, text) for text in texts], np.float64)
        numbers = np.rint((values - self.low) / (column.step or 1))
        fine = (numbers >= 0) & (numbers < self.count)
        return np.where(fine, numbers, 0).astype(np.int64)

    def _values(self, column: Column, numbers: np.ndarray) -> list[float]:
        return np.round(self.low + numbers * (column.step or 1), MOST_DECIMALS).tolist()


def _named(column: Column, counts: Counter[str]) -> Spelling | None:
    """Each value by its most frequent text."""
    places, names = _places(column), {}
    for text, _ in counts.most_common():
        place = _place(places, text)
        if place is not None:
            names.setdefault(place, text)
    unusual = tuple((place, text) for place, text in sorted(names.items()) if text != str(column.values[place]))
    return Spelling(0.0, len(column.values), names=unusual) if names else None


def _numbered(column: Column, counts: Counter[str]) -> Spelling | None:
    """The style that gives most texts back, on the range of the numbers."""
    usual = [text for text, _ in counts.most_common(TRIED)]
    if not usual:
        return None
    first = usual[0]
    before, after = first[: len(first) - len(first.lstrip(AROUND))], first[len(first.rstrip(AROUND)) :]
    values = np.array([_number(column, text) for text in counts], np.float64)
    fine = np.isfinite(values)
    if not fine.any():
        return None
    low, high = float(values[fine].min()), float(values[fine].max())
    count = round((high - low) / (column.step or 1)) + 1
    best, most = None, 0
    for style in DATES if column.kind == "datetime" else NUMBERS:
        found = Spelling(low, count, style, before, after)
        right = sum(counts[text] for text, state in zip(usual, found.read(column, usual)[1], strict=True) if not state)
        if right > most:
            best, most = found, right
    return best if 2 * most > sum(counts[text] for text in usual) else None


def _number(column: Column, text: str) -> float:
    """NaN where it is none."""
    try:
        if column.kind == "datetime":
            return float(np.datetime64(text.strip(AROUND), "s").astype(np.int64))
        value = float(text.strip(AROUND))
    except (ValueError, OverflowError):
        return math.nan
    return value if math.isfinite(value) else math.nan


def _places(column: Column) -> dict[Any, int]:
    return {
        key: place
        for place, value in enumerate(column.values)
        for key in (str(value), *([str(value).lower()] if isinstance(value, bool) else []), *_alias(value))
    }


def _alias(value: Any) -> tuple[float, ...]:
    return (float(value),) if isinstance(value, int | float) else ()


def _place(places: Mapping[Any, int], text: str) -> int | None:
    """Of the value that a text names."""
    plain = text[1:-1].replace('""', '"') if len(text) > 1 and text[0] == text[-1] == '"' else text
    for key in (plain, plain.strip().lower()):
        if key in places:
            return places[key]
    try:
        return places.get(float(plain))
    except ValueError:
        return None
