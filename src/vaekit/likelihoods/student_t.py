"""Student's t likelihood."""

from typing import Self

import torch
from torch import Tensor, nn
from torch import distributions as torch_distributions
from torch.distributions import Distribution

from vaekit.core import Shapes

from .location_scale import LocationScale


class StudentT(LocationScale):
    """x | z ~ t(φ₁, σ) with ν = 2 + exp(ρ) degrees of freedom, learned for each element: tails as heavy as the data's
    (Takahashi et al., 2018).

    ν starts at 10 and stays between 2, so that the variance is finite, and 400, a Gaussian for all purposes. For
    ``noise`` and ``sigma`` see :class:`LocationScale`.
    """

    title = "Student-t"

    def bind(self, shapes: Shapes) -> Self:
        """Phi is one location an element, and a log-scale if the noise is an output."""
        super().bind(shapes)
        self.log_freedom = nn.Parameter(torch.full(shapes.x, 8.0).log())
        return self

    def density(self, loc: Tensor, sigma: Tensor) -> Distribution:
        """Student's t distribution."""
        freedom = 2 + self.log_freedom.clamp(-5, 6).exp()
        return torch_distributions.StudentT(freedom.expand_as(loc), loc, sigma, validate_args=False)
