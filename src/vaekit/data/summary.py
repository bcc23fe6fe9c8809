"""What is in a data set, in figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from vaekit.data.columns import Column
from vaekit.data.frames import Table
from vaekit.data.natives import missing_cells
from vaekit.data.relations import find_relations
from vaekit.data.scaling import item_layout
from vaekit.data.sources import Dataset
from vaekit.data.table import TableSchema

MOST_LEVELS = 256
MOST_NAMED = 5  # values of a column
HEAVY = 20  # interquartile ranges from the median to an end, beyond which a tail is heavy


def describe(dataset: Dataset) -> dict[str, Any]:
    """Return the figures of a data set that is no table (see `describe_table`) as a dictionary for JSON.

    ``name``, ``source``; ``kind`` ("image" or "vector"), ``items``, ``test_items``, ``item_shape``, ``dtype``;
    ``low`` and ``high``, the range of the finite values (None if there are none); ``levels``, the number of distinct
    values, None if above 256; ``missing``, the number of values that are NaN or infinite; ``classes``, the items of
    each class by name, None without labels; ``columns``; ``memory_bytes`` of all arrays. All but ``test_items`` and
    ``memory_bytes`` are of the training part.
    """
    x = dataset.x
    finite = x[np.isfinite(x)] if x.dtype.kind == "f" else x
    parts = (x, dataset.y, dataset.x_test, dataset.y_test)
    return {
        "name": dataset.name,
        "source": dataset.source,
        "kind": "vector" if len(item_layout(x.shape)) == 1 else "image",
        "items": len(x),
        "test_items": 0 if dataset.x_test is None else len(dataset.x_test),
        "item_shape": list(x.shape[1:]),
        "dtype": x.dtype.name,
        "low": finite.min().item() if finite.size else None,
        "high": finite.max().item() if finite.size else None,
        "levels": _levels(finite),
        "missing": x.size - finite.size,
        "classes": _class_sizes(dataset),
        "columns": list(dataset.columns),
        "memory_bytes": sum(part.nbytes for part in parts if part is not None),
    }


def describe_table(dataset: Dataset, schema: TableSchema) -> dict[str, Any]:
    """Return the figures of a table as a dictionary for JSON.

    ``name``, ``source``, ``kind`` ("table"), ``rows``; ``columns``, each with ``name``, ``kind`` ("left-out" with a
    ``reason``), ``dtype``, ``missing`` (share of the rows), and, unless left out, ``extent`` (the range in words),
    ``step`` (None if continuous), ``frequent`` (values with their shares: the categories, or the spikes of a numeric
    column), ``distinct`` and ``heavy_tail``; ``relations``: columns that determine others; ``remarks`` on what was
    read; ``memory_bytes``.
    """
    table: Table = dataset.x
    known, reasons = {column.name: column for column in schema.table}, dict(schema.left_out)
    columns = []
    for name, values in table.columns.items():
        facts = {"name": name, "dtype": table.dtypes[name], "missing": float(missing_cells(values).mean())}
        about = {"kind": "left-out", "reason": reasons[name]} if name in reasons else _column(known[name], values)
        columns.append({**facts, **about})
    return {
        "name": dataset.name,
        "source": dataset.source,
        "kind": "table",
        "rows": len(table),
        "columns": columns,
        "relations": [relation._asdict() for relation in find_relations(table)],
        "remarks": list(table.remarks),
        "memory_bytes": sum(values.nbytes for values in table.columns.values()),
    }


def _column(column: Column, values: np.ndarray) -> dict[str, Any]:
    numbers = column.encode(values) * column.scale + column.offset
    numbers = numbers[~np.isnan(numbers)]
    facts = {"kind": column.kind, "extent": column.extent, "step": column.step}
    if column.values:
        counts = {column.values[int(place)]: count for place, count in Counter(numbers.tolist()).most_common()}
    else:
        near = 1e-9 * column.scale
        counts = {f"{spike:g}": int(np.isclose(numbers, spike, atol=near).sum()) for spike in column.spikes}
    low, median, high = np.quantile(numbers, (0.25, 0.5, 0.75)) if len(numbers) else (0.0, 0.0, 0.0)
    reach = max(column.high - median, median - column.low)
    return {
        **facts,
        "frequent": _shares(counts, len(numbers)),
        "distinct": len(column.values) or len(np.unique(numbers)),
        "heavy_tail": not column.values and bool(reach > HEAVY * max(high - low, column.step or 0)),
    }


def _shares(counts: Mapping[Any, int], n: int) -> dict[str, float]:
    frequent = sorted(counts.items(), key=lambda pair: -pair[1])[:MOST_NAMED]
    return {str(value): count / n for value, count in frequent}


def _levels(x: np.ndarray, values: int = 2**20) -> int | None:
    """Return the number of distinct values, or None as soon as there are more than `MOST_LEVELS`."""
    flat, seen = x.reshape(-1), np.empty(0, x.dtype)
    for start in range(0, flat.size, values):
        seen = np.union1d(seen, flat[start : start + values])
        if seen.size > MOST_LEVELS:
            return None
    return int(seen.size)


def _class_sizes(dataset: Dataset) -> dict[str, int] | None:
    if dataset.y is None:
        return None
    labels, counts = np.unique(dataset.y, return_counts=True)
    known = dataset.classes
    names = [known[label] if 0 <= label < len(known) else str(label) for label in labels]
    return dict(zip(names, counts.tolist(), strict=True))
