"""Poisson likelihood."""

from torch import Tensor
from torch import distributions as torch_distributions
from torch.distributions import Distribution

from vaekit.distributions import OnGrid

from .counts import Counts


class Poisson(Counts):
    """k | z ~ Poisson(μ) with μ = m exp(φ), m the mean of the training data, for counts x = low + k · step whose
    variance, given z, is their mean: log p = k log μ - μ - log k!.
    """

    title = "Poisson"

    def forward(self, phi: Tensor) -> Distribution:
        """Phi (..., 1, *event)."""
        (log_rate,) = self.parameters_of(phi)
        rate = self.log_rate(log_rate).exp()
        return OnGrid(torch_distributions.Poisson(rate, validate_args=False), self.low, self.step)
