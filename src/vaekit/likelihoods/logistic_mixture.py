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
    """Probability mass of x on its grid from a mixture of logistics for each element, with spikes.

    The spikes are masses of their own for as many of the most frequent values of the examples, such as the black and
    the white that pictures are full of; before there are examples, for the lowest values. See
    :class:`vaekit.distributions.LogisticMixture`.
    """

    spikes_at: Tensor

    def __init__(self, components: int = 4, spikes: int = 8):
        super().__init__()
        if components < 1 or spikes < 0:
            raise ValueError(f"a mixture needs at least 1 component and 0 spikes, got {components} and {spikes}")
        self.components, self.spikes = components, spikes

    def bind(self, shapes: Shapes) -> Self:
        """Phi is a location, a log-scale and a logit for each component, then the logits of the spikes.

        Raises ValueError unless x sits on a bounded grid.
        """
        self.low, self.high, self.step = bounded_grid("logistic mixture", shapes.support)
        self.count = shapes.support.levels or 2
        self.register_buffer("spikes_at", torch.arange(min(self.spikes, self.count)))
        self.event, self.phi = shapes.x, Size([3 * self.components + len(self.spikes_at), *shapes.x])
        return self

    def prepare(self, x: Tensor, mask: Tensor | None = None) -> None:
        """Find the most frequent values."""
        x = x if mask is None else x[mask]
        places = ((x - self.low) / self.step).round().long().flatten().clamp(0, self.count - 1)
        often = torch.bincount(places, minlength=self.count).topk(len(self.spikes_at)).indices
        self.spikes_at.copy_(often.sort().values)

    def forward(self, phi: Tensor) -> Distribution:
        """Phi (..., P, *event); φ = 0 spreads the components over the range, each with a scale of a tenth of it."""
        ends = (self.components, 2 * self.components)
        loc, log_scale, logits = phi.movedim(-1 - len(self.event), -1).tensor_split(ends, -1)
        width = self.high - self.low
        start = (torch.arange(self.components, device=phi.device) + 0.5) / self.components
        loc = self.low + width * (start + loc)
        log_scale = (log_scale - 2.3).clamp(-9, 4) + math.log(width)
        return distributions.LogisticMixture(logits, loc, log_scale, self.low, self.high, self.step, self.spikes_at)
