"""Log-normal likelihood."""

from typing import Self

import torch
from torch import Tensor, nn
from torch import distributions as torch_distributions
from torch.distributions import Distribution

from vaekit.core import Shapes
from vaekit.distributions import Affine

from .elementwise import element_means
from .kinds import COUNTS, POSITIVE
from .location_scale import LocationScale


class LogNormal(LocationScale):
    """log(x - low) | z ~ N(m + φ₁, σ²), for values above a lower end that spread over orders of magnitude.

    m is the mean logarithm of the training data, and the encoder sees logarithms. Counts are spread uniformly over
    their cells, ``low`` then being half a step below the lowest. Values at ``low`` itself count as 1e-6 above. For
    ``noise`` and ``sigma``, of the logarithm, see :class:`LocationScale`; σ is kept below 5.
    """

    title = "log-normal"
    needs = "values above a lower end"
    fits = frozenset({POSITIVE, COUNTS})
    widest = 5.0

    def bind(self, shapes: Shapes) -> Self:
        """Phi is one mean logarithm an element, and a log-deviation if the noise is an output."""
        super().bind(shapes)
        self.center = nn.Buffer(torch.zeros(shapes.x))
        return self

    @torch.no_grad()
    def prepare(self, x: Tensor, mask: Tensor | None = None) -> None:
        """Set m."""
        self.center.copy_(element_means(self._logarithm(x), mask))

    def embed(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Log(x - low) - m, hidden ones as zeros."""
        return super().embed(self._logarithm(x) - self.center, mask)

    def density(self, loc: Tensor, sigma: Tensor) -> Distribution:
        """The log-normal distribution above ``low``."""
        loc = (self.center + loc).clamp(-20, 20)
        density = torch_distributions.LogNormal(loc, sigma, validate_args=False)
        return Affine(density, self.start, torch.ones_like(self.start))

    def _logarithm(self, x: Tensor) -> Tensor:
        return (x - self.start).clamp(min=1e-6).log()
