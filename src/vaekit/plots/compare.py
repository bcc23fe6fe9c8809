"""Several models side by side: the same examples in rows, and measures with their intervals."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from .checks import items
from .style import ACCENT, CONTRAST, HAIRLINE, MUTED, new_figure, styled
from .tiles import aspect, draw_tiles, label_rows, sheet, thin_gap


@styled
def side_by_side(rows: Mapping[str, ArrayLike], *, title: str | None = None) -> Figure:
    """Draw one labelled row for each entry, of examples (N, H, W[, C]) or (N, D), all of one shape.

    Raises ValueError if there are no rows or their shapes differ.
    """
    tiles = {name: items(name, row, "N") for name, row in rows.items()}
    shapes = {row.shape for row in tiles.values()}
    if len(shapes) != 1:
        raise ValueError(f"the rows must all have one shape, got {sorted(shapes)}")
    stacked = np.concatenate(list(tiles.values()))
    columns = len(stacked) // len(tiles)
    figure = sheet(columns, len(tiles), aspect(stacked))
    ax = figure.subplots()
    draw_tiles(ax, stacked, columns, gap=thin_gap(stacked))
    label_rows(ax, list(tiles))
    ax.set_title(title or "")
    return figure


@styled
def measures(
    names: Sequence[str],
    values: Mapping[str, Mapping[str, tuple[float, float | None]]],
    *,
    winners: Mapping[str, str | None] | None = None,
    hints: Mapping[str, str] | None = None,
) -> Figure:
    """Draw one panel for each measure with a mean and its interval for each of the ``names`` that has it.

    Args:
        names: the models, in the order of the rows.
        values: measure ↦ name ↦ (mean, half the interval's width or None).
        winners: measure ↦ the name to mark, or None.
        hints: measure ↦ a remark, such as which way is better.
    """
    columns = min(3, len(values))
    rows = -(-len(values) // columns)
    figure = new_figure(1.2 + 2.6 * columns, rows * (0.75 + 0.27 * len(names)))
    axes = figure.subplots(rows, columns, squeeze=False, sharey=True)
    for ax, (measure, found) in zip(axes.flat, values.items(), strict=False):
        for y, name in enumerate(names):
            if name in found:
                mean, half = found[name]
                color = CONTRAST if (winners or {}).get(measure) == name else ACCENT
                ax.errorbar(mean, y, xerr=half, fmt="o", ms=5, color=color, ecolor=color, capsize=2.5, lw=1.2)
            else:
                ax.text(0.5, y, "–", transform=ax.get_yaxis_transform(), ha="center", va="center", color=MUTED)
        ax.set_yticks(range(len(names)), names)
        ax.set_ylim(len(names) - 0.5, -0.5)
        ax.set_title(measure)
        ax.set_xlabel((hints or {}).get(measure, ""), size=8, color=MUTED)
        ax.grid(axis="both", color=HAIRLINE)
        ax.tick_params(length=0)
        ax.margins(x=0.12)
        ax.xaxis.set_major_locator(MaxNLocator(4))
    for ax in axes.flat[len(values) :]:
        ax.set_visible(False)
    return figure
