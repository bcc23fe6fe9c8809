"""A density seen through piecewise linear maps of the line, one for each column."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.distributions import Distribution
from torch.types import _size

from .density import NONE, Density

NODES = 16  # of the quadrature for the mean


@dataclass(frozen=True, eq=False)
class Warp:
    """x ↦ y, increasing, linear between ``knots`` (D, K) of x and ``scores`` (D, K) of y; beyond, as steep as from end
    to end.
    """

    knots: Tensor
    scores: Tensor

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Y and log dy/dx, (..., D)."""
        return _broken_line(x, self.knots, self.scores)

    def inverse(self, y: Tensor) -> Tensor:
        """X, (..., D)."""
        return _broken_line(y, self.scores, self.knots)[0]


class Warped(Density):
    """x with y = warp(x) from an elementwise ``base`` of batch shape (..., D): log p(x) = log p(y) + log dy/dx."""

    def __init__(self, base: Distribution, warp: Warp):
        super().__init__(base.batch_shape)
        self.base, self.warp = base, warp

    @property
    def support(self) -> torch.distributions.constraints.Constraint:
        """The line."""
        return self.base.support  # pyright: ignore[reportReturnType]

    @property
    def mean(self) -> Tensor:
        """E[x], by midpoints of equal probability."""
        levels = (torch.arange(NODES, device=self.warp.knots.device) + 0.5) / NODES
        total = torch.zeros((), device=self.warp.knots.device)
        for level in levels:
            total = total + self.warp.inverse(self.base.icdf(level))
        return total / NODES

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-density of x."""
        y, log_slope = self.warp.forward(value)
        return self.base.log_prob(y) + log_slope

    def sample(self, sample_shape: _size = NONE) -> Tensor:
        """A draw."""
        with torch.no_grad():
            return self.warp.inverse(self.base.sample(sample_shape))


def _broken_line(x: Tensor, knots: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
    """The line through (knots, values), and the logarithm of its slope."""
    columns = x.detach().expand(*x.shape[:-1], len(knots)).reshape(-1, len(knots)).mT.contiguous()
    right = torch.searchsorted(knots, columns).clamp(1, knots.shape[1] - 1)

    def at(table: Tensor, index: Tensor) -> Tensor:
        return table.gather(1, index).mT.reshape(*x.shape[:-1], len(knots))

    x0, x1, y0, y1 = at(knots, right - 1), at(knots, right), at(values, right - 1), at(values, right)
    slope = (y1 - y0) / (x1 - x0)
    overall = (values[:, -1] - values[:, 0]) / (knots[:, -1] - knots[:, 0])
    below, above = x < knots[:, 0], x > knots[:, -1]
    slope = torch.where(below | above, overall, slope)
    return torch.where(above, y1 + (x - x1) * slope, y0 + (x - x0) * slope), slope.log()
