"""How much is left of pictures at how many bytes: curves of codecs, and the pictures themselves."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from numpy.typing import ArrayLike

from .checks import finite, items
from .coloring import PETROFF
from .style import ACCENT, new_figure, styled
from .tiles import aspect, draw_tiles, label_rows, thin_gap

COLORS = (ACCENT, *(PETROFF[at] for at in (6, 1, 4, 3, 2, 9)))
FARTHER = 6.0  # how many times the first curve's largest size is still drawn
MEASURES = ("PSNR, dB", "SSIM")


@styled
def rate_distortion(
    curves: Mapping[str, ArrayLike], rows: Mapping[str, ArrayLike] | None = None, *, title: str | None = None
) -> Figure:
    """Draw signal-to-noise ratio and structural similarity over the size of a file, and pictures below.

    Args:
        curves: codec ↦ its points (P, 3): bytes per picture, PSNR in dB, SSIM. The first one stands out; of the others
            is drawn what is not much larger.
        rows: label ↦ pictures (N, H, W[, C]), such as the originals and what the codecs make of them.
        title: a line above the picture.

    Raises:
        ValueError: there are no curves, or the shapes do not fit.
    """
    points = {name: finite(name, curve) for name, curve in curves.items()}
    wrong = [name for name, curve in points.items() if curve.ndim != 2 or curve.shape[1] != 3]
    if not points or wrong:
        raise ValueError(f"curves must hold points of shape (P, 3), got {wrong or 'none'}.")
    tiles = {name: items(name, row, "N") for name, row in (rows or {}).items()}
    stacked = np.concatenate(list(tiles.values())) if tiles else np.zeros((0, 1, 1))
    columns = len(stacked) // max(len(tiles), 1)
    below = 8.0 / columns * aspect(stacked) * len(tiles) if tiles else 0.0
    figure = new_figure(8.6, 3.6 + below)
    figure.set_layout_engine("constrained", hspace=0.04, wspace=0.06)
    grid = figure.add_gridspec(2 if tiles else 1, 2, height_ratios=[3.6, below] if tiles else None)
    largest = FARTHER * next(iter(points.values()))[:, 0].max()
    for at, name in enumerate(MEASURES):
        _draw(figure.add_subplot(grid[0, at]), {key: curve[:, [0, at + 1]] for key, curve in points.items()}, largest)
        figure.axes[at].set_ylabel(name)
    figure.axes[0].legend(loc="upper left")
    if tiles:
        ax = figure.add_subplot(grid[1, :])
        draw_tiles(ax, stacked, columns, gap=thin_gap(stacked))
        label_rows(ax, list(tiles))
    if title:
        figure.suptitle(title, x=0.01, ha="left", size=12)
    return figure


def _draw(ax: Axes, curves: Mapping[str, np.ndarray], largest: float) -> None:
    for number, (name, curve) in enumerate(curves.items()):
        size, value = curve[curve[:, 0] <= max(largest, curve[:, 0].min())].T
        first = number == 0
        ax.plot(
            size,
            value,
            color=COLORS[number % len(COLORS)],
            marker="o",
            markersize=4.5 if first else 3,
            linewidth=2.4 if first else 1.3,
            zorder=3 if first else 2,
            label=name,
        )
    ax.set_xscale("log")
    ax.set_xlabel("bytes per picture")
    ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.grid(True)
    ax.minorticks_off()
