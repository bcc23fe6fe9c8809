"""What is in a data set, in figures."""

from __future__ import annotations

from typing import Any

import numpy as np

from vaekit.data.scaling import item_layout
from vaekit.data.sources import Dataset

MOST_LEVELS = 256


def describe(dataset: Dataset) -> dict[str, Any]:
    """Return the figures of a data set as a dictionary for JSON.

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
