"""Synthetic rows of a table beside real ones: columns, pairs of columns, distances to the training rows."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, FuncFormatter, MaxNLocator, PercentFormatter
from numpy.typing import ArrayLike

from .checks import finite
from .style import ACCENT, CONTRAST, HAIRLINE, MUTED, add_note, new_figure, styled

BINS = 40
MOST_BARS = 8
MOST_PANELS = 24
LONGEST = 18  # letters of a name


@styled
def marginals(
    real: Mapping[str, ArrayLike],
    synthetic: Mapping[str, ArrayLike],
    *,
    scores: Mapping[str, float] | None = None,
    title: str | None = None,
) -> Figure:
    """Draw one panel for each column: how often its values occur among the real and among the synthetic rows.

    Args:
        real: column ↦ its values (N,): numbers, or texts for categories; missing ones, NaN or None, are left out.
        synthetic: the same columns of the synthetic rows.
        scores: column ↦ similarity, written above its panel.
        title: a line above the picture.

    Raises:
        ValueError: there are no columns, or the synthetic rows lack one.
    """
    names = list(real)[:MOST_PANELS]
    if not names or any(name not in synthetic for name in names):
        raise ValueError(f"real and synthetic rows must have the same columns, got {names} and {list(synthetic)}.")
    across = min(4, len(names))
    down = -(-len(names) // across)
    figure = new_figure(3.1 * across, 2.25 * down)
    figure.set_layout_engine("constrained", hspace=0.08, wspace=0.05)
    axes = figure.subplots(down, across, squeeze=False)
    for ax, name in zip(axes.flat, names, strict=False):
        pair = [np.asarray(rows[name]) for rows in (real, synthetic)]
        draw = _draw_shares if pair[0].dtype.kind in "OUSb" else _draw_densities
        draw(ax, *pair)
        ax.set_title(_short(name))
        if scores:
            add_note(ax, f"{scores[name]:.3f}")
    for ax in axes.flat[len(names) :]:
        ax.set_visible(False)
    handles = [
        axes[0, 0].fill_between([], [], color=ACCENT, alpha=0.35, lw=0),
        *axes[0, 0].plot([], [], color=CONTRAST, marker="o", ms=4.5),
    ]
    figure.legend(handles, ["real", "synthetic"], loc="outside upper right", ncols=2)
    figure.suptitle(title or " ", x=0.01, ha="left", size=12)
    return figure


@styled
def trends(names: Sequence[str], similarities: ArrayLike, *, title: str | None = None) -> Figure:
    """Draw how far each pair of columns, similarities (D, D) with 1 for equal, is from the real rows' trend."""
    apart = 1 - finite("similarities", similarities)
    count = len(names)
    if apart.shape != (count, count):
        raise ValueError(f"similarities must be of shape ({count}, {count}), but the shape is {apart.shape}.")
    below = np.ma.masked_array(apart, np.triu(np.ones((count, count), bool)))[1:, :-1]
    side = 1.8 + 0.42 * count
    figure = new_figure(side + 0.8, side)
    ax = figure.subplots()
    most = max(0.05, float(apart.max()))
    shown = ax.imshow(below, cmap="OrRd", vmin=0, vmax=most)
    if count <= 20:
        for row in range(count - 1):
            for column in range(row + 1):
                value = below[row, column]
                ink = "white" if value > 0.6 * most else MUTED
                ax.text(column, row, f"{100 * value:.1f}", ha="center", va="center", size=7, color=ink)
    labels = [_short(name) for name in names]
    ax.set_yticks(range(count - 1), labels[1:])
    ax.set_xticks(range(count - 1), labels[:-1], rotation=45, ha="right", rotation_mode="anchor")
    ax.tick_params(length=0)
    for spine in ax.spines.values():
        spine.set_visible(False)
    bar = figure.colorbar(shown, ax=ax, shrink=0.55, anchor=(0, 1), format=PercentFormatter(1, 0))
    bar.outline.set_visible(False)
    bar.set_label("difference from the real rows")
    ax.set_title(title or f"mean similarity {1 - float(below.mean()):.3f}")
    return figure


@styled
def distances(synthetic: ArrayLike, real: ArrayLike, *, title: str | None = None) -> Figure:
    """Draw the distances of synthetic and of held-out real rows to the closest training row, (N,) and (M,)."""
    pair = [finite("distances", values) for values in (real, synthetic)]
    edges = np.linspace(0, max(np.quantile(values, 0.995) for values in pair), BINS + 1)
    figure = new_figure(6.4, 3.4)
    ax = figure.subplots()
    _draw_histograms(ax, pair, edges)
    for values, color in zip(pair, (ACCENT, CONTRAST), strict=True):
        ax.axvline(float(np.median(values)), color=color, lw=1, ls=(0, (4, 3)))
    handles = [ax.fill_between([], [], color=ACCENT, alpha=0.35, lw=0), *ax.plot([], [], color=CONTRAST)]
    ax.legend(handles, ["held-out real rows", "synthetic rows"])
    ax.set(xlabel="distance to the closest training row", ylabel="share of the rows", title=title or "")
    add_note(ax, "dashed: medians")
    ax.yaxis.set_major_formatter(PercentFormatter(1, 0))
    return figure


def _draw_densities(ax: Axes, real: np.ndarray, synthetic: np.ndarray) -> None:
    pair = [np.asarray(values, float)[~np.isnan(np.asarray(values, float))] for values in (real, synthetic)]
    both = np.concatenate(pair)
    if not len(both):
        return
    low, high = both.min(), both.max()
    whole = np.equal(both, np.rint(both)).all() and high - low <= BINS
    edges = np.arange(low, high + 2) - 0.5 if whole else np.linspace(low, high, BINS + 1)
    tallest = _draw_histograms(ax, pair, edges)
    if tallest > 0.6:  # one bar would leave nothing to see of the others
        ax.set_yscale("symlog", linthresh=1e-3)
        ax.set_yticks([0, 0.001, 0.01, 0.1, 1])
        ax.yaxis.set_minor_locator(MaxNLocator(1))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:g}%"))
    ax.xaxis.set_major_locator(MaxNLocator(4))
    if max(abs(low), abs(high)) >= 10_000:
        ax.xaxis.set_major_formatter(EngFormatter(sep=""))


def _draw_histograms(ax: Axes, pair: Sequence[np.ndarray], edges: np.ndarray) -> float:
    """Real values as an area, synthetic ones as a line; the largest share is returned."""
    shares = [np.histogram(values, edges)[0] / max(len(values), 1) for values in pair]
    ax.stairs(shares[0], edges, fill=True, color=ACCENT, alpha=0.35, lw=0)
    ax.stairs(shares[1], edges, color=CONTRAST, lw=1.3)
    ax.grid(True, axis="y")
    ax.tick_params(length=0)
    return float(max(share.max(initial=0) for share in shares))


def _draw_shares(ax: Axes, real: np.ndarray, synthetic: np.ndarray) -> None:
    pair = [np.array([str(value).strip() for value in values.tolist() if value is not None and value == value])
            for values in (real, synthetic)]  # fmt: skip
    values, counts = np.unique(np.concatenate(pair), return_counts=True)
    shown = values[np.argsort(-counts, kind="stable")][:MOST_BARS]
    shares = [[float(np.mean(part == value)) for value in shown] for part in pair]
    labels = [_short(value) for value in shown]
    if len(values) > MOST_BARS:
        shares = [[*part[:-1], 1 - sum(part[:-1])] for part in shares]
        labels[-1] = f"{len(values) - MOST_BARS + 1} others"
    at = np.arange(len(shown))
    ax.barh(at, shares[0], 0.8, color=ACCENT, alpha=0.35)
    ax.plot(shares[1], at, "o", color=CONTRAST, ms=4.5)
    ax.set_yticks(at, labels, size=8)
    ax.set_ylim(len(shown) - 0.4, -0.6)
    ax.set_xlim(left=0)
    ax.grid(True, axis="x", color=HAIRLINE)
    ax.tick_params(length=0)
    ax.xaxis.set_major_formatter(PercentFormatter(1, 0))
    ax.xaxis.set_major_locator(MaxNLocator(4))


def _short(name: object) -> str:
    text = str(name)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
