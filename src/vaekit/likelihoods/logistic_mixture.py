"""Mixture of discretized logistics."""

import math
from typing import Self

import torch
from torch import Size, Tensor
from torch.distributions import Distribution

from vaekit import distributions
from vaekit.core import Family, Shapes

from .kinds import bounded_grid


class LogisticMixture(Family):
    """Probability mass of x on its grid from a mixture of logistics for each element, with spikes at the range's ends.

    The spikes are masses of their own for the darkest and the lightest value, which pictures are full of: ``spikes``
    turns them on. See :class:`vaekit.distributions.LogisticMixture`.
    """

    def __init__(self, components: int = 4, spikes: bool = True):
        super().__init__()
        if components < 1:
            raise ValueError(f"a mixture needs at least 1 component, got {components}")
        self.components, self.spikes = components, spikes

    def bind(self, shapes: Shapes) -> Self:
        """Phi is a location, a log-scale and a logit for each component, then the logits of the two spikes.

        Raises ValueError unless x sits on a bounded grid.
        """
        self.low, self.high, self.step = bounded_grid("logistic mixture", shapes.support)
        self.event, self.phi = shapes.x, Size([3 * self.components + 2 * self.spikes, *shapes.x])
        return self

    def forward(self, phi: Tensor) -> Distribution:
        """Phi (..., P, *event); φ = 0 spreads the components over the range, each with a scale of a tenth of it."""
        ends = (self.components, 2 * self.components)
        loc, log_scale, logits = phi.movedim(-1 - len(self.event), -1).tensor_split(ends, -1)
        width = self.high - self.low
        start = (torch.arange(self.components, device=phi.device) + 0.5) / self.components
        loc = self.low + width * (start + loc)
        log_scale = (log_scale - 2.3).clamp(-9, 4) + math.log(width)
        return distributions.LogisticMixture(logits, loc, log_scale, self.low, self.high, self.step)
