"""Pictures of what a decoder makes of latent points: the latent plane, traversals, interpolation.

An example is an image (H, W) or (H, W, C) in [0, 1], or a vector (D,), which is drawn as a line over its entries.
"""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import ArrayLike

from .checks import items, vector
from .style import ACCENT, MUTED, number_labels, styled
from .tiles import aspect, draw_tiles, label_columns, label_rows, sheet, thin_gap

MOST_LABELS = 11


@styled
def manifold(
    images: ArrayLike,
    axis_values: tuple[ArrayLike, ArrayLike],
    *,
    axes: tuple[str, str] = ("z[0]", "z[1]"),
    title: str | None = None,
) -> Figure:
    """Draw what the decoder makes of a grid of latent points, as one seamless mosaic over the latent plane.

    Args:
        images: shape (rows, cols, H, W[, C]) or (rows, cols, D); `images[r, c]` is decoded from the point whose first
            coordinate is `axis_values[0][c]` and whose second is `axis_values[1][r]`.
        axis_values: the ascending coordinates (cols,) and (rows,). The first axis grows to the right and the second
            upwards, hence row 0 is drawn at the bottom. Ticks stand at the centres of the tiles; where there are more
            than 11, every second, third, ... is labelled.
        axes: the names of the two latent coordinates.
        title: a line above the picture.

    Raises:
        ValueError: a shape does not fit, coordinates do not ascend, or a value is not finite.
    """
    grid = items("images", images, "rows", "cols")
    rows, columns = grid.shape[:2]
    if len(axis_values) != 2:
        raise ValueError(f"axis_values must be the coordinates of the two axes, but {len(axis_values)} were given.")
    across = _ascending("axis_values[0]", axis_values[0], columns, "column")
    upwards = _ascending("axis_values[1]", axis_values[1], rows, "row")
    tiles = grid[::-1].reshape(rows * columns, *grid.shape[2:])
    figure = sheet(columns, rows, aspect(tiles), width=6.6)
    ax = figure.subplots()
    draw_tiles(ax, tiles, columns)
    label_columns(ax, _thinned(number_labels(across)))
    label_rows(ax, _thinned(number_labels(upwards))[::-1])
    ax.tick_params(length=3)
    ax.set(xlabel=axes[0], ylabel=axes[1], title=title)
    return figure


@styled
def traversals(
    images: ArrayLike,
    values: ArrayLike,
    *,
    dims: Sequence[int] | None = None,
    kl: ArrayLike | None = None,
    title: str | None = None,
) -> Figure:
    """Draw one row per latent dimension: what the decoder makes of it while the others stand still.

    Args:
        images: shape (D, steps, H, W[, C]) or (D, steps, features).
        values: the value of the moving coordinate in each column, shape (steps,).
        dims: the index of the dimension in each row, by default 0, 1, ...
        kl: the mean KL of each row's dimension in nats, written at the right.
        title: a line above the picture.

    Raises:
        ValueError: a shape or length does not fit, or a value is not finite.
    """
    grid = items("images", images, "D", "steps")
    rows, columns = grid.shape[:2]
    values = vector("values", values, columns, "column of images")
    dims = range(rows) if dims is None else dims
    if len(dims) != rows:
        raise ValueError(f"dims must hold one index per row of images ({rows}), but it holds {len(dims)}.")
    tiles = grid.reshape(rows * columns, *grid.shape[2:])
    figure = sheet(columns, rows, aspect(tiles), largest=0.9)
    ax = figure.subplots()
    draw_tiles(ax, tiles, columns, gap=thin_gap(tiles))
    label_rows(ax, [f"z[{dim}]" for dim in dims])
    label_columns(ax, _thinned(number_labels(values)))
    ax.set(xlabel="value of the coordinate", title=title)
    if kl is not None:
        _right_labels(ax, "KL (nats)", [f"{value:.2f}" for value in vector("kl", kl, rows, "row of images")])
    return figure


@styled
def interpolation(images: ArrayLike, *, title: str | None = None) -> Figure:
    """Draw strips that lead from one example to another; the two ends of each strip are framed.

    Args:
        images: shape (pairs, steps, H, W[, C]) or (pairs, steps, D), start first and end last; at least two steps.
        title: a line above the picture.

    Raises:
        ValueError: the shape does not fit or a value is not finite.
    """
    grid = items("images", images, "pairs", "steps")
    rows, columns = grid.shape[:2]
    if columns < 2:
        raise ValueError(f"An interpolation needs at least two steps, a start and an end, but images has {columns}.")
    tiles = grid.reshape(rows * columns, *grid.shape[2:])
    figure = sheet(columns, rows, aspect(tiles), largest=0.9)
    ax = figure.subplots()
    draw_tiles(ax, tiles, columns, gap=thin_gap(tiles))
    for row in range(rows):
        for column in (0, columns - 1):
            ax.add_patch(
                Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, edgecolor=ACCENT, linewidth=1.8, clip_on=False)
            )
    label_columns(ax, ["start", "end"], [0, columns - 1])
    ax.set_title(title or "")
    return figure


def _ascending(name: str, values: ArrayLike, length: int, of: str) -> np.ndarray:
    array = vector(name, values, length, f"{of} of images")
    if np.any(np.diff(array) <= 0):
        raise ValueError(f"{name} must ascend strictly, one coordinate per {of} of images; sort it with the images.")
    return array


def _thinned(labels: list[str]) -> list[str]:
    step = -(-len(labels) // MOST_LABELS)
    return [label if index % step == 0 else "" for index, label in enumerate(labels)]


def _right_labels(ax: Axes, head: str, labels: Sequence[str]) -> None:
    place = {"xycoords": ax.get_yaxis_transform(), "textcoords": "offset points", "ha": "right"}
    for row, label in enumerate(labels):
        ax.annotate(label, (1, row), (56, 0), va="center_baseline", color=MUTED, size=9, **place)
    ax.annotate(head, (1, -0.5), (56, 2), va="bottom", color=MUTED, size=9, **place)
