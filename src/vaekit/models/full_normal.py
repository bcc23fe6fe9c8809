"""The normal posterior with a full covariance."""

import math

import torch
from torch import Tensor
from torch.distributions import MultivariateNormal, register_kl

from vaekit.core import Posterior
from vaekit.distributions import DiagonalNormal


class FullNormalPosterior(MultivariateNormal, Posterior):
    """q(z|x) = N(mean, T Tᵀ) with T lower triangular, (B, L, L) or (1, L, L): z = mean + T ε."""

    def __init__(self, mean: Tensor, scale_tril: Tensor):
        super().__init__(mean, scale_tril=scale_tril, validate_args=False)
        self.root, self.noise, self.like = scale_tril, self.event_shape, self.loc

    def push(self, eps: Tensor) -> tuple[Tensor, Tensor | None]:
        """log q = -½ Σ (ε² + log 2π) - log det T, known from the draw."""
        z = self.loc + (eps.transpose(0, 1) @ self.root.mT).transpose(0, 1)
        return z, -0.5 * (eps.square() + math.log(2 * math.pi)).sum(-1) - self.log_det

    @property
    def log_det(self) -> Tensor:
        """log det T, (B,) or (1,)."""
        return self.root.diagonal(dim1=-2, dim2=-1).log().sum(-1)

    def detached(self) -> "FullNormalPosterior":
        """The same distribution with constant parameters."""
        return FullNormalPosterior(self.loc.detach(), self.root.detach())


@register_kl(FullNormalPosterior, DiagonalNormal)
def _(q: FullNormalPosterior, p: DiagonalNormal) -> Tensor:
    """½ Σ [(Σ_ii + (m_i - μ_i)²) / v_i - 1 + log v_i] - log det T."""
    spread = q.root.square().sum(-1) + (q.loc - p.loc).square()
    return 0.5 * (spread * torch.exp(-p.log_var) - 1 + p.log_var).sum(-1) - q.log_det
