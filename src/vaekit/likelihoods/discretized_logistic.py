"""Discretized logistic likelihood."""

import math
from typing import Self

from torch import Size, Tensor
from torch.distributions import Distribution

from vaekit import distributions
from vaekit.core import Family, Shapes

from .kinds import bounded_grid


class DiscretizedLogistic(Family):
    """Probability mass of x on its grid from a logistic variable with a location and a scale for each element.

    The default for grey and colour images: exact masses, hence bits per dimension that can be compared.
    See :class:`vaekit.distributions.DiscretizedLogistic`.
    """

    def bind(self, shapes: Shapes) -> Self:
        """Phi is a location and a log-scale an element. Raises ValueError unless x sits on a bounded grid."""
        self.event, self.phi = shapes.x, Size([2, *shapes.x])
        self.low, self.high, self.step = bounded_grid("discretized logistic", shapes.support)
        return self

    def forward(self, phi: Tensor) -> Distribution:
        """Phi (..., 2, *event); φ = 0 is the middle of the range with a scale of a tenth of it."""
        loc, log_scale = phi.unbind(-1 - len(self.event))
        width = self.high - self.low
        loc = self.low + width * (0.5 + loc)
        log_scale = (log_scale - 2.3).clamp(-9, 4) + math.log(width)
        return distributions.DiscretizedLogistic(loc, log_scale, self.low, self.high, self.step)
