"""The rules by which a schema is inferred: what an array's shape means, and which scaling its values get."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

FEW_LEVELS = 32  # whole numbers that stay below this are that many grey levels, not a very dark 8-bit picture
FLOAT32_ROUNDING = 2 * float(np.finfo(np.float32).eps)  # relative, of k / 255 or k * (1 / 255) in float32
FLOAT16_ROUNDING = float(np.finfo(np.float16).eps) / 2


class Scaling(NamedTuple):
    """Offset and scale (one number, or one for each column), the grid's step or None, and the raw range."""

    offset: tuple[float, ...]
    scale: tuple[float, ...]
    step: float | None
    low: float | tuple[float, ...]
    high: float | tuple[float, ...]


def item_layout(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the raw layout of one item of an array of ``shape``: (D,), (H, W), (H, W, C) or (C, H, W).

    Raises ``ValueError`` for a shape that holds neither vectors nor images, or nothing.
    """
    if len(shape) < 2:
        raise ValueError(
            f"expected vectors or images, but got shape {shape}. Reshape your data: x[:, None] is a column"
        )
    if len(shape) > 4:
        raise ValueError(f"expected (N, D), (N, H, W), (N, H, W, C) or (N, C, H, W), but got shape {shape}")
    if shape[0] == 0:
        raise ValueError(f"Found array with 0 sample(s) (shape={shape}) while a minimum of 1 is required.")
    if 0 in shape:
        raise ValueError(f"Found array with 0 feature(s) (shape={shape}) while a minimum of 1 is required.")
    layout = shape[1:]
    if len(layout) == 3 and layout[-1] not in (1, 3, 4) and layout[0] not in (1, 3):
        raise ValueError(
            f"expected images with 1, 3 or 4 channels, (N, H, W, C), or 1 or 3, (N, C, H, W), but got shape {shape}"
        )
    return layout


def channel_axis(layout: tuple[int, ...]) -> int | None:
    """Return the channel axis of an image's layout: -1, -3, or None for (H, W); channels last where both could be."""
    if len(layout) == 2:
        return None
    return -1 if layout[-1] in (1, 3, 4) else -3


def model_shape(layout: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape of one item as the model sees it: (D,) or (C, H, W)."""
    if len(layout) == 1:
        return layout
    axis = channel_axis(layout)
    if axis is None:
        return (1, *layout)
    return layout if axis == -3 else (layout[-1], *layout[:-1])


def image_scaling(x: np.ndarray) -> Scaling:
    """Return the one scaling of whole images that takes their range to [0, 1]; the rules are in `Schema.infer`."""
    low, high, step = _grid(x) or _continuous(x)
    return Scaling((low,), (high - low,), step, low, high)


def vector_scaling(x: np.ndarray) -> Scaling:
    """Return the scaling of vectors (N, D): of images if they are binary or uint8, else each column standardized."""
    grid = _grid(x)
    if grid is not None and (grid == (0.0, 1.0, 1.0) or x.dtype == np.uint8):
        return image_scaling(x)
    low, high = x.min(axis=0), x.max(axis=0)
    with np.errstate(over="ignore", invalid="ignore"):
        mean, std = x.mean(axis=0, dtype=np.float64), x.std(axis=0, dtype=np.float64)
    bad = np.flatnonzero(~np.isfinite(mean) | ~np.isfinite(std))
    if bad.size:
        raise ValueError(f"column {bad[0]} holds values too large to standardize; divide it by a constant first")
    constant = (low == high) | (std == 0)
    offset, scale = np.where(constant, low, mean), np.where(constant, 1.0, std)
    return Scaling(_floats(offset), _floats(scale), None, _floats(low), _floats(high))


def on_grid(x: np.ndarray, per_unit: int) -> bool:
    """Say whether all values are whole multiples of ``1 / per_unit``, within the rounding of their dtype."""
    if x.dtype.kind in "biu":
        return True
    tolerance = FLOAT16_ROUNDING if x.dtype == np.float16 else FLOAT32_ROUNDING

    def near(part: np.ndarray) -> bool:
        part = part.astype(np.result_type(part, np.float32), copy=False)
        nearest = np.rint(part * per_unit) / per_unit
        return bool((np.abs(part - nearest) <= tolerance * np.abs(nearest)).all())

    return _every(x, near)


def _grid(x: np.ndarray) -> tuple[float, float, float] | None:
    """Return (low, high, step) if the values look like points of a grid, else None."""
    low, high = float(x.min()), float(x.max())
    whole = x.dtype.kind in "biu" or (low >= 0 and high <= 255 and on_grid(x, 1))
    if whole and low >= 0 and high <= 1:
        return 0.0, 1.0, 1.0
    if whole and x.dtype.name in ("uint8", "uint16", "float16", "float32", "float64"):
        few = high < FEW_LEVELS
        return 0.0, float(round(high)) if few else 65535.0 if x.dtype == np.uint16 else 255.0, 1.0
    if whole:
        return low, high, 1.0
    if low >= 0 and high <= 1 and on_grid(x, 255):
        return 0.0, 1.0, 1 / 255
    return None


def _continuous(x: np.ndarray) -> tuple[float, float, None]:
    low, high = float(x.min()), float(x.max())
    if high - low > np.finfo(np.result_type(x, np.float32)).max:
        raise ValueError(f"the values span too wide a range, {low:g} to {high:g}; divide them by a constant first")
    return (0.0, 1.0, None) if low >= 0 and high <= 1 else (low, high, None)


def _every(x: np.ndarray, test: Callable[[np.ndarray], bool], values: int = 2**20) -> bool:
    """Apply ``test`` to a limited number of values at a time and stop at the first part that fails."""
    items = max(1, values // max(1, x[0].size))
    return all(test(x[start : start + items]) for start in range(0, len(x), items))


def _floats(values: np.ndarray) -> tuple[float, ...]:
    return tuple(values.astype(np.float64).tolist())
