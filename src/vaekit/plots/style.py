"""The house style, the figure that carries it, and writing a figure to a file.

The style is in force only while a figure is made and while it is drawn. The user's rcParams, backend and pyplot
state stay as they are, and the picture does not depend on them.
"""

import io
import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, final

import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

P = ParamSpec("P")

ACCENT = "#3b6ea8"
CONTRAST = "#c8553d"
INK = "#22262b"
MUTED = "#6b7280"
HAIRLINE = "#e3e6ea"

HOUSE = {
    "font.family": ["DejaVu Sans"],
    "font.size": 10,
    "text.color": INK,
    "figure.dpi": 110,
    "figure.facecolor": "white",
    "axes.facecolor": "white",
    "axes.edgecolor": "#9aa1ab",
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.labelcolor": INK,
    "axes.labelsize": 10,
    "axes.labelpad": 6,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.titlepad": 9,
    "axes.axisbelow": True,
    "grid.color": HAIRLINE,
    "grid.linewidth": 0.8,
    "xtick.color": "#9aa1ab",
    "ytick.color": "#9aa1ab",
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "lines.linewidth": 1.6,
    "legend.edgecolor": "none",
    "legend.framealpha": 1.0,
    "legend.fontsize": 9,
    "image.cmap": "gray",
    "pdf.fonttype": 42,
    "svg.hashsalt": "vaekit",
}

# Without a date, the same arrays give the same bytes.
METADATA: dict[str, dict[str, str | None]] = {"pdf": {"CreationDate": None}, "png": {}, "svg": {"Date": None}}


def house_style() -> AbstractContextManager[None]:
    """Matplotlib's defaults with the house style on top, for as long as the context lasts."""
    return matplotlib.style.context(HOUSE, after_reset=True)


@final
class HouseFigure(Figure):
    """A figure made without pyplot that is drawn in the house style and shows itself in a notebook.

    Matplotlib makes ticks and places the layout only when a figure is drawn, with the settings of that moment; hence
    the style is put in force for each drawing too.
    """

    def draw(self, renderer: Any) -> None:
        """Draw the figure in the house style."""
        with house_style():
            super().draw(renderer)

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        _write(self, buffer, "png", self.dpi)
        return buffer.getvalue()


def styled(plot: Callable[P, Figure]) -> Callable[P, Figure]:
    """Make `plot` build its figure in the house style."""

    @wraps(plot)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> Figure:
        with house_style():
            return plot(*args, **kwargs)

    return wrapper


def new_figure(width: float, height: float) -> HouseFigure:
    """Return an empty figure of about width × height inches whose layout fits its labels."""
    return HouseFigure(figsize=(width, height), layout="compressed")


def add_note(ax: Axes, text: str) -> None:
    """Write a small remark above the right end of `ax`."""
    ax.set_title(text, loc="right", size=8, color=MUTED)


def number_labels(values: Sequence[float] | np.ndarray) -> list[str]:
    """Write values with the same number of decimals: the fewest that round none by over 5 % of the smallest gap."""
    values = np.asarray(values, dtype=float)
    gaps = np.diff(np.unique(values))
    tolerance = 0.05 * (gaps.min() if gaps.size else max(abs(values[0]), 1e-3))
    decimals = next((d for d in range(6) if np.all(np.abs(np.round(values, d) - values) <= tolerance)), 6)
    return fixed_labels(values, decimals)


def fixed_labels(values: Sequence[float] | np.ndarray, decimals: int) -> list[str]:
    """Write values with a fixed number of decimals and a true minus sign, never as minus zero."""
    return [f"{value:z.{decimals}f}".replace("-", "−") for value in values]


def save(figure: Figure, path: str | os.PathLike[str], *, dpi: float = 200) -> Path:
    """Write a figure as PNG, PDF or SVG, as the suffix of `path` says, and return the path.

    The file is complete or absent: it is written under a temporary name in the same folder, then renamed. Missing
    folders are made. The page is trimmed to what is drawn. `dpi` is the resolution of a PNG and of the dots and images
    inside a PDF or SVG.

    Raises:
        ValueError: the suffix is none of .png, .pdf and .svg.
        OSError: the folder cannot be made or written.
    """
    path = Path(path)
    kind = path.suffix.lower().removeprefix(".")
    if kind not in METADATA:
        raise ValueError(
            f"A figure is saved as .pdf, .png or .svg, but the path is '{path}'; give it one of these suffixes."
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            _write(figure, file, kind, dpi)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def _write(figure: Figure, file: Any, kind: str, dpi: float) -> None:
    with house_style():
        figure.savefig(file, format=kind, dpi=dpi, bbox_inches="tight", pad_inches=0.12, metadata=METADATA[kind])
