"""Beta likelihood."""

import math

import torch
from torch import Tensor
from torch import distributions as torch_distributions
from torch.distributions import Distribution

from vaekit.distributions import Affine, Dequantized

from .elementwise import Continuous
from .kinds import INTERVAL, LEVELS

MARGIN = 1e-3  # of the width


class Beta(Continuous):
    """x | z ~ Beta(mν, (1 - m)ν) over x's range, with mean m = σ(φ₁) and precision ν = 4 exp(φ₂) (Ferrari and
    Cribari-Neto, 2004).

    Recorded values do reach the ends, where the density may be infinite: of continuous x, the range is taken wider
    by a thousandth on each side (as Smithson and Verkuilen, 2006, squeeze the values). On a grid it is that of the
    cells, over which values are spread uniformly, and the bound holds for their masses.
    """

    title = "beta"
    needs = "values in an interval"
    fits = frozenset({INTERVAL, LEVELS})
    outputs = 2

    def forward(self, phi: Tensor) -> Distribution:
        """Phi (..., 2, *event); m is kept within 1e-3 of the ends, ν between 0.04 and 4000."""
        center, precision = self.parameters_of(phi)
        nu = 4 * precision.clamp(math.log(1e-2), math.log(1e3)).exp()
        mean = torch.sigmoid(center.clamp(-7, 7))
        density = torch_distributions.Beta(nu * mean, nu * (1 - mean), validate_args=False)
        margin = MARGIN * self.width if self.support.step is None else 0.0
        return Dequantized(Affine(density, self.start - margin, self.width + 2 * margin), self.cell)
