"""A density over an interval or a half-line, moved and stretched."""

import torch
from torch import Tensor
from torch.distributions import Distribution, constraints
from torch.types import _size

from .density import NONE, Density

INSIDE = 1e-6  # of the interval, or of one unit above the end of a half-line


class Affine(Density):
    """x = loc + scale · y, elementwise, with y from a density over (0, 1) or over the positive numbers.

    Values at the ends, or beyond, count as a millionth inside, where every density is finite.
    """

    def __init__(self, density: Distribution, loc: Tensor, scale: Tensor):
        super().__init__(density.batch_shape)
        self.density, self.loc, self.scale = density, loc, scale
        self.filler = loc + scale / 2

    @property
    def support(self) -> constraints.Constraint:
        """The interval from loc to loc + scale, or all above loc."""
        if hasattr(self.density.support, "upper_bound"):
            return constraints.interval(self.loc, self.loc + self.scale)
        return constraints.greater_than(self.loc)

    @property
    def mean(self) -> Tensor:
        """Loc + scale · E[y]."""
        return self.loc + self.scale * self.density.mean

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-density of y minus log scale."""
        above = 1 - INSIDE if hasattr(self.density.support, "upper_bound") else None
        return self.density.log_prob(((value - self.loc) / self.scale).clamp(INSIDE, above)) - self.scale.log()

    def sample(self, sample_shape: _size = NONE) -> Tensor:
        """A draw."""
        with torch.no_grad():
            return self.loc + self.scale * self.density.sample(sample_shape)
