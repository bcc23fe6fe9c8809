"""From labels to colours: class colours or a continuous scale, and the colour bar that explains them."""

from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import BoundaryNorm, Colormap, ListedColormap, Normalize, to_rgb
from numpy.typing import ArrayLike

from .checks import vector

# Ten colours told apart with impaired colour vision and in words: M. A. Petroff, "Accessible color sequences for data
# visualization", 2021, arXiv:2107.02270.
PETROFF = (
    "#3f90da", "#ffa90e", "#bd1f01", "#94a4a2", "#832db6", "#a96b59", "#e76300", "#b9ac70", "#717581", "#92dadd",
)  # fmt: skip
QUALITATIVE = [to_rgb(color) for color in PETROFF]
QUALITATIVE += [tuple(0.55 * channel for channel in color) for color in QUALITATIVE]
MOST_NAMES = 20


@dataclass(frozen=True)
class Coloring:
    """A number per point, the scale that turns it into a colour, and class names if the numbers are class indices."""

    values: np.ndarray
    cmap: Colormap
    norm: Normalize
    names: list[str]

    def draw_bar(self, ax: Axes, title: str) -> None:
        """Draw the colour bar along the right side of `ax`, with the first class on top."""
        side = ax.inset_axes((1.03, 0, 0.035, 1))
        bar = ax.figure.colorbar(ScalarMappable(self.norm, self.cmap), cax=side)
        bar.outline.set_visible(False)
        if not self.names:
            bar.set_label(title)
            return
        step = -(-len(self.names) // MOST_NAMES)
        shown = range(0, len(self.names), step)
        bar.set_ticks(list(shown), labels=[self.names[code] for code in shown])
        bar.ax.tick_params(which="both", length=0, pad=6)
        bar.ax.invert_yaxis()


def coloring(labels: ArrayLike, classes: Sequence[str], count: int) -> Coloring:
    """Return colours for `count` labels: real numbers on a continuous scale, classes in colours of their own.

    More than 20 classes share a continuous scale, by index where they have names and by value where they are integers.
    """
    array = np.asarray(labels)
    if array.shape != (count,):
        raise ValueError(f"labels must hold one label per point, shape ({count},), but the shape is {array.shape}.")
    if array.dtype.kind == "f" and not len(classes):
        return _continuous(vector("labels", array, count, "point"))
    codes, names = _indices(array, classes) if len(classes) else _classes(array)
    if len(names) <= len(QUALITATIVE):
        cmap = ListedColormap(QUALITATIVE[: len(names)])
        return Coloring(codes, cmap, BoundaryNorm(np.arange(len(names) + 1) - 0.5, len(names)), names)
    if array.dtype.kind in "iu" and not len(classes):
        return _continuous(array.astype(float))
    return _continuous(codes, names)


def _continuous(values: np.ndarray, names: Sequence[str] = ()) -> Coloring:
    low, high = (0, len(names) - 1) if names else (values.min(), values.max())
    return Coloring(values, matplotlib.colormaps["viridis"], Normalize(low, high), list(names))


def _classes(labels: np.ndarray) -> tuple[np.ndarray, list[str]]:
    if labels.dtype == object and any(label is None or label != label for label in labels):
        raise ValueError("labels must name a class for every point, but some are missing (None or NaN); drop those.")
    try:
        found, codes = np.unique(labels, return_inverse=True)
    except TypeError:
        found, codes = np.unique(labels.astype(str), return_inverse=True)
    return codes, [str(name) for name in found]


def _indices(labels: np.ndarray, classes: Sequence[str]) -> tuple[np.ndarray, list[str]]:
    names = [str(name) for name in classes]
    if labels.dtype.kind in "biuf":
        wrong = ~np.isin(labels, np.arange(len(names)))
        codes = labels
    else:
        position = {name: code for code, name in enumerate(names)}
        codes = np.array([position.get(str(label), -1) for label in labels])
        wrong = codes < 0
    if wrong.any():
        raise ValueError(
            f"labels must be the names of the {len(names)} classes or indices from 0 to {len(names) - 1}, "
            f"but one is {labels[wrong][0]!s}."
        )
    return codes.astype(int), names
