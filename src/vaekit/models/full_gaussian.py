"""The normal distribution with a full covariance, fitted to rows with hidden cells: the baseline of every table.

    gaussian = FullGaussian.fit(x)          # x (N, D), NaN where a cell is hidden
    gaussian.log_likelihood(x)              # (N,), nats, of the observed cells
    gaussian.conditional(x)                 # mean (N, D) and variance (N, D) of every cell given the observed ones
    gaussian.draw(x, seed=0)                # hidden cells drawn from p(hidden | observed), (N, D)

For rows with categories, and for its copula, see :class:`vaekit.models.GaussianTable`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple, Self

import torch
from torch import Tensor

ROWS = 1024  # handled at once, at most
ELEMENTS = 2**25  # of the decompositions that are held at once
WIDEST = 1024  # columns whose covariance is still cheap: its decomposition takes their number to the third power
FLOOR = 1e-6  # smallest variance, relative to that of the column
STEPS = 100  # of EM
TOLERANCE = 1e-2  # gain in nats per row below which it has converged


class Solved(NamedTuple):
    """Rows with some hidden cells, at positions ``at`` (B,): a = P (x - μ) (B, D), where P (patterns, D, D) is the
    inverse of the observed cells' covariance and 0 elsewhere, ``which`` of them each row has (B,), and
    log p(observed) (B,).
    """

    at: Tensor
    scores: Tensor
    precision: Tensor
    which: Tensor
    log_likelihood: Tensor


class FullGaussian(NamedTuple):
    """N(μ, Σ), float64: mean (D,) and covariance (D, D)."""

    mean: Tensor
    covariance: Tensor

    @classmethod
    def fit(cls, x: Tensor, *, shrinkage: float = 0.1) -> Self:
        """Maximum likelihood by EM, exact whatever cells are hidden (Little and Rubin, 2002), correlations shrunk by
        N / (N + ``shrinkage`` · D), which is a prior worth ``shrinkage`` · D rows of independent columns.
        """
        x = x.double()
        seen = ~x.isnan()
        count = seen.sum(0).clamp(min=1)
        mean = torch.where(seen, x, 0).sum(0) / count
        variance = torch.where(seen, x - mean, 0).square().sum(0) / count
        found, before = cls(mean, variance.clamp(min=FLOOR).diag()), -math.inf
        kept = len(x) / (len(x) + shrinkage * x.shape[1])
        for _ in range(1 if seen.all() else STEPS):
            found, likelihood = found._improved(x, kept)
            if likelihood - before < TOLERANCE:
                break
            before = likelihood
        return found

    def log_likelihood(self, x: Tensor) -> Tensor:
        """Log p(observed cells), (N,), nats."""
        found = torch.zeros(len(x), dtype=torch.float64)
        for rows in self._solved(x):
            found[rows.at] = rows.log_likelihood
        return found

    def conditional(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and variance of each cell given the observed cells of its row, (N, D); observed ones are themselves."""
        mean, variance = torch.zeros(2, *x.shape, dtype=torch.float64)
        for rows in self._solved(x):
            mean[rows.at] = self.mean + rows.scores @ self.covariance
            explained = ((self.covariance @ rows.precision) * self.covariance).sum(-1)
            variance[rows.at] = (self.covariance.diagonal() - explained).clamp(min=0)[rows.which]
        return torch.where(x.isnan(), mean, x.double()), torch.where(x.isnan(), variance, 0)

    def draw(self, x: Tensor, *, seed: int = 0) -> Tensor:
        """Rows with the hidden cells drawn jointly from p(hidden | observed), (N, D).

        A row drawn from N(μ, Σ), corrected by the regression of what it misses of the observed cells.
        """
        generator = torch.Generator().manual_seed(seed)
        noise = torch.randn(x.shape, generator=generator, dtype=torch.float64)
        free = self.mean + noise @ torch.linalg.cholesky(self.covariance).mT
        correction = torch.zeros_like(free)
        for rows in self._solved(torch.where(x.isnan(), x.double(), self.mean + x - free)):
            correction[rows.at] = rows.scores @ self.covariance
        return torch.where(x.isnan(), free + correction, x.double())

    def _improved(self, x: Tensor, kept: float) -> tuple[Self, float]:
        """A step of EM, and the mean log-likelihood before it.

        E[(x - μ)(x - μ)ᵀ | observed] = Σ + Σ (a aᵀ - P) Σ, so that only the sums of a, a aᵀ and P are needed.
        """
        total, products, likelihood = torch.zeros_like(self.mean), torch.zeros_like(self.covariance), 0.0
        for rows in self._solved(x):
            times = torch.bincount(rows.which, minlength=len(rows.precision)).to(total)
            total = total + rows.scores.sum(0)
            products = products + rows.scores.mT @ rows.scores - torch.tensordot(times, rows.precision, 1)
            likelihood += rows.log_likelihood.sum().item()
        shift = self.covariance @ total / len(x)
        covariance = self.covariance + self.covariance @ products @ self.covariance / len(x) - shift.outer(shift)
        covariance = kept * covariance + ((1 - kept + FLOOR) * covariance.diagonal() + FLOOR**2).diag()
        return type(self)(self.mean + shift, covariance), likelihood / len(x)

    def _solved(self, x: Tensor) -> Iterator[Solved]:
        """All rows, those with the same hidden cells together, as these share a decomposition."""
        x = x.double()
        patterns, which = torch.unique(~x.isnan(), dim=0, return_inverse=True)
        most = max(1, min(ROWS, ELEMENTS // x.shape[1] ** 2)) if len(patterns) > 1 else ROWS
        for index in which.argsort(stable=True).split(most):
            first, last = int(which[index[0]]), int(which[index[-1]])
            yield self._solve(index, x[index], patterns[first : last + 1], which[index] - first)

    def _solve(self, index: Tensor, x: Tensor, seen: Tensor, which: Tensor) -> Solved:
        """Of rows (B, D) with the patterns ``seen`` (P, D)."""
        both = seen.unsqueeze(2) & seen.unsqueeze(1)
        identity = torch.eye(x.shape[1], dtype=x.dtype)
        root = torch.linalg.cholesky(torch.where(both, self.covariance, identity))
        precision = torch.cholesky_inverse(root) - (~seen).to(x).diag_embed()
        residual = torch.where(x.isnan(), 0, x - self.mean)
        one = len(seen) == 1
        scores = residual @ precision[0] if one else (precision[which] @ residual.unsqueeze(-1)).squeeze(-1)
        log_det = 2 * root.diagonal(dim1=1, dim2=2).log().sum(1) + seen.sum(1) * math.log(2 * math.pi)
        return Solved(index, scores, precision, which, -0.5 * ((scores * residual).sum(1) + log_det[which]))
