"""The probability of the recorded cells of a table under one multivariate normal: what every model has to beat."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Self

import torch
from torch import Tensor

from vaekit.core import Support
from vaekit.distributions.kernels import KERNELS

from .cell_margins import FAR, CellMargins, Intervals
from .full_gaussian import FullGaussian

ELEMENTS = 2**22  # held at once
STEPS, DRAWS = 5, 10  # of EM with draws; and of these, of each row
ROWS = 5000  # that EM looks at
NORMAL = KERNELS["normal"]


class GaussianCopula(NamedTuple):
    """A normal y ~ N(0, R) of which every recorded cell is an interval (see :class:`CellMargins`), so that rows have
    probabilities that compare with those of any other model of the same columns: masses on a grid and of categories,
    densities per unit else.

        model = GaussianCopula.fit(x, columns)                # x (N, D), NaN where hidden; a Support for each column
        GaussianCopula.fit(x, columns, normal=True)           # normal margins: the full-covariance normal, rounded
        model.log_prob(x)                                     # (N,), nats, of the observed cells

    :class:`GaussianTable` is its sibling that fills in cells and draws rows.
    """

    margins: CellMargins
    order: Tensor
    root: Tensor

    @classmethod
    def fit(
        cls, x: Tensor, columns: Sequence[Support], *, normal: bool = False, shrinkage: float = 0.1, seed: int = 0
    ) -> Self:
        """By EM: exact for the middles of the cells (see :meth:`FullGaussian.fit`, also for ``shrinkage``), then a few
        steps with draws from within them.
        """
        margins = CellMargins.of(x, columns, normal=normal)
        generator = torch.Generator().manual_seed(seed)
        rows = margins.cells(x[torch.randperm(len(x), generator=generator)[:ROWS]])
        order = (rows.upper - rows.lower).mean(0).argsort(stable=True)  # draws in wide cells are noise: these last
        rows = rows.ordered(order)
        start = FullGaussian.fit(_middles(rows.lower, rows.upper), shrinkage=shrinkage)
        found, kept = cls(margins, order, _root(start.covariance, 1.0)), len(x) / (len(x) + shrinkage * x.shape[1])
        for _ in range(STEPS):
            moment = torch.zeros_like(found.root)
            for log_w, y in found._draws(rows, DRAWS, generator):
                weighted = y * log_w.softmax(0).sqrt().unsqueeze(-1)
                moment += torch.einsum("kbi,kbj->ij", weighted, weighted)
            found = found._replace(root=_root(moment, kept))
        return found

    def log_prob(self, x: Tensor, samples: int = 50, *, seed: int = 0) -> Tensor:
        """Of the observed cells of rows (N, D), float64 (N,): log mean over ``samples`` of the sequential estimate
        (Geweke, 1991; Hajivassiliou and Keane), which is exact where no cell is wide and else a lower bound in
        expectation.
        """
        generator = torch.Generator().manual_seed(seed)
        cells = self.margins.cells(x).ordered(self.order)
        found = [log_w.logsumexp(0) for log_w, _ in self._draws(cells, samples, generator)]
        return torch.cat(found) - math.log(samples)

    def _draws(self, cells: Intervals, samples: int, generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
        """Log-weights (K, B) and draws y within the cells (K, B, D), some rows at a time."""
        for low, high, slope in cells.split(max(1, ELEMENTS // (samples * len(self.order)))):
            log_w = slope.sum(1).expand(samples, -1).clone()
            noise = torch.zeros(samples, *low.shape, dtype=low.dtype)
            u = torch.rand(noise.shape, generator=generator, dtype=low.dtype)
            for j in range(low.shape[1]):
                mean, scale = noise[..., :j] @ self.root[j, :j], self.root[j, j]
                a, b = (low[:, j] - mean) / scale, (high[:, j] - mean) / scale
                point = high[:, j] <= low[:, j]
                log_w += torch.where(point, NORMAL.log_density(a) - scale.log(), NORMAL.log_mass(b, a, b - a))
                noise[..., j] = torch.where(point, a, _within(a, b, u[..., j]))
            yield log_w, noise @ self.root.mT


def _within(a: Tensor, b: Tensor, u: Tensor) -> Tensor:
    """The u-quantile of a standard normal between two ends, computed on the side where it is exact."""
    side = torch.where(a + b > 0, -1.0, 1.0)
    below, above = (torch.special.ndtr(side * end) for end in (a, b))
    return (side * torch.special.ndtri(torch.lerp(below, above, u))).clamp(a, b)


def _middles(lower: Tensor, upper: Tensor) -> Tensor:
    """E[y] of standard normals between the ends; NaN where there are none."""
    far = torch.maximum(lower.abs(), upper.abs()) < FAR
    mass = NORMAL.log_mass(upper, lower, upper - lower).exp()
    middle = (NORMAL.log_density(lower).exp() - NORMAL.log_density(upper).exp()) / mass
    middle = torch.where((mass > 1e-9) & middle.isfinite(), middle, (lower + upper) / 2).clamp(lower, upper)
    return torch.where(far | (upper - lower < FAR), middle, torch.nan)


def _root(moment: Tensor, kept: float) -> Tensor:
    """The Cholesky factor of the correlations, shrunk."""
    scale = moment.diagonal().sqrt()
    correlation = kept * moment / scale.outer(scale)
    return torch.linalg.cholesky(correlation.fill_diagonal_(1.0))
