"""The encoded data in latent space: a scatter, or a histogram where there is one dimension."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from .checks import finite
from .coloring import Coloring, coloring
from .style import ACCENT, MUTED, new_figure, styled

PLOT_INCHES = 5.8
LEAST_RATIO = 0.62


@styled
def clusters(
    z: ArrayLike,
    labels: ArrayLike | None = None,
    *,
    classes: Sequence[str] = (),
    axes: tuple[int, int] | None = None,
    projection: str | None = "pca",
    label_name: str = "label",
    title: str | None = None,
) -> Figure:
    """Draw encoded examples as points of the latent plane, coloured by class.

    Two dimensions are drawn as they are and one as a histogram. More are projected on their first two principal
    components, and the axes name the share of the total variance that each holds. Points are drawn in a fixed random
    order, so that no class covers another. The axes reach a little past the 0.1 % and 99.9 % quantiles; how many
    points lie outside is written in the corner.

    Args:
        z: latent points of shape (N, D).
        labels: one per point: class indices or names, which get colours of their own up to 20 classes and a continuous
            scale above, or real numbers, which get a continuous scale. Without labels one colour is used.
        classes: the class names in the order of their indices.
        axes: two dimensions to draw instead of a projection.
        projection: "pca", or None for the first two dimensions.
        label_name: what the labels are; the title of a continuous scale.
        title: a line above the picture.

    Raises:
        ValueError: a shape or length does not fit, a value is not finite, or a label, axis or projection is unknown.
    """
    z = finite("z", z)
    if z.ndim != 2:
        raise ValueError(f"z must be latent points of shape (N, D), but its shape is {z.shape}.")
    if projection not in ("pca", None):
        raise ValueError(f"projection must be 'pca' or None, got {projection!r}.")
    colors = None if labels is None else coloring(labels, classes, len(z))
    if z.shape[1] > 1 or axes is not None:
        points, names = _plane(z, axes, projection)
        return _scatter(points, names, title, colors, label_name)
    if colors is not None and not colors.names:
        return _scatter(np.column_stack([z[:, 0], colors.values]), ("z[0]", label_name), title, equal=False)
    return _histogram(z[:, 0], colors, title)


def _plane(z: np.ndarray, axes: tuple[int, int] | None, projection: str | None) -> tuple[np.ndarray, tuple[str, str]]:
    size = z.shape[1]
    if axes is not None and (len(axes) != 2 or not all(0 <= axis < size for axis in axes)):
        raise ValueError(f"axes must be two dimensions from 0 to {size - 1}, got {tuple(axes)}.")
    if axes is None and projection == "pca" and size > 2:
        return _principal_components(z)
    first, second = axes or (0, 1)
    suffix = f" of {size}-D latent space" if size > 2 else ""
    return z[:, [first, second]], (f"z[{first}]{suffix}", f"z[{second}]{suffix}")


def _principal_components(z: np.ndarray) -> tuple[np.ndarray, tuple[str, str]]:
    from sklearn.decomposition import PCA

    count, size = z.shape
    if count < 2:
        raise ValueError(f"A projection needs at least two points, but z has {count}; name two dimensions in axes.")
    # Equal points have no variance to share out: 0 / 0 becomes 0 below.
    with np.errstate(invalid="ignore"):
        pca = PCA(2, random_state=0).fit(z)
    shares = 100 * np.nan_to_num(pca.explained_variance_ratio_)
    first, second = (
        f"PC {i} of {size}-D latent space ({share:.0f} % of variance)" for i, share in enumerate(shares, start=1)
    )
    return pca.transform(z), (first, second)


def _scatter(
    points: np.ndarray,
    names: tuple[str, str],
    title: str | None,
    colors: Coloring | None = None,
    label_name: str = "",
    *,
    equal: bool = True,
) -> Figure:
    limits = [_limits(points[:, axis]) for axis in (0, 1)]
    if equal:
        limits = _not_too_thin(limits)
    (left, right), (bottom, top) = limits
    ratio = (top - bottom) / (right - left) if equal else 0.75
    scale = PLOT_INCHES / max(1, ratio)
    figure = new_figure(scale + 0.8 + (1.4 if colors else 0), scale * ratio + 0.8)
    ax = figure.subplots()
    order = np.random.default_rng(0).permutation(len(points))
    ax.scatter(
        *points[order].T,
        s=float(np.clip(450 / np.sqrt(len(points)), 2.2, 28)),
        alpha=float(np.clip(1.25 - 0.14 * np.log10(len(points)), 0.55, 0.9)),
        linewidths=0,
        rasterized=True,
        **({"c": colors.values[order], "cmap": colors.cmap, "norm": colors.norm} if colors else {"color": ACCENT}),
    )
    ax.set(xlim=(left, right), ylim=(bottom, top), xlabel=names[0], ylabel=names[1], title=title)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(MaxNLocator(10, steps=[1, 2, 5, 10]))
    if equal:
        ax.set_aspect("equal")
    _note_outside(ax, np.any((points < [left, bottom]) | (points > [right, top]), axis=1))
    if colors:
        colors.draw_bar(ax, label_name)
    return figure


def _histogram(values: np.ndarray, colors: Coloring | None, title: str | None) -> Figure:
    figure = new_figure(7.4, 4.4)
    ax = figure.subplots()
    edges = np.linspace(*_limits(values), int(np.clip(np.sqrt(len(values)), 10, 80)) + 1).tolist()
    if colors is None:
        ax.hist(values, edges, color=ACCENT)
    else:
        codes = range(len(colors.names))[::-1]
        groups = [values[colors.values == code] for code in codes]
        shades = [colors.cmap(colors.norm(code)) for code in codes]
        ax.hist(groups, edges, color=shades, stacked=True)
        colors.draw_bar(ax, "")
    ax.set(xlabel="z[0]", ylabel="examples per bin", title=title)
    ax.set_xlim(edges[0], edges[-1])
    ax.xaxis.set_major_locator(MaxNLocator(10, steps=[1, 2, 5, 10]))
    _note_outside(ax, (values < edges[0]) | (values > edges[-1]))
    return figure


def _note_outside(ax: Axes, outside: np.ndarray) -> None:
    if outside.any():
        text = f"outside the axes: {np.count_nonzero(outside):,} of {len(outside):,} points"
        ax.text(0.995, 0.01, text, transform=ax.transAxes, ha="right", va="bottom", size=8, color=MUTED)


def _limits(values: np.ndarray) -> tuple[float, float]:
    low, high = np.quantile(values, [0.001, 0.999])
    margin = 0.05 * (high - low) or 0.5
    return float(low - margin), float(high + margin)


def _not_too_thin(limits: list[tuple[float, float]]) -> list[tuple[float, float]]:
    # A dimension that hardly varies must not squeeze the picture, and its class names, into a strip.
    least = LEAST_RATIO * max(high - low for low, high in limits)
    centers = [((low + high) / 2, max(high - low, least) / 2) for low, high in limits]
    return [(center - half, center + half) for center, half in centers]
