"""Checks of what users pass: each returns a plain array or raises a ValueError of one sentence."""

import numpy as np
from numpy.typing import ArrayLike

# A decoder's mean may leave [0, 1] a little and is clipped; further away the data are on another scale.
SLACK = 0.5


def finite(name: str, values: ArrayLike) -> np.ndarray:
    """Return `values` as floats; they must be numbers, at least one, none of them NaN or infinite."""
    try:
        array = np.asarray(values, dtype=float)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be an array of numbers, but it cannot be read as one: {error}.") from None
    if array.size == 0:
        raise ValueError(f"{name} must not be empty, but its shape is {array.shape}.")
    wrong = array.size - np.count_nonzero(np.isfinite(array))
    if wrong:
        raise ValueError(f"{name} must be finite, but {wrong} of its {array.size} values are NaN or infinite.")
    return array


def vector(name: str, values: ArrayLike, length: int, of: str) -> np.ndarray:
    """Return `values` as finite floats of shape (length,), one per `of`."""
    array = finite(name, values)
    if array.shape != (length,):
        raise ValueError(f"{name} must hold one number per {of}, shape ({length},), but its shape is {array.shape}.")
    return array


def items(name: str, values: ArrayLike, *leading: str) -> np.ndarray:
    """Return images (..., H, W) or (..., H, W, 3) clipped to [0, 1], or vectors (..., D), behind the leading axes.

    A last axis of one channel is dropped.
    """
    array = finite(name, values)
    axes = ", ".join(leading)
    channels = array.shape[-1] if array.ndim == len(leading) + 3 else 1
    if not len(leading) < array.ndim <= len(leading) + 3 or channels not in (1, 3):
        raise ValueError(
            f"{name} must be images of shape ({axes}, H, W) or ({axes}, H, W, C) with 1 or 3 channels last, "
            f"or vectors of shape ({axes}, D), but the shape is {array.shape}."
        )
    if array.ndim == len(leading) + 1:
        return array
    low, high = array.min(), array.max()
    if low < -SLACK or high > 1 + SLACK:
        raise ValueError(f"{name} must be images in [0, 1], but the values run from {low:g} to {high:g}; scale them.")
    array = array.clip(0, 1)
    return array[..., 0] if array.ndim == len(leading) + 3 and channels == 1 else array
