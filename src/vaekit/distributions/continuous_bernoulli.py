"""The continuous Bernoulli distribution, exact for all logits."""

import torch
from torch import Tensor
from torch.distributions import constraints
from torch.types import _size

from .density import NONE, Density

SMALL = 0.5  # below this logit, series: their first term left out is smaller than float32 resolves


class ContinuousBernoulli(Density):
    """p(y) = exp(η y) η / (exp η - 1) for y in [0, 1], elementwise in the logit η (Loaiza-Ganem and Cunningham, 2019).

    The same as C(λ) λ^y (1 - λ)^(1 - y) with λ = σ(η), whose normalizer torch computes from λ, which rounds to 0 and 1
    at logits of ±16 and cancels near λ = ½.
    """

    def __init__(self, logits: Tensor):
        super().__init__(logits.shape)
        self.logits = logits

    @property
    def support(self) -> constraints.Constraint:
        """[0, 1]."""
        return constraints.unit_interval

    @property
    def mean(self) -> Tensor:
        """1 / (1 - exp(-η)) - 1/η; ½ + η/12 - η³/720 + … near 0."""
        eta, small = self.logits, self.logits.abs() < SMALL
        square = eta.square()
        series = 0.5 + eta / 12 * (1 - square / 60 * (1 - square / 42))
        safe = torch.where(small, 1, eta)
        return torch.where(small, series, -1 / torch.expm1(-safe) - 1 / safe)

    def log_prob(self, value: Tensor) -> Tensor:
        """For η ≥ 0 it is -η (1 - y) - log((1 - exp(-η)) / η), for η < 0 the mirror image; near 0 it is
        η (y - ½) - η²/24 + η⁴/2880 - ….
        """
        eta, small = self.logits.abs(), self.logits.abs() < SMALL
        square = eta.square()
        series = square / 24 * (1 - square / 120 * (1 - square / 63))
        safe = torch.where(small, 1, eta)
        from_top = torch.where(self.logits < 0, value, 1 - value)
        exact = -safe * from_top - torch.log(-torch.expm1(-safe) / safe)
        return torch.where(small, self.logits * (value - 0.5) - series, exact)

    def sample(self, sample_shape: _size = NONE) -> Tensor:
        """Inversion: y = log(1 + u (exp η - 1)) / η, for η < 0 the mirror image of -η's."""
        with torch.no_grad():
            u = torch.rand(*sample_shape, *self.logits.shape, device=self.logits.device)
            eta = self.logits.abs()
            safe = torch.where(eta < 1e-3, 1, eta)
            near_one = 1 + torch.log(u + (1 - u) * torch.exp(-safe)) / safe
            y = torch.where(eta < 1e-3, u, near_one).clamp(0, 1)
            return torch.where(self.logits < 0, 1 - y, y)
