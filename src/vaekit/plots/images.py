"""Pictures of examples: samples, and originals beside their reconstructions.

An example is an image (H, W) or (H, W, C) in [0, 1], or a vector (D,), which is drawn as a line over its entries.
"""

import math

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike

from .checks import items, vector
from .style import ACCENT, MUTED, fixed_labels, styled
from .tiles import aspect, draw_tiles, label_columns, label_rows, sheet, thin_gap

MOST_COLUMNS = 10


@styled
def samples(images: ArrayLike, *, columns: int | None = None, title: str | None = None) -> Figure:
    """Draw samples of shape (N, H, W[, C]) or (N, D) in a grid, row by row.

    Args:
        images: the samples.
        columns: tiles per row; by default the grid is about square.
        title: a line above the picture.

    Raises:
        ValueError: the shape does not fit, a value is not finite, or `columns` is below 1.
    """
    tiles = items("images", images, "N")
    if columns is None:
        columns = _about_square(len(tiles), aspect(tiles))
    if columns < 1:
        raise ValueError(f"columns must be at least 1, got {columns}.")
    columns = min(columns, len(tiles))
    figure = sheet(columns, -(-len(tiles) // columns), aspect(tiles))
    ax = figure.subplots()
    draw_tiles(ax, tiles, columns, gap=thin_gap(tiles))
    ax.set_title(title or "")
    return figure


def _about_square(n: int, aspect: float) -> int:
    """The columns of a grid whose last row is as full as can be, a quarter more or less than make it square."""
    square = math.sqrt(n * aspect)
    near = range(math.ceil(0.75 * square), math.floor(1.25 * square) + 1) or [max(1, round(square))]
    return min(near, key=lambda columns: (-n % columns, abs(columns - square)))


@styled
def reconstructions(
    originals: ArrayLike,
    reconstructions: ArrayLike,
    *,
    n: int = 10,
    errors: ArrayLike | None = None,
    error_name: str = "error",
    title: str | None = None,
) -> Figure:
    """Draw the first `n` examples with their reconstructions.

    Images stand below each other in pairs of rows of at most 10 columns; vectors share a tile and a scale.

    Args:
        originals: shape (N, H, W[, C]) or (N, D).
        reconstructions: the same shape.
        n: how many pairs are drawn, or all where there are fewer.
        errors: a number for each example, shape (N,), written below its pair.
        error_name: what these numbers are.
        title: a line above the picture.

    Raises:
        ValueError: the shapes do not fit or differ, a value is not finite, or `n` is below 1.
    """
    before, after = items("originals", originals, "N"), items("reconstructions", reconstructions, "N")
    if before.shape != after.shape:
        raise ValueError(f"originals {before.shape} and reconstructions {after.shape} must have the same shape.")
    if n < 1:
        raise ValueError(f"n must be at least 1, got {n}.")
    captions = None
    if errors is not None:
        captions = _captions(vector("errors", errors, len(before), "example")[:n])
    draw = _image_pairs if before.ndim > 2 else _profile_pairs
    figure = draw(before[:n], after[:n], captions, error_name)
    figure.axes[0].set_title(title or "")
    return figure


def _image_pairs(before: np.ndarray, after: np.ndarray, captions: list[str] | None, error_name: str) -> Figure:
    blocks = -(-len(before) // MOST_COLUMNS)
    columns = -(-len(before) // blocks)
    figure = sheet(columns, 2 * blocks, aspect(before))
    for block, ax in enumerate(figure.subplots(blocks, squeeze=False)[:, 0]):
        part = slice(block * columns, (block + 1) * columns)
        blank = np.ones((columns - len(before[part]), *before.shape[1:]))
        draw_tiles(ax, np.concatenate([before[part], blank, after[part]]), columns, gap=thin_gap(before))
        label_rows(ax, ["original", "reconstruction"])
        if captions:
            label_columns(ax, captions[part])
    if captions:
        figure.axes[-1].set_xlabel(error_name)
    return figure


def _profile_pairs(before: np.ndarray, after: np.ndarray, captions: list[str] | None, error_name: str) -> Figure:
    columns = min(MOST_COLUMNS // 2, len(before))
    figure = sheet(columns, -(-len(before) // columns), aspect(before), largest=2.0)
    ax = figure.subplots()
    limits = (min(before.min(), after.min()), max(before.max(), after.max()))
    draw_tiles(ax, before, columns, limits=limits, color=MUTED)
    draw_tiles(ax, after, columns, limits=limits, color=ACCENT)
    for index, caption in enumerate(captions or []):
        row, column = divmod(index, columns)
        ax.text(column + 0.46, row - 0.46, caption, ha="right", va="top", size=8, color=MUTED)
    lines = [Line2D([], [], color=MUTED), Line2D([], [], color=ACCENT)]
    names = ["original", "reconstruction"]
    if captions:
        lines, names = [*lines, Line2D([], [], linestyle="")], [*names, f"in each corner: {error_name}"]
    ax.legend(lines, names, loc="upper left", bbox_to_anchor=(0, 0), ncols=3, borderaxespad=0.4, handlelength=1.4)
    return figure


def _captions(errors: np.ndarray) -> list[str]:
    largest = np.abs(errors).max()
    return fixed_labels(errors, max(0, 2 - int(np.floor(np.log10(largest)))) if largest else 0)
