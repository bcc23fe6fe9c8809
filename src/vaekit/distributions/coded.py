"""Distributions on grids as they are pushed on a stack of bits."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import Distribution

from vaekit.coding import Cells, Coded, Gated, Masses

from .coded_columns import coded_discretized, coded_histogram
from .discretized import Discretized
from .discretized_logistic import DiscretizedLogistic
from .histogram import Histogram
from .logistic_mixture import LogisticMixture

MOST = 4096  # values of an element whose masses are all computed


class Grid(NamedTuple):
    """The values that elements can take: ``low`` + ``step`` · s with s = 0, …, ``counts`` - 1, each one number or one
    for each element.
    """

    low: Tensor
    step: Tensor
    counts: Tensor

    def nearest(self, x: Tensor) -> Tensor:
        """The numbers s whose values are nearest to x (..., *event)."""
        symbols = ((x.double() - self.low) / self.step).round().nan_to_num(0).long()
        return torch.minimum(symbols.clamp(min=0), self.counts - 1)

    def values(self, symbols: Tensor) -> Tensor:
        """The values with the numbers s, in float32."""
        return (self.low + self.step * symbols).float()

    def at(self, part: Any) -> Grid:
        """That of some elements; a grid that all share is theirs too."""
        return self if self.counts.dim() == 0 else Grid(*(each[part] for each in self))


def coded(p: Distribution, grid: Grid) -> Coded:
    """The elements of p in a row. Raises TypeError where p has no mass on a grid, or one of too many values."""
    if isinstance(p, DiscretizedLogistic):
        logits = torch.zeros_like(p.loc).unsqueeze(-1)
        p = LogisticMixture(logits, p.loc.unsqueeze(-1), p.log_scale.unsqueeze(-1), p.low, p.high, p.step)
    if isinstance(p, LogisticMixture):
        return _logistics(p, grid)
    if p.batch_shape[-1:] == (1,):
        column = [each.expand(1)[0] for each in grid]
        if isinstance(p, Histogram):
            return coded_histogram(p, *column)
        if isinstance(p, Discretized):
            return coded_discretized(p, *column)
    return _all_masses(p, grid)


def _logistics(p: LogisticMixture, grid: Grid) -> Coded:
    """By the distribution function; a spike at the lowest value says that many have it."""
    loc, rate = (p.logistics.loc - p.low) / p.step + 0.5, p.step * (-p.logistics.log_scale).exp()
    weights, loc, rate = (
        value.double().reshape(-1, value.shape[-1]).T.unsqueeze(1).contiguous()
        for value in (p.log_weights.exp(), loc, rate)
    )
    weights, spikes = weights.split([p.components, len(p.spikes)])
    places, order = p.spikes.sort()
    smaller = F.pad(spikes.squeeze(1)[order].cumsum(0), (0, 0, 1, 0))  # mass of the first spikes

    def below(edges: Tensor, weights: Tensor, loc: Tensor, rate: Tensor, smaller: Tensor) -> Tensor:
        inside = (weights * torch.sigmoid((edges - loc) * rate)).sum(0)
        return inside + smaller.gather(0, torch.bucketize(edges, places))

    given = weights, loc, rate, smaller
    if 0 not in places:
        return Cells(below, given, grid.counts)
    zero = below(torch.ones(1, loc.shape[-1], dtype=torch.long), *given).squeeze(0)
    return Gated(zero, Cells(lambda edges, *given: below(edges + 1, *given), given, grid.counts - 1, zero))


def _all_masses(p: Distribution, grid: Grid) -> Masses:
    most = int(grid.counts.max())
    if most > MOST:
        raise TypeError(f"{type(p).__name__} cannot be coded on a grid of {most} values, only of {MOST}")
    numbers = torch.arange(most).view(-1, *[1] * len(p.batch_shape))
    masses = p.log_prob(grid.values(numbers)).exp() * (numbers < grid.counts)
    return Masses(masses.expand(most, *p.batch_shape).reshape(most, -1).T.contiguous())
