"""Normal posterior with correlated latents."""

import math
from typing import Self

import torch
from torch import Size, Tensor
from torch.distributions import register_kl

from vaekit.core import Family, Shapes
from vaekit.distributions import DiagonalNormal

from .pushed import Pushed


class LowRankNormalPosterior(Pushed):
    """N(mean, diag(exp(log_var)) + F Fᵀ) over the flattened latent, F (B, D, r).

    Densities take the r × r matrix C = I + Fᵀ diag⁻¹ F: by Woodbury's identity the quadratic form, and
    log det Σ = log det C + Σ log-variances.
    """

    def __init__(self, mean: Tensor, log_var: Tensor, factor: Tensor, event: Size):
        dim, rank = factor.shape[-2:]
        super().__init__(mean, event, Size([dim + rank]))
        self.loc, self.log_var, self.factor = mean, log_var, factor

    @property
    def mean(self) -> Tensor:
        """The mean."""
        return self.loc.view(-1, *self.event_shape)

    def push(self, eps: Tensor) -> tuple[Tensor, Tensor | None]:
        """z = mean + exp(½ log-variance) · ε + F · ε', from D + r numbers; log q is left until somebody asks."""
        own, shared = eps.split(self.factor.shape[-2:], -1)
        z = self.loc + (0.5 * self.log_var).exp() * own + (self.factor * shared.unsqueeze(-2)).sum(-1)
        return z.view(*eps.shape[:2], *self.event_shape), None

    def log_prob(self, value: Tensor) -> Tensor:
        """-½ (D log 2π + log det Σ + Δᵀ Σ⁻¹ Δ), Δ = z - mean."""
        delta = value.flatten(-len(self.event_shape)) - self.loc
        scaled = delta * (-self.log_var).exp()
        chol = self._cholesky()
        inner = (scaled.unsqueeze(-1) * self.factor).sum(-2)
        root = torch.linalg.solve_triangular(chol, inner.unsqueeze(-1), upper=False)
        form = (delta * scaled).sum(-1) - root.square().sum((-2, -1))
        return -0.5 * (delta.shape[-1] * math.log(2 * math.pi) + self._log_det(chol) + form)

    def detached(self) -> "LowRankNormalPosterior":
        """The same distribution with constant parameters."""
        return LowRankNormalPosterior(self.loc.detach(), self.log_var.detach(), self.factor.detach(), self.event_shape)

    def kl_to(self, p: DiagonalNormal) -> Tensor:
        """KL to a diagonal normal: ½ [log det Σ_p - log det Σ + tr(Σ_p⁻¹ Σ) + Δᵀ Σ_p⁻¹ Δ - D]."""
        dims = len(self.event_shape)
        p_log_var, p_loc = p.log_var.flatten(-dims), p.loc.flatten(-dims)
        spread = self.log_var.exp() + self.factor.square().sum(-1) + (self.loc - p_loc).square()
        each = spread * (-p_log_var).exp() + p_log_var - 1
        return 0.5 * (each.sum(-1) - self._log_det(self._cholesky()))

    def _cholesky(self) -> Tensor:
        columns = self.factor * (-0.5 * self.log_var).exp().unsqueeze(-1)
        gram = (columns.unsqueeze(-1) * columns.unsqueeze(-2)).sum(-3)  # products, as autocast would round a matmul
        return torch.linalg.cholesky(gram + torch.eye(gram.shape[-1], device=gram.device))

    def _log_det(self, chol: Tensor) -> Tensor:
        return self.log_var.sum(-1) + 2 * chol.diagonal(dim1=-2, dim2=-1).log().sum(-1)


@register_kl(LowRankNormalPosterior, DiagonalNormal)
def _(q: LowRankNormalPosterior, p: DiagonalNormal) -> Tensor:
    return q.kl_to(p)


class LowRankNormal(Family):
    """q(z|x) = N(mean, diagonal + F Fᵀ), F of ``rank`` columns (Rezende et al., 2014)."""

    def __init__(self, rank: int = 4):
        super().__init__()
        if rank < 1:
            raise ValueError(f"low-rank-normal needs a rank of at least 1, got {rank}: use posterior 'diagonal-normal'")
        self.rank = rank

    def bind(self, shapes: Shapes) -> Self:
        """Phi is (2 + rank, *latent): mean, log-variance and the columns of F, these in tenths."""
        if shapes.latent is None:
            raise ValueError("a posterior is bound to the latent shape, which is not known yet")
        self.event, self.phi = shapes.latent, Size([2 + self.rank, *shapes.latent])
        return self

    def forward(self, phi: Tensor) -> LowRankNormalPosterior:
        """Phi (..., 2 + rank, *latent); log-variances are kept within ±10, where float32 suffices."""
        rows = phi.flatten(-len(self.event))
        mean, log_var, factor = rows[..., 0, :], rows[..., 1, :], rows[..., 2:, :].mT
        return LowRankNormalPosterior(mean, log_var.clamp(-10, 10), 0.1 * factor, self.event)
