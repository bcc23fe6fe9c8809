"""A grid of examples in one pair of axes: pictures as a mosaic, vectors as line profiles.

The centre of the tile in row r (from the top) and column c has the coordinates (c, r).
"""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from .style import ACCENT, HAIRLINE, HouseFigure, add_note, new_figure

PROFILE_ASPECT = 0.75
HALF_WIDTH, HALF_HEIGHT = 0.42, 0.36
LEAST_TILE = 0.3


def aspect(items: np.ndarray) -> float:
    """Height over width of one tile of `items` (N, H, W[, C]) or (N, D)."""
    return items.shape[1] / items.shape[2] if items.ndim > 2 else PROFILE_ASPECT


def thin_gap(items: np.ndarray) -> int:
    """Pixels of white between two tiles: about a twentieth of a tile, at least one."""
    return max(1, round(min(items.shape[1:3]) / 20)) if items.ndim > 2 else 0


def sheet(columns: int, rows: int, ratio: float, *, width: float = 7.4, largest: float = 1.3) -> HouseFigure:
    """Return a figure for a grid at most `width` × 9 inches of tiles `largest` wide at most; many make it larger."""
    tile = max(LEAST_TILE, min(width / columns, largest, 9.0 / (rows * ratio)))
    return new_figure(max(3.5, columns * tile + 0.9), max(1.4, rows * tile * ratio + 0.7))


def draw_tiles(
    ax: Axes,
    items: np.ndarray,
    columns: int,
    *,
    gap: int = 0,
    limits: tuple[float, float] | None = None,
    color: str = ACCENT,
) -> None:
    """Draw `items`, row by row, in a grid of `columns`.

    Images (N, H, W) in grey or (N, H, W, 3) in colour are `gap` white pixels apart. Vectors (N, D) are lines over
    their D entries, all on the scale `limits`: by default from the smallest value to the largest.
    """
    rows = -(-len(items) // columns)
    if items.ndim > 2:
        _draw_mosaic(ax, items, columns, rows, gap)
    else:
        _draw_profiles(ax, items, columns, rows, limits or (items.min(), items.max()), color)
    ax.set(xticks=[], yticks=[], xlim=(-0.5, columns - 0.5), ylim=(rows - 0.5, -0.5))
    ax.tick_params(length=0, pad=5)
    ax.spines[:].set_visible(False)


def label_columns(ax: Axes, labels: Sequence[str], at: Sequence[int] | None = None) -> None:
    """Write labels below the columns, or below those named in `at`."""
    ax.set_xticks(list(range(len(labels)) if at is None else at), labels=list(labels))


def label_rows(ax: Axes, labels: Sequence[str], at: Sequence[int] | None = None) -> None:
    """Write labels left of the rows, or of those named in `at`."""
    ax.set_yticks(list(range(len(labels)) if at is None else at), labels=list(labels))


def mosaic(items: np.ndarray, columns: int, gap: int = 0) -> np.ndarray:
    """Return one picture of the images (N, H, W[, C]), row by row, on white with `gap` pixels between tiles."""
    rows = -(-len(items) // columns)
    height, width = items.shape[1:3]
    canvas = np.ones((rows * (height + gap) - gap, columns * (width + gap) - gap, *items.shape[3:]))
    for index, item in enumerate(items):
        row, column = divmod(index, columns)
        top, left = row * (height + gap), column * (width + gap)
        canvas[top : top + height, left : left + width] = item
    return canvas


def _draw_mosaic(ax: Axes, items: np.ndarray, columns: int, rows: int, gap: int) -> None:
    height, width = items.shape[1:3]
    x, y = width / (width + gap) / 2, height / (height + gap) / 2
    ax.imshow(
        mosaic(items, columns, gap),
        vmin=0,
        vmax=1,
        extent=(-x, columns - 1 + x, rows - 1 + y, -y),
        aspect=(height + gap) / (width + gap),
    )


def _draw_profiles(
    ax: Axes, items: np.ndarray, columns: int, rows: int, limits: tuple[float, float], color: str
) -> None:
    low, high = limits
    if items.shape[1] == 1:
        items = np.repeat(items, 2, axis=1)
    row, column = np.divmod(np.arange(len(items))[:, None], columns)
    x = column + np.linspace(-HALF_WIDTH, HALF_WIDTH, items.shape[1])
    y = row + HALF_HEIGHT * (1 - 2 * (items - low) / (high - low)) if high > low else row + 0 * items
    ax.add_collection(LineCollection(list(np.stack([x, y], axis=-1)), colors=color, linewidths=1.1), autolim=False)
    frame = {"colors": HAIRLINE, "linewidths": 0.8, "zorder": 0, "clip_on": False}
    ax.hlines(np.arange(rows + 1) - 0.5, -0.5, columns - 0.5, **frame)
    ax.vlines(np.arange(columns + 1) - 0.5, -0.5, rows - 0.5, **frame)
    ax.set_aspect(PROFILE_ASPECT)
    add_note(ax, f"each tile spans {low:.3g} to {high:.3g}".replace("-", "−"))
