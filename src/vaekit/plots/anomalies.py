"""Anomalies: how surprising rows are, and what makes the most surprising ones so."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from .checks import finite
from .style import ACCENT, CONTRAST, INK, MUTED, add_note, new_figure, styled

BINS = 60
COLUMNS = 24  # of the heat strip, at most
CELL_INCHES = 0.42
TICK_INCHES = 0.22  # between the labels of the scale of colours


@styled
def surprise(scores: ArrayLike, threshold: float | None = None, *, title: str | None = None) -> Figure:
    """Draw how many rows are how surprising, in nats, with the threshold above which they count as anomalies.

    The axis reaches to the 99.9 % quantile or a little past the threshold; how many rows lie beyond is written above.
    Raises ValueError where scores (N,) are none or not finite.
    """
    scores = finite("scores", scores)
    if scores.ndim != 1 or not len(scores):
        raise ValueError(f"scores must be one number for each row, of shape (N,), but their shape is {scores.shape}.")
    low, high = float(scores.min()), float(np.quantile(scores, 0.999))
    if threshold is not None and np.isfinite(threshold):
        high = max(high if high < threshold + 3 * (threshold - low) else 0.0, threshold + 0.35 * abs(threshold - low))
    edges = np.linspace(low, max(high, low + 1e-6), BINS + 1)
    figure = new_figure(6.4, 3.4)
    ax = figure.add_subplot()
    counts, _ = np.histogram(scores, edges)
    above = np.zeros(BINS, bool) if threshold is None else edges[:-1] >= threshold - (edges[1] - edges[0]) / 2
    for chosen, color in ((~above, ACCENT), (above, CONTRAST)):
        ax.bar(edges[:-1][chosen], counts[chosen], np.diff(edges)[chosen], align="edge", color=color, linewidth=0)
    if threshold is not None and np.isfinite(threshold):
        ax.axvline(threshold, color=INK, linewidth=1, linestyle=(0, (4, 3)))
        text = f"threshold {threshold:,.1f}\n{int((scores >= threshold).sum()):,} of {len(scores):,} above"
        place = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points", "va": "top"}
        ax.annotate(text, (threshold, 1), (6, -4), size=8.5, color=MUTED, **place)
    ax.set_yscale("symlog", linthresh=1)
    ax.set_ylim(0, 1.7 * counts.max() + 1)
    ax.yaxis.set_major_formatter("{x:,.0f}")
    ax.set(xlabel="surprise, nats", ylabel="rows")
    beyond = int((scores > edges[-1]).sum())
    if beyond:
        add_note(ax, f"{beyond:,} more surprising than shown")
    if title:
        ax.set_title(title)
    return figure


@styled
def causes(
    parts: ArrayLike, columns: Sequence[str], rows: Sequence[str], values: Sequence[Sequence[str]] | None = None
) -> Figure:
    """Draw which cells make rows surprising: a strip of colours for each row, the darker the more nats.

    Of many columns those are shown that matter most in some row; colours are on a logarithmic scale. ``parts`` is
    (N, D), ``values`` the cells as texts. Raises ValueError where lengths do not fit or a part is not finite.
    """
    parts = finite("parts", parts)
    if parts.ndim != 2 or parts.shape != (len(rows), len(columns)):
        raise ValueError(f"parts must be of shape ({len(rows)}, {len(columns)}), but their shape is {parts.shape}.")
    shown: list[int] = sorted(np.argsort(-parts.max(0), kind="stable")[:COLUMNS].tolist())
    heat = np.log10(1 + np.clip(parts[:, shown], 0, None))
    wide = values is not None and len(shown) <= 12
    figure = new_figure(1.6 + len(shown) * CELL_INCHES * (2 if wide else 1), 1.2 + len(rows) * CELL_INCHES)
    ax = figure.add_subplot()
    top = max(float(heat.max()), 1e-6)
    image = ax.imshow(heat, cmap="OrRd", vmin=0, vmax=top, aspect="auto")
    if wide and values is not None:
        for i, j in np.ndindex(*heat.shape):
            ax.text(j, i, str(values[i][shown[j]])[:12], ha="center", va="center", size=8,
                    color="white" if heat[i, j] > 0.6 * top else INK)  # fmt: skip
    ax.set_xticks(range(len(shown)), [columns[j] for j in shown], rotation=40, ha="left", rotation_mode="anchor")
    ax.xaxis.tick_top()
    ax.set_yticks(range(len(rows)), list(rows))
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.set_xticks(np.arange(len(shown) - 1) + 0.5, minor=True)
    ax.set_yticks(np.arange(len(rows) - 1) + 0.5, minor=True)
    ax.grid(which="minor", color="white", linewidth=1.5)
    ax.tick_params(which="minor", length=0)
    ticks = _ticks(top, apart=top * TICK_INCHES / (len(rows) * CELL_INCHES))
    bar = figure.colorbar(image, ax=ax, ticks=np.log10(1 + np.array(ticks)), fraction=0.05, pad=0.02, shrink=0.9)
    bar.ax.set_yticklabels([f"{value:,}" for value in ticks])
    bar.set_label("nats", color=MUTED)
    bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue]
    return figure


def _ticks(top: float, apart: float) -> list[int]:
    """Round numbers of nats from 0 on, which are ``apart`` on the scale log10(1 + nats) that ends at ``top``."""
    rounds = [10**power for power in range(12)] if top > 3 else [1, 3, 10, 30, 100, 300]
    ticks, last = [0], 0.0
    for value in rounds:
        place = math.log10(1 + value)
        if last + apart <= place <= top:
            ticks, last = [*ticks, value], place
    return ticks
