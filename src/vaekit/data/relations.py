"""Columns of a table that say the same, or more than another one."""

from __future__ import annotations

from collections import defaultdict
from itertools import permutations
from typing import NamedTuple

import numpy as np

from vaekit.data.frames import Table

MOST_COLUMNS = 60  # whose pairs are compared
ROWS_EACH = 10  # rows for each value of a column that is said to determine another one
COMMON = 0.95  # share of its most frequent value beyond which nearly anything determines a column


class Relation(NamedTuple):
    """``follows`` is a function of ``name``; where ``both``, each is one of the other."""

    name: str
    follows: str
    both: bool


def find_relations(table: Table) -> list[Relation]:
    """Columns that determine others in every row of the table, missing cells being a value of their own.

    One-to-one pairs are found among all columns (of columns with many values those that rise or fall together), others
    among the first 60 that have ten rows or more for each of their values.
    """
    n, groups, few = len(table), defaultdict(list), {}
    for name, values in table.columns.items():
        codes, size = _codes(values)
        if size < 2:
            continue
        if size * ROWS_EACH <= n:
            few[name] = codes, size
            groups[_by_appearance(codes, size).tobytes()].append(name)
        elif values.dtype != object:
            groups[min(codes.tobytes(), (size - 1 - codes).tobytes())].append(name)
    found = [Relation(first, other, True) for first, *others in groups.values() for other in others]
    twins = {relation.follows for relation in found}
    candidates = [name for name in few if name not in twins][:MOST_COLUMNS]
    for name, other in permutations(candidates, 2):
        (codes, size), (others, other_size) = few[name], few[other]
        if other_size < size and np.bincount(others).max() <= COMMON * n and _determines(codes, others, other_size):
            found.append(Relation(name, other, False))
    return found


def _codes(values: np.ndarray) -> tuple[np.ndarray, int]:
    """A number for each distinct value, in their order, and how many there are."""
    if values.dtype == object:
        places = {value: place for place, value in enumerate(dict.fromkeys(values.tolist()))}
        return np.fromiter(map(places.__getitem__, values.tolist()), np.int64, len(values)), len(places)
    distinct, codes = np.unique(values, return_inverse=True)
    return codes, len(distinct)


def _by_appearance(codes: np.ndarray, size: int) -> np.ndarray:
    """Numbered anew in the order in which the values appear."""
    _, first = np.unique(codes, return_index=True)
    rank = np.empty(size, np.int64)
    rank[np.argsort(first)] = np.arange(size)
    return rank[codes]


def _determines(codes: np.ndarray, others: np.ndarray, size: int) -> bool:
    for rows in (slice(1000), slice(None)):  # most pairs are told apart by a few rows
        pairs = np.unique(codes[rows] * size + others[rows])
        if len(np.unique(pairs // size)) < len(pairs):
            return False
    return True
