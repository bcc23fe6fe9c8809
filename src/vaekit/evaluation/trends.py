"""How alike two tables are: each column, and each pair of columns.

The measures are those of SDMetrics' quality report, column shapes and column pair trends (Patki et al., 2016, The
Synthetic Data Vault; https://docs.sdv.dev/sdmetrics), all between 0 and 1, where 1 is equal.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vaekit.data import Table, TableSchema
from vaekit.data.natives import is_missing

BINS = 10  # of equal width between the reference's extremes, for numbers beside categories


@dataclass(frozen=True, eq=False)
class Cells:
    """Tables side by side: ``parts`` of (N, D) float64, NaN where missing; numbers in model units, categories
    (``is_category``, (D,)) by their position among all values that occur in any part.
    """

    names: tuple[str, ...]
    is_category: np.ndarray
    parts: tuple[np.ndarray, ...]

    @classmethod
    def read(cls, schema: TableSchema, *tables: Table) -> Cells:
        """The schema's columns of some tables. Raises ValueError if one lacks a column."""
        tables = tuple(schema.read(table) for table in tables)
        parts = [np.empty((len(table), len(schema.table))) for table in tables]
        for at, column in enumerate(schema.table):
            raw = [table.columns[column.name] for table in tables]
            found = _codes(raw) if column.is_category else [column.encode(values, "missing") for values in raw]
            for part, values in zip(parts, found, strict=True):
                part[:, at] = values
        return cls(schema.columns, np.array([column.is_category for column in schema.table]), tuple(parts))


def _codes(columns: list[np.ndarray]) -> list[np.ndarray]:
    """Categories of several tables by their common position, NaN where missing."""
    lists = [column.tolist() for column in columns]
    values = sorted({value for part in lists for value in part if not is_missing(value)}, key=str)
    places = {value: float(place) for place, value in enumerate(values)}
    return [np.array([places.get(value, np.nan) for value in part]) for part in lists]


def column_shapes(cells: Cells, reference: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Similarity of each column's distribution, (D,).

    Numbers: 1 - sup |F - G|, the complement of the Kolmogorov-Smirnov statistic, of the cells that are not missing.
    Categories: 1 - ½ Σ |p - q|, the complement of the total variation distance, missing being one of them.
    """
    return np.array([
        _overlap(_filled(a), _filled(b)) if is_category else _ks_complement(a[~np.isnan(a)], b[~np.isnan(b)])
        for a, b, is_category in zip(reference.T, other.T, cells.is_category, strict=True)
    ])  # fmt: skip


def pair_trends(cells: Cells, reference: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Similarity of each pair of columns, (D, D) with ones on the diagonal.

    Two columns of numbers: 1 - ½ |ρ - σ|, ρ and σ their linear correlations. Others: 1 - ½ Σ |p - q| over the cells of
    the contingency table, where numbers are cut into 10 bins of equal width over the reference's range and missing is
    a category.
    """
    count = len(cells.names)
    found = np.ones((count, count))
    numbers = np.flatnonzero(~cells.is_category)
    apart = np.abs(_correlations(reference[:, numbers]) - _correlations(other[:, numbers])) / 2
    found[np.ix_(numbers, numbers)] = 1 - apart
    a, b = _binned(cells, reference, reference), _binned(cells, reference, other)
    for i in range(count):
        for j in range(i + 1, count):
            if cells.is_category[i] or cells.is_category[j]:
                width = max(a[:, j].max(), b[:, j].max()) + 1
                found[i, j] = found[j, i] = _overlap(a[:, i] * width + a[:, j], b[:, i] * width + b[:, j])
    np.fill_diagonal(found, 1.0)
    return found


def mean_trend(trends: np.ndarray) -> float:
    """The mean over all pairs."""
    pairs = np.triu_indices(len(trends), 1)
    return float(trends[pairs].mean()) if len(pairs[0]) else 1.0


def _ks_complement(a: np.ndarray, b: np.ndarray) -> float:
    if not len(a) or not len(b):
        return float(len(a) == len(b))
    values = np.concatenate([a, b])
    below = [np.searchsorted(np.sort(part), values, side="right") / len(part) for part in (a, b)]
    return 1 - float(np.abs(below[0] - below[1]).max())


def _overlap(a: np.ndarray, b: np.ndarray) -> float:
    """1 - ½ Σ |p - q| of two samples of whole numbers."""
    values, places = np.unique(np.concatenate([a, b]), return_inverse=True)
    shares = [np.bincount(part, minlength=len(values)) / len(part) for part in np.split(places, [len(a)])]
    return 1 - float(np.abs(shares[0] - shares[1]).sum()) / 2


def _filled(codes: np.ndarray) -> np.ndarray:
    """Codes with -1 for missing."""
    return np.where(np.isnan(codes), -1, codes)


def _binned(cells: Cells, reference: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Every column as whole numbers from 0, which is missing."""
    binned = np.zeros(x.shape, np.int64)
    for at, is_category in enumerate(cells.is_category):
        column, known = x[:, at], reference[~np.isnan(reference[:, at]), at]
        if is_category:
            binned[:, at] = _filled(column) + 1
        elif len(known):
            inner = np.histogram_bin_edges(known, BINS)[1:-1]
            binned[:, at] = np.where(np.isnan(column), 0, np.digitize(column, inner) + 1)
    return binned


def _correlations(x: np.ndarray) -> np.ndarray:
    """Linear correlations of columns (N, D), each of the rows where both are known; 0 for constant ones."""
    seen = ~np.isnan(x)
    found = np.eye(x.shape[1])
    for i in range(x.shape[1]):
        for j in range(i + 1, x.shape[1]):
            both = seen[:, i] & seen[:, j]
            a, b = x[both, i], x[both, j]
            if len(a) > 1 and a.std() > 0 and b.std() > 0:
                found[i, j] = found[j, i] = np.corrcoef(a, b)[0, 1]
    return found
