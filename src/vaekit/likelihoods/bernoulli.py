"""Bernoulli likelihood."""

from typing import Self

from torch import Size, Tensor
from torch import distributions as torch_distributions
from torch.distributions import Distribution

from vaekit.core import Family, Shapes

from .kinds import unsuitable


class Bernoulli(Family):
    """Log p(x|z) = x log p + (1 - x) log(1 - p), for x in [0, 1], with p = σ(φ).

    A probability for x in {0, 1}. On grey values between, it is the cross-entropy that many tutorials train on: no
    density over those values, and ``has_density`` is False.
    """

    def bind(self, shapes: Shapes) -> Self:
        """Phi is one logit an element. Raises ValueError unless x lies in [0, 1]."""
        if (shapes.support.low, shapes.support.high) != (0, 1):
            raise unsuitable("Bernoulli", "values with a known range, scaled to [0, 1]", shapes.support)
        self.event, self.phi = shapes.x, Size([1, *shapes.x])
        self.has_density = shapes.support.levels == 2
        return self

    def forward(self, phi: Tensor) -> Distribution:
        """Phi (..., 1, *event)."""
        return torch_distributions.Bernoulli(logits=phi.squeeze(-1 - len(self.event)), validate_args=False)
