"""Piecewise constant distributions of the columns of a table."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.types import _size

from .columns import Columns, choose, log_mass_at
from .density import NONE


@dataclass(frozen=True, eq=False)
class Bins:
    """The C bins of each of D columns, between ``edges`` (D, C + 1), the first -∞ or a column's lower end, the last +∞
    or its upper end; columns of fewer bins repeat their last edge.

    ``grain`` (D, C) is the distance between the values in a bin, 0 where all numbers count; ``cell`` (D,) what
    log-probabilities refer to; ``tail`` (D,) the mean excess over the outermost finite edge; ``unordered`` (D,) marks
    columns of categories.
    """

    edges: Tensor
    grain: Tensor
    cell: Tensor
    tail: Tensor
    unordered: Tensor

    def at(self, columns: slice) -> Bins:
        """The bins of some of the columns."""
        return Bins(*(getattr(self, name)[columns] for name in self.__dataclass_fields__))

    def find(self, value: Tensor) -> Tensor:
        """The bin of each value (..., D)."""
        inner = self.edges[:, 1:-1].contiguous()
        rows = value.detach().reshape(-1, len(inner)).T.contiguous()
        return torch.searchsorted(inner, rows, right=True).T.reshape(value.shape)

    def take(self, table: Tensor, bins: Tensor) -> Tensor:
        """The entries of a table (D, C) at bins (..., D)."""
        return table.expand(*bins.shape, -1).gather(-1, bins.unsqueeze(-1)).squeeze(-1)

    def log_share(self, value: Tensor, bins: Tensor) -> Tensor:
        """Log-probability of the values within their bins: even, geometric or exponential beyond the last edge."""
        low, high = self.take(self.edges[:, :-1], bins), self.take(self.edges[:, 1:], bins)
        excess = torch.where(high.isinf(), value - low, high - value)
        is_grid = (self.grain > 0).all(1)
        rate = self.cell / self.tail
        beyond = torch.where(
            is_grid,
            (-torch.expm1(-rate)).log() - (excess / self.cell).floor() * rate,
            rate.log() - excess / self.tail,
        )
        within = -((high - low) / self.cell).log()
        return torch.where(low.isinf() | high.isinf(), beyond, within)

    def draw(self, bins: Tensor) -> Tensor:
        """A value of each bin (..., D)."""
        low, high = self.take(self.edges[:, :-1], bins), self.take(self.edges[:, 1:], bins)
        grain, u = self.take(self.grain, bins), torch.rand_like(low)
        excess = -self.tail * (-u).log1p()
        from_low = torch.where(high.isinf(), excess, u * (high - low))
        from_low = torch.where(low.isinf(), excess, from_low)
        grains = (from_low / grain.clamp_min(torch.finfo(grain.dtype).tiny)).floor() + 0.5
        from_low = torch.where(grain > 0, grains * grain, from_low)
        return torch.where(low.isinf(), high - from_low, low + from_low)

    @property
    def centers(self) -> Tensor:
        """The mean of each bin (D, C), 0 for those that a column does not have."""
        low, high = self.edges[:, :-1], self.edges[:, 1:]
        tail = self.tail.unsqueeze(1)
        middle = torch.where(high.isinf(), low + tail, torch.where(low.isinf(), high - tail, (low + high) / 2))
        return torch.where(middle.isfinite(), middle, 0)


class Histogram(Columns):
    """A mass for each bin of each column, logits (..., D, C), spread evenly over the values of the bin.

    A bin that reaches to infinity falls off exponentially. On a grid ``log_prob`` is the log-mass of a recorded value,
    else a log-density.
    """

    def __init__(self, logits: Tensor, bins: Bins):
        super().__init__(logits.shape[:-1])
        self.log_mass, self.bins = logits.log_softmax(-1), bins

    @property
    def mean(self) -> Tensor:
        """The mean; of categories the likeliest one."""
        mean = (self.log_mass.exp() * self.bins.centers).sum(-1)
        return torch.where(self.bins.unordered, self.log_mass.argmax(-1).to(mean.dtype), mean)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-mass of the bin, and of the value within it."""
        at = self.bins.find(value)
        return log_mass_at(self.log_mass, at) + self.bins.log_share(value, at)

    def tails(self, value: Tensor) -> tuple[Tensor, Tensor]:
        """The masses below and above numbers (..., D), both exact where they are small; between the values of a grid
        the bin's mass counts as spread evenly.
        """
        bins, at, mass = self.bins, self.bins.find(value), self.log_mass.exp()
        low, high = bins.take(bins.edges[:, :-1], at), bins.take(bins.edges[:, 1:], at)
        from_low, from_high = (value - low).clamp(min=0), (high - value).clamp(min=0)
        share_below = torch.where(low.isinf(), (-from_high / bins.tail).exp(), from_low / (high - low))
        share_above = torch.where(high.isinf(), (-from_low / bins.tail).exp(), from_high / (high - low))
        share_below = torch.where(high.isinf(), 1 - share_above, share_below)
        share_above = torch.where(low.isinf(), 1 - share_below, share_above)
        before, after = mass.cumsum(-1) - mass, mass.flip(-1).cumsum(-1).flip(-1) - mass
        masses, below, above = (bins.take(table, at) for table in (mass, before, after))
        return below + share_below * masses, above + share_above * masses

    def sample(self, sample_shape: _size = NONE) -> Tensor:
        """A bin, then a value in it."""
        with torch.no_grad():
            return self.bins.draw(choose(self.log_mass, sample_shape))

    def at(self, columns: slice) -> Histogram:
        """That of some of the columns."""
        return Histogram(self.log_mass[..., columns, :], self.bins.at(columns))
