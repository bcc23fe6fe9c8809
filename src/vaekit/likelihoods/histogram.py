"""A histogram for each column, with bins where the data are."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Self

import numpy as np
import torch
from torch import Size, Tensor

from vaekit.core import Family, Shapes, Support
from vaekit.distributions import Bins
from vaekit.distributions import Histogram as HistogramColumns

SPIKE_WIDTH = 1e-3  # of a continuous column's unit: how wide the bin of a value is that has a mass of its own
LEAST = 20  # examples that a bin should hold
TAIL = 0.05  # mean excess over the range of the data, as a share of the range
DEFAULT = 256  # values a column is taken to hold before examples are seen
UNSEEN = 0.5  # examples that every bin has beforehand (Krichevsky and Trofimov, 1981)


class Histogram(Family):
    """P(x_j|z): a softmax over at most ``bins`` bins of each column, even over the recorded values within a bin.

    The bins are learned from examples: where a column takes few values, each has a bin and so has each gap between
    them; else frequent values have bins of their own and the others lie between quantiles. The logits are added to
    the logarithms of the frequencies, so that parameters of 0 are the column's own histogram. Beyond the range of the
    examples the mass falls off geometrically: every possible value has one, and masses sum to one.
    """

    edges: Tensor
    grain: Tensor
    cell: Tensor
    tail: Tensor
    unordered: Tensor
    log_frequencies: Tensor

    def __init__(self, bins: int = 256):
        super().__init__()
        if bins < 8:
            raise ValueError(f"a histogram needs at least 8 bins, got {bins}")
        self.bins = bins

    def bind(self, shapes: Shapes) -> Self:
        """Phi is (C, D). Raises ValueError where x is no row of a table."""
        if shapes.columns is None:
            raise ValueError("a histogram is for the columns of a table: use likelihood 'gaussian'")
        self.event, self.columns, self.examples = shapes.x, shapes.columns, max(shapes.examples, 1)
        self.most = max(column.categories or self.bins for column in self.columns)
        self.phi = Size([self.most, len(self.columns)])
        cells = Support.join(self.columns).cell
        self.register_buffer("cell", torch.as_tensor(cells, dtype=torch.float32).expand(self.event), persistent=False)
        self.register_buffer("unordered", torch.tensor([c.categories > 0 for c in self.columns]), persistent=False)
        for name, width in (("edges", self.most + 1), ("grain", self.most), ("log_frequencies", self.most)):
            self.register_buffer(name, torch.zeros(len(self.columns), width))
        self.register_buffer("tail", torch.ones(len(self.columns)))
        for at, column in enumerate(self.columns):
            self._place(at, column, _default_values(column))
        return self

    @torch.no_grad()
    def prepare(self, x: Tensor, mask: Tensor | None = None) -> None:
        """Choose the bins."""
        seen = ~x.isnan() if mask is None else mask
        for at, column in enumerate(self.columns):
            values = x[:, at][seen[:, at]].double().cpu().numpy()
            if len(values):
                self._place(at, column, values)

    def forward(self, phi: Tensor) -> HistogramColumns:
        """Phi (..., C, D)."""
        return HistogramColumns(phi.mT + self.log_frequencies, self.layout)

    @property
    def layout(self) -> Bins:
        """The bins, as the distribution takes them."""
        return Bins(self.edges, self.grain, self.cell, self.tail, self.unordered)

    def _place(self, at: int, column: Support, values: np.ndarray) -> None:
        """Write the bins of a column, found from its values, into the buffers."""
        quantiles = min((self.bins - 2) // 3, max(2, len(values) // LEAST))
        edges, grain = choose_bins(values, column, self.bins, quantiles)
        counts = np.histogram(values, edges)[0] + UNSEEN
        used, device = len(grain), self.edges.device
        self.edges[at] = math.inf
        self.edges[at, : used + 1] = torch.as_tensor(edges, device=device)
        self.grain[at] = float(column.step or 0.0)  # pyright: ignore
        self.grain[at, :used] = torch.as_tensor(grain, device=device)
        self.log_frequencies[at] = -math.inf
        self.log_frequencies[at, :used] = torch.as_tensor(np.log(counts / counts.sum()), device=device)
        finite = edges[np.isfinite(edges)]
        self.tail[at] = max(TAIL * (finite[-1] - finite[0]), float(column.step or column.unit))  # pyright: ignore


def choose_bins(values: np.ndarray, column: Support, most: int, quantiles: int) -> tuple[np.ndarray, np.ndarray]:
    """At most ``most`` bins for values (N,): their edges (C + 1,), in model units, and the distance between the values
    within each (C,), 0 for continuous ones.
    """
    step, low, high = float(column.step or 0.0), float(column.low), float(column.high)  # pyright: ignore
    anchor = low if math.isfinite(low) else float(values.min())
    unit, half = (step, 0.5) if step else (1.0, SPIKE_WIDTH / 2 * float(column.unit))  # pyright: ignore
    at = np.rint((values - anchor) / unit) if step else values - anchor
    ends = (np.array([low, high]) - anchor) / unit + np.array([-half, half])
    if column.categories:
        edges = np.arange(column.categories + 1) - half
    else:
        own = _own_bins(at, (np.array(column.spikes) - anchor) / unit if not step else None, most, quantiles)
        rest = at[~np.isin(at, own)]
        cuts = np.quantile(rest, np.linspace(0, 1, quantiles + 1)[1:-1], method="higher") + half if len(rest) else rest
        cuts = np.concatenate([cuts, [at.min() - half, at.max() + half]])
        cuts = cuts[np.abs(cuts[:, None] - own).min(1, initial=math.inf) >= half]
        edges = np.unique(np.concatenate([own - half, own + half, cuts]))
        inside = edges[(edges > ends[0]) & (edges < ends[1])]
        edges = np.concatenate([ends[:1], inside, ends[1:]])
    widths = np.diff(edges)
    grain = np.full(len(widths), step) if step else np.where(np.abs(widths - 2 * half) < 1e-9, widths, 0.0)
    return anchor + edges * unit, grain


def _own_bins(at: np.ndarray, spikes: np.ndarray | None, most: int, quantiles: int) -> np.ndarray:
    """The positions that have a bin of their own: spikes, or on a grid all if they are few, else the frequent ones."""
    if spikes is not None:
        distinct = np.unique(at)
        return distinct[np.abs(distinct[:, None] - spikes).min(1, initial=math.inf) < 1e-6]
    distinct, counts = np.unique(at, return_counts=True)
    return distinct if 2 * len(distinct) + 3 <= most else distinct[counts * quantiles >= len(at)]


def _default_values(column: Support) -> np.ndarray:
    """What a column is taken to hold before examples are seen: evenly spread quantiles of a standard normal."""
    if column.categories:
        return np.arange(column.categories, dtype=float)
    step, low = float(column.step or 0.0), float(column.low)  # pyright: ignore
    normal = np.array([NormalDist().inv_cdf((i + 0.5) / DEFAULT) for i in range(DEFAULT)])
    values = np.clip(normal, low, float(column.high))  # pyright: ignore
    anchor = low if math.isfinite(low) else 0.0
    return anchor + np.rint((values - anchor) / step) * step if step else values
