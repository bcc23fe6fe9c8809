"""The normal distribution, element by element."""

import math

import torch
from torch import Tensor
from torch.distributions import constraints
from torch.types import _size

from .density import NONE, Density


class Normal(Density):
    """N(loc, scale²). ``scale`` may lack leading dimensions that ``loc`` has: its logarithm is then taken once for all
    examples, where ``torch.distributions.Normal`` takes it for each.
    """

    def __init__(self, loc: Tensor, scale: Tensor):
        super().__init__(loc.shape)
        self.loc, self.scale = loc, scale

    @property
    def support(self) -> constraints.Constraint:
        """All numbers."""
        return constraints.real

    @property
    def mean(self) -> Tensor:
        """The mean."""
        return self.loc

    @property
    def stddev(self) -> Tensor:
        """The standard deviation, in the shape of the mean."""
        return self.scale.expand_as(self.loc)

    def log_prob(self, value: Tensor) -> Tensor:
        """-½ (x - loc)² / scale² - log scale - ½ log 2π."""
        rate = self.scale.reciprocal()  # a product's gradient is cheaper than a quotient's
        peak = rate.log() - 0.5 * math.log(2 * math.pi)
        return torch.sub(peak, ((value - self.loc) * rate).square(), alpha=0.5)

    def sample(self, sample_shape: _size = NONE) -> Tensor:
        """A draw."""
        with torch.no_grad():
            return self.loc + self.scale * torch.randn(*sample_shape, *self.loc.shape, device=self.loc.device)
