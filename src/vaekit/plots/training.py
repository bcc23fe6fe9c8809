"""Training curves from the rows of a run's `metrics.jsonl`."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from .style import ACCENT, CONTRAST, MUTED, add_note, new_figure, styled

UNIT = "nats per example"
MOST_MARKERS = 40
LEAST_SPAN = 0.01
SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@styled
def curves(rows: Sequence[Mapping[str, Any]], *, title: str | None = None) -> Figure:
    """Draw loss, reconstruction, KL and learning rate over the epochs.

    The epoch with the lowest held-out loss is marked; without held-out data none is, as the training loss chooses no
    epoch. Where an epoch occurs twice, as after a resumed run, the later row counts.

    Args:
        rows: one mapping per epoch with `epoch`, `loss`, `reconstruction`, `kl` (positive, nats per example), `lr`
            and, where data were held out, `val_loss`; it may be None, and other keys are ignored.
        title: a line above the picture.

    Raises:
        ValueError: there are no rows, or a number is missing or not finite.
    """
    rows = [row for _, row in sorted({_number(row, "epoch"): row for row in rows}.items())]
    if not rows:
        raise ValueError("rows must hold at least one epoch of metrics, but it is empty.")
    figure = new_figure(8.4, 5.8)
    figure.set_layout_engine("constrained", hspace=0.06, wspace=0.06)
    (loss, reconstruction), (kl, lr) = figure.subplots(2, 2, sharex=True)
    _draw(loss, "Loss", _series(rows, "loss"), "training")
    _draw(reconstruction, "Reconstruction", _series(rows, "reconstruction"))
    _draw(kl, "KL divergence", _series(rows, "kl"))
    _draw_rate(lr, _series(rows, "lr"))
    held_out = _series(rows, "val_loss", optional=True)
    if held_out.size:
        _draw(loss, "Loss", held_out, "held out", CONTRAST)
        _mark_best(figure.axes, *held_out[:, held_out[1].argmin()])
        loss.legend()
    _widen(loss)
    for ax in (kl, lr):
        ax.set_ylim(0, 1.08 * max(ax.dataLim.ymax, 1e-9))
        ax.set_xlabel("epoch")
    figure.align_ylabels()
    if title:
        figure.suptitle(title, x=0.01, ha="left", size=12)
    return figure


def _number(row: Mapping[str, Any], key: str) -> float:
    value = row.get(key)
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)) or not np.isfinite(value):
        raise ValueError(f"Every row of metrics needs a finite number {key!r}, but one has {value!r}.")
    return float(value)


def _series(rows: Sequence[Mapping[str, Any]], key: str, *, optional: bool = False) -> np.ndarray:
    present = [row for row in rows if not optional or row.get(key) is not None]
    return np.array([(_number(row, "epoch"), _number(row, key)) for row in present]).T


def _draw(ax: Axes, title: str, series: np.ndarray, label: str | None = None, color: str = ACCENT) -> None:
    marker = "o" if series.shape[1] <= MOST_MARKERS else ""
    ax.plot(*series, color=color, label=label, marker=marker, markersize=3.5)
    ax.set(title=title, ylabel=UNIT)
    ax.grid(True, axis="y")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


def _draw_rate(ax: Axes, series: np.ndarray) -> None:
    _draw(ax, "Learning rate", series)
    largest = series[1].max()
    exponent = int(np.floor(np.log10(largest))) if largest > 0 else 0
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value / 10**exponent:.1f}"))
    ax.yaxis.set_major_locator(MaxNLocator(8, steps=[1, 2, 5, 10]))
    ax.set_ylabel("step size" if exponent == 0 else f"× 10{str(exponent).translate(SUPERSCRIPT)}")


def _mark_best(axes: Sequence[Axes], epoch: float, value: float) -> None:
    for ax in axes:
        ax.axvline(epoch, color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
    axes[0].plot(epoch, value, "o", ms=8, mfc="none", mec=CONTRAST, mew=1.4)
    add_note(axes[0], f"best held out: {value:.1f} at epoch {epoch:g}")


def _widen(ax: Axes) -> None:
    # Losses that are equal for all purposes must not look far apart.
    low, high = ax.get_ylim()
    middle, half = (low + high) / 2, max(high - low, LEAST_SPAN * abs(low)) / 2
    ax.set_ylim(middle - half, middle + half)
