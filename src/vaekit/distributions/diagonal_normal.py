"""The normal distribution with diagonal covariance, in terms of its log-variance."""

import math

import torch
from torch import Tensor
from torch.distributions import Distribution, register_kl
from torch.types import _size

from .density import NONE, Density


class DiagonalNormal(Density):
    """N(mean, exp(log_var)) over an event of ``dims`` dimensions; log-density, draws and KL in few operations.

    ``standard`` declares mean 0 and variance 1, which shortens the KL.
    """

    has_rsample = True

    def __init__(self, mean: Tensor, log_var: Tensor, dims: int, *, standard: bool = False):
        split = mean.dim() - dims
        super().__init__(mean.shape[:split], mean.shape[split:])
        self.loc, self.log_var, self.dims, self.standard = mean, log_var, dims, standard

    @property
    def mean(self) -> Tensor:
        """The mean."""
        return self.loc

    @property
    def stddev(self) -> Tensor:
        """The standard deviation, exp(½ log-variance)."""
        return (0.5 * self.log_var).exp()

    def tempered(self, temperature: float) -> "DiagonalNormal":
        """N(mean, temperature² · exp(log_var))."""
        return DiagonalNormal(self.loc, self.log_var + 2 * math.log(temperature), self.dims)

    def rsample(self, sample_shape: _size = NONE) -> Tensor:
        """Mean + stddev · ε."""
        return self.loc + self.stddev * torch.randn(*sample_shape, *self.loc.shape, device=self.loc.device)

    def sample(self, sample_shape: _size = NONE) -> Tensor:
        """A draw without gradient."""
        with torch.no_grad():
            return self.rsample(sample_shape)

    def log_prob_each(self, z: Tensor) -> Tensor:
        """Log-density of each dimension: -½ [(z - mean)² / variance + log-variance + log 2π]."""
        return -0.5 * ((z - self.loc).square() * (-self.log_var).exp() + self.log_var + math.log(2 * math.pi))

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-density summed over the event."""
        return self.log_prob_each(value).flatten(-self.dims).sum(-1)

    def kl_each(self, p: Distribution) -> Tensor:
        """KL(self || p) of each dimension, nats; p must be a diagonal normal too."""
        if not isinstance(p, DiagonalNormal):
            raise TypeError(f"KL per dimension needs a diagonal normal prior, got {type(p).__name__}")
        if p.standard:
            return 0.5 * (self.log_var.exp() + self.loc.square() - 1 - self.log_var)
        ratio = self.log_var - p.log_var
        return 0.5 * (ratio.exp() + (self.loc - p.loc).square() * (-p.log_var).exp() - 1 - ratio)


@register_kl(DiagonalNormal, DiagonalNormal)
def _(q: DiagonalNormal, p: DiagonalNormal) -> Tensor:
    return q.kl_each(p).flatten(-q.dims).sum(-1)
