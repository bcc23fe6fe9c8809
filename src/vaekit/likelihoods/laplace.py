"""Laplace likelihood."""

from torch import Tensor
from torch import distributions as torch_distributions
from torch.distributions import Distribution

from .location_scale import LocationScale


class Laplace(LocationScale):
    """x | z ~ Laplace(φ₁, σ), log p = -|x - φ₁| / σ - log 2σ: absolute instead of squared errors, which outliers move
    less. For ``noise`` and ``sigma`` see :class:`LocationScale`; the deviation is √2 σ.
    """

    title = "Laplace"

    def density(self, loc: Tensor, sigma: Tensor) -> Distribution:
        """The Laplace distribution."""
        return torch_distributions.Laplace(loc, sigma, validate_args=False)
