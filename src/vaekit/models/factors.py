"""The algebra of linear-Gaussian models: posterior and marginal likelihood, with any cells hidden.

Rows x (B, D) come with ``seen`` (B, D), 1 where a cell is observed and 0 where it is hidden, or (1, D) of ones where
all rows are complete; one posterior covariance then serves them all.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor


class Rows(NamedTuple):
    """Data (B, D), and which cells are observed, (B, D) or (1, D)."""

    x: Tensor
    seen: Tensor


class Factors(NamedTuple):
    """x = W z + μ + ε with z ~ N(0, I / prior) and ε ~ N(0, diag ψ): weight (D, L), mean (D,), variance (D,)."""

    weight: Tensor
    mean: Tensor
    variance: Tensor
    prior: float = 1.0

    def residual(self, rows: Rows) -> Tensor:
        """x - μ, hidden cells 0."""
        return torch.where(rows.seen > 0, rows.x - self.mean, 0)

    def gram(self, scale: Tensor) -> Tensor:
        """Wᵀ diag(s) W for each row s of ``scale`` (B, D): (B, L, L)."""
        if len(scale) == 1:
            return ((self.weight.mT * scale) @ self.weight).unsqueeze(0)
        products = self.weight.unsqueeze(2) * self.weight.unsqueeze(1)
        return (scale @ products.flatten(1)).unflatten(1, products.shape[1:])

    def posterior(self, rows: Rows) -> tuple[Tensor, Tensor]:
        """Means (B, L), and the Cholesky factor (B, L, L) or (1, L, L) of the precision I + Wᵀ ψ⁻¹ W.

        The mean solves precision · mean = Wᵀ ψ⁻¹ (x - μ); both are over the observed cells.
        """
        identity = torch.eye(self.weight.shape[1], dtype=self.weight.dtype, device=self.weight.device)
        root = torch.linalg.cholesky(self.prior * identity + self.gram(rows.seen / self.variance))
        scores = (self.residual(rows) / self.variance) @ self.weight
        return torch.cholesky_solve(scores.unsqueeze(-1), root).squeeze(-1), root

    def log_likelihood(self, rows: Rows, spread: Tensor) -> Tensor:
        """E_u[log N(x + u; μ, C)] of the observed cells, (B,), for independent u of mean 0 and variances ``spread``.

        C = W Wᵀ + diag ψ, and the expectation is log N(x; μ, C) - ½ tr(diag(spread) C⁻¹).
        """
        mean, root = self.posterior(rows)
        residual = self.residual(rows)
        scaled = residual / self.variance
        square = (scaled * residual).sum(1) - ((scaled @ self.weight) * mean).sum(1)
        per_cell = spread / self.variance + self.variance.log() + math.log(2 * math.pi)
        explained = torch.cholesky_inverse(root) * self.gram(rows.seen * spread / self.variance.square())
        log_det = 2 * root.diagonal(dim1=1, dim2=2).log().sum(1)
        return -0.5 * (square + (rows.seen * per_cell).sum(1) - explained.sum((1, 2)) + log_det)

    def ordered(self) -> Factors:
        """The same distribution with orthogonal columns of ψ^-½ W, by falling norm, each largest weight positive."""
        scale = self.variance.sqrt().unsqueeze(1)
        u, s, _ = torch.linalg.svd(self.weight / scale, full_matrices=False)
        weight = scale * u * s
        return self._replace(weight=weight * weight.gather(0, weight.abs().argmax(0, keepdim=True)).sign())
