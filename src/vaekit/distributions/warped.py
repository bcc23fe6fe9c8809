"""A piecewise linear map of the line, one for each column."""

from typing import NamedTuple

import torch
from torch import Tensor


class Warp(NamedTuple):
    """x ↦ y, increasing, linear between ``knots`` (D, K) of x and ``scores`` (D, K) of y; beyond, as steep as from end
    to end.
    """

    knots: Tensor
    scores: Tensor

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Y and dy/dx, (..., D)."""
        return _broken_line(x, self.knots, self.scores)

    def inverse(self, y: Tensor) -> Tensor:
        """X, (..., D)."""
        return _broken_line(y, self.scores, self.knots)[0]


def _broken_line(x: Tensor, knots: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
    """The line through (knots, values), and its slope."""
    columns = x.reshape(-1, len(knots)).mT.contiguous()
    inner = values.diff(dim=1) / knots.diff(dim=1)
    outer = (values[:, -1:] - values[:, :1]) / (knots[:, -1:] - knots[:, :1])
    right = torch.searchsorted(knots, columns.detach())
    left = (right - 1).clamp(min=0)
    slope = torch.cat([outer, inner, outer], 1).gather(1, right)
    y = values.gather(1, left) + (columns - knots.gather(1, left)) * slope
    return y.mT.reshape(x.shape), slope.mT.reshape(x.shape)
