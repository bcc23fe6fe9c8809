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
    """By the distribution function; a spike at the lowest value says that many have it: it is coded apart."""
    apart = int(0 in p.spikes)
    spikes, order = (p.spikes - apart).sort()
    given = p.logistics.loc, p.logistics.log_scale, p.log_weights
    given = torch.cat([each.reshape(-1, each.shape[-1]).T for each in given])

    def parameters(given: Tensor) -> tuple[Tensor, ...]:
        loc, log_scale, log_weights, log_spikes = given.unsqueeze(1).split([p.components] * 3 + [len(spikes)])
        loc, rate = (loc - p.low) / p.step + 0.5 - apart, p.step * (-log_scale).exp()  # in symbols
        return loc, rate, log_weights.exp(), log_spikes.squeeze(1)[order].exp()

    def within(edges: Tensor, loc: Tensor, rate: Tensor, weights: Tensor) -> Tensor:
        return (weights * torch.sigmoid((edges - loc) * rate)).sum(0)

    def below(edges: Tensor, loc: Tensor, rate: Tensor, weights: Tensor, smaller: Tensor) -> Tensor:
        return within(edges, loc, rate, weights) + smaller.gather(0, torch.bucketize(edges, spikes))

    def cells(given: Tensor, start: Tensor | None = None) -> Cells:
        *logistics, masses = parameters(given.double())
        smaller = F.pad(masses.cumsum(0), (0, 0, 1, 0))  # than each spike
        return Cells(below, (*logistics, smaller), grid.counts - apart, start)

    if not apart:
        return cells(given)
    *logistics, masses = parameters(given)
    zero = within(torch.zeros(1, 1), *logistics).squeeze(0) + masses[0]
    return Gated(zero, lambda at: cells(given[:, at], zero[at].double()))


def _all_masses(p: Distribution, grid: Grid) -> Masses:
    most = int(grid.counts.max())
    if most > MOST:
        raise TypeError(f"{type(p).__name__} cannot be coded on a grid of {most} values, only of {MOST}")
    numbers = torch.arange(most).view(-1, *[1] * len(p.batch_shape))
    masses = p.log_prob(grid.values(numbers)).exp() * (numbers < grid.counts)
    return Masses(masses.expand(most, *p.batch_shape).reshape(most, -1).T.contiguous())
