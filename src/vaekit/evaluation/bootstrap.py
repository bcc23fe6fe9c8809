"""Intervals by resampling."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Interval:
    """An estimate and the ends of its 95 % bootstrap interval."""

    value: float
    low: float
    high: float

    def overlaps(self, other: Interval) -> bool:
        """Whether the two cannot be told apart."""
        return self.low <= other.high and other.low <= self.high


def resample(n: int, replicates: int, generator: torch.Generator) -> Tensor:
    """How often each of n rows is drawn in each replicate, (R, n) float32: n draws with replacement."""
    index = torch.randint(n, (replicates, n), generator=generator)
    return torch.zeros(replicates, n).scatter_add_(1, index, torch.ones(replicates, n))


def interval(value: float, replicates: Tensor) -> Interval:
    """The estimate with the replicates' spread around it.

    Some measures are larger for resampled sets, which have fewer distinct rows; so the quantiles are taken around the
    replicates' own mean and moved to the estimate.
    """
    low, high = (replicates - replicates.mean()).double().quantile(torch.tensor([0.025, 0.975], dtype=torch.float64))
    return Interval(value, value + low.item(), value + high.item())


def mean_interval(values: Tensor, weights: Tensor) -> Interval:
    """The mean of values (N,) with the interval that the weights (R, N) give."""
    replicates = weights.double() @ values.double() / weights.double().sum(1)
    return interval(values.double().mean().item(), replicates)
