"""Distributions of whole numbers, on a grid."""

import torch
from torch import Tensor
from torch.distributions import Categorical, Distribution
from torch.types import _size

from .density import NONE, Density


class OnGrid(Density):
    """x = low + step · k, elementwise, with k = 0, 1, 2, … from a distribution of whole numbers.

    Where there are finitely many values, ``log_prob(enumerate_support(expand=False))`` holds the log-mass of every one,
    (levels, *batch); as everywhere, ``log_prob`` broadcasts over any values (n, 1, …) otherwise.
    """

    def __init__(self, numbers: Distribution, low: Tensor, step: Tensor):
        super().__init__(numbers.batch_shape)
        self.numbers, self.low, self.step, self.filler = numbers, low, step, low
        self.has_enumerate_support = numbers.has_enumerate_support

    @property
    def mean(self) -> Tensor:
        """Low + step · E[k]."""
        return self.low + self.step * self.numbers.mean

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-mass of the grid's point nearest to the value."""
        return self.numbers.log_prob(((value - self.low) / self.step).round().clamp(min=0))

    def sample(self, sample_shape: _size = NONE) -> Tensor:
        """A draw."""
        with torch.no_grad():
            return self.low + self.step * self.numbers.sample(sample_shape)

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """All values, lowest first: (levels, *batch), or (levels, 1, …) without ``expand``."""
        return self.low + self.step * self.numbers.enumerate_support(expand)


class Levels(Categorical):
    """The categorical distribution of the numbers 0, …, levels - 1, logits (..., levels); it has a mean."""

    @property
    def mean(self) -> Tensor:
        """Σ k p(k)."""
        return self.probs @ torch.arange(self.probs.shape[-1], device=self.probs.device, dtype=self.probs.dtype)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log p(k); numbers above the last one count as the last."""
        return super().log_prob(value.clamp(max=self.logits.shape[-1] - 1))
