"""The normal distribution with a full covariance, fitted to rows with hidden cells: the baseline of every table.

    gaussian = FullGaussian.fit(x)          # x (N, D), NaN where a cell is hidden
    gaussian.log_likelihood(x)              # (N,), nats, of the observed cells
    gaussian.conditional(x)                 # mean (N, D) and variance (N, D) of every cell given the observed ones
    gaussian.draw(x, seed=0)                # hidden cells drawn from p(hidden | observed), (N, D)

For rows with categories, and for its copula, see :class:`vaekit.models.GaussianTable`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, Self

import torch
from torch import Tensor

ROWS = 1024  # handled at once, at most
ELEMENTS = 2**25  # of the decompositions that are held at once
WIDEST = 1024  # columns whose covariance is still cheap: its decomposition takes their number to the third power
FLOOR = 1e-6  # smallest variance, relative to that of the column
STEPS = 100  # of EM
TOLERANCE = 1e-2  # gain in nats per row below which it has converged


class Alike(NamedTuple):
    """Rows ``x`` (B, D) at positions ``at`` (B,), NaN where hidden, of P patterns: ``hidden`` (P, D) are these, and
    ``which`` (B,) the rows'.
    """

    at: Tensor
    x: Tensor
    hidden: Tensor
    which: Tensor


class Completed(NamedTuple):
    """Rows at positions ``at`` (B,): their ``mean`` given the observed cells (B, D), and log p(observed) (B,). Of P
    patterns, ``which`` are the rows' (B,), at most H ``cells`` (P, H) are hidden, and of these ``covariance`` (P, H, H)
    is the covariance given the others, 0 for cells that stand in where fewer are hidden.
    """

    at: Tensor
    mean: Tensor
    log_likelihood: Tensor
    which: Tensor
    cells: Tensor
    covariance: Tensor


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
        rows, kept = list(alike(x)), len(x) / (len(x) + shrinkage * x.shape[1])
        for _ in range(1 if seen.all() else STEPS):
            found, likelihood = found._improved(rows, kept)
            if likelihood - before < TOLERANCE:
                break
            before = likelihood
        return found

    def log_likelihood(self, x: Tensor) -> Tensor:
        """Log p(observed cells), (N,), nats."""
        found = torch.zeros(len(x), dtype=torch.float64)
        for rows in self.completed(alike(x)):
            found[rows.at] = rows.log_likelihood
        return found

    def conditional(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and variance of each cell given the observed cells of its row, (N, D); observed ones are themselves."""
        mean, variance = torch.zeros(2, *x.shape, dtype=torch.float64)
        for rows in self.completed(alike(x)):
            mean[rows.at] = rows.mean
            own = torch.zeros(len(rows.cells), x.shape[1], dtype=torch.float64)
            variance[rows.at] = own.scatter_(1, rows.cells, rows.covariance.diagonal(dim1=1, dim2=2))[rows.which]
        return torch.where(x.isnan(), mean, x.double()), torch.where(x.isnan(), variance, 0)

    def draw(self, x: Tensor, *, seed: int = 0) -> Tensor:
        """Rows with the hidden cells drawn jointly from p(hidden | observed), (N, D).

        A row drawn from N(μ, Σ), corrected by the regression of what it misses of the observed cells.
        """
        generator = torch.Generator().manual_seed(seed)
        noise = torch.randn(x.shape, generator=generator, dtype=torch.float64)
        free = self.mean + noise @ torch.linalg.cholesky(self.covariance).mT
        correction = torch.zeros_like(free)
        for rows in self.completed(alike(torch.where(x.isnan(), x, self.mean + x - free))):
            correction[rows.at] = rows.mean - self.mean
        return torch.where(x.isnan(), free + correction, x.double())

    def completed(self, rows: Iterable[Alike]) -> Iterator[Completed]:
        """All rows given their observed cells."""
        root = torch.linalg.cholesky(self.covariance)
        precision, log_det = torch.cholesky_inverse(root), 2 * root.diagonal().log().sum()
        return (self._complete(each, precision, log_det) for each in rows)

    def _improved(self, given: Sequence[Alike], kept: float) -> tuple[Self, float]:
        """A step of EM, and the mean log-likelihood before it."""
        total, likelihood, count = torch.zeros_like(self.mean), 0.0, sum(len(rows.x) for rows in given)
        products, dims = torch.zeros_like(self.covariance), len(self.mean)
        for rows in self.completed(given):
            residual = rows.mean - self.mean
            total, products = total + residual.sum(0), products + residual.mT @ residual
            times = torch.bincount(rows.which, minlength=len(rows.cells)).to(total).view(-1, 1, 1)
            places = rows.cells.unsqueeze(2) * dims + rows.cells.unsqueeze(1)
            products.view(-1).index_add_(0, places.flatten(), (times * rows.covariance).flatten())
            likelihood += rows.log_likelihood.sum().item()
        shift = total / count
        covariance = products / count - shift.outer(shift)
        covariance = kept * covariance + ((1 - kept + FLOOR) * covariance.diagonal() + FLOOR**2).diag()
        return type(self)(self.mean + shift, covariance), likelihood / count

    def _complete(self, rows: Alike, precision: Tensor, log_det: Tensor) -> Completed:
        """With Λ = Σ⁻¹ a row's hidden cells h have the covariance Λₕₕ⁻¹ given the others o, their mean is off by
        -Λₕₕ⁻¹ Λₕₒ (x - μ)ₒ, and |Σₒₒ| = |Σ| |Λₕₕ|.
        """
        at, x, hidden, which = rows
        width = int(hidden.sum(1).max())
        cells = hidden.byte().argsort(1, descending=True)[:, :width]
        given = hidden.gather(1, cells)
        both = given.unsqueeze(2) & given.unsqueeze(1)
        inner = precision[cells.unsqueeze(2), cells.unsqueeze(1)]
        root = torch.linalg.cholesky(torch.where(both, inner, torch.eye(width, dtype=x.dtype)))
        covariance = torch.where(both, torch.cholesky_inverse(root), 0)
        residual = torch.where(x.isnan(), 0, x - self.mean)
        scores = residual @ precision
        own = scores.gather(1, cells[which])
        step = (covariance[which] @ own.unsqueeze(2)).squeeze(2)
        log_det = log_det + 2 * root.diagonal(dim1=1, dim2=2).log().sum(1) + (~hidden).sum(1) * math.log(2 * math.pi)
        square = (scores * residual).sum(1) - (own * step).sum(1)
        mean = self.mean + residual.scatter_add(1, cells[which], -step)
        return Completed(at, mean, -0.5 * (square + log_det[which]), which, cells, covariance)


def alike(x: Tensor) -> Iterator[Alike]:
    """Rows (N, D) in parts that are handled at once, those with the same hidden cells together, as these share a
    decomposition.
    """
    x = x.double()
    patterns, which = torch.unique(x.isnan(), dim=0, return_inverse=True)
    count, order = patterns.sum(1).sort()  # so that patterns that are handled at once hide about as many cells
    patterns, which = patterns[order], order.argsort()[which]
    for index in which.argsort(stable=True).split(max(1, min(ROWS, ELEMENTS // max(1, int(count[-1])) ** 2))):
        own = slice(int(which[index[0]]), int(which[index[-1]]) + 1)
        yield Alike(index, x[index], patterns[own], which[index] - own.start)
