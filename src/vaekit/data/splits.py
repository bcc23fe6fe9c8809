"""Which items are trained on and which are held out."""

from __future__ import annotations

from typing import Any

import numpy as np


def split(n: int, held_out: float, *, y: Any = None, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Divide ``n`` items at random into those to train on and those to hold out, as two sorted arrays of indices.

    ``held_out`` is a fraction in [0, 1), rounded to at least one item, or a whole number of items; 0 holds out
    none. With labels ``y`` the held-out items keep the proportions of the classes, as far as every class has two
    members and there is room for all of them on both sides. The same ``seed`` gives the same division.

    Raises ``ValueError`` for a fraction or number out of range and where nothing would be left to train on.
    """
    count = _held_out_count(n, held_out)
    if y is not None and len(y) != n:
        raise ValueError(f"expected one label for each of {n} items, but got {len(y)}")
    if count and y is not None and _can_stratify(np.asarray(y), count):
        from sklearn.model_selection import train_test_split

        train, held = train_test_split(np.arange(n), test_size=count, stratify=y, random_state=seed)
    else:
        order = np.random.default_rng(seed).permutation(n)
        held, train = order[:count], order[count:]
    return np.sort(train), np.sort(held)


def _held_out_count(n: int, held_out: float) -> int:
    if isinstance(held_out, int | np.integer) and not isinstance(held_out, bool):
        count = int(held_out)
    elif isinstance(held_out, float | np.floating) and 0 <= held_out < 1:
        count = max(1, round(n * held_out)) if held_out else 0
    else:
        raise ValueError(f"held_out must be a fraction, at least 0 and below 1, or a whole number; got {held_out}")
    if count < 0:
        raise ValueError(f"held_out must not be negative; got {held_out}")
    if count >= n:
        raise ValueError(f"holding out {held_out} of {n} items would leave none to train on; hold out fewer")
    return count


def _can_stratify(y: np.ndarray, count: int) -> bool:
    sizes = np.unique(y, return_counts=True)[1]
    return bool(sizes.min() >= 2 and len(sizes) <= min(count, len(y) - count))
