"""Maximum likelihood of linear-Gaussian models, without gradients."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from .factors import Factors, Rows

FLOOR = 1.1e-8  # smallest variance of the noise, in model units
TOLERANCE = 1e-5  # gain in nats per example below which a fit has converged
TURNS = 200  # of L-BFGS
WIDEST = {True: 4096, False: 1024}  # shared noise or not: number of elements up to which covariances are decomposed


def maximize(data: Callable[[], Iterator[Rows]], now: Callable[[], Factors], *, shared: bool) -> Iterator[Factors]:
    """Better and better factors: complete data of moderate size at once, others by EM from ``now()``, until a pass
    gains less than 1e-5 nats per example.
    """
    dims, latent = now().weight.shape
    known = moments(data()) if dims <= WIDEST[shared] else None
    if known is not None:
        yield (principal if shared else factor_analysis)(*known, latent)
        return
    gain, before = math.inf, -math.inf
    while gain > TOLERANCE:
        found, likelihood = expectation_maximization(now(), data(), shared=shared)
        yield found
        gain, before = likelihood - before, likelihood


def moments(data: Iterable[Rows]) -> tuple[Tensor, Tensor] | None:
    """Mean (D,) and covariance (D, D), divided by the number of rows; None if a cell is hidden."""
    count, shift, total, products = 0, torch.zeros(()), torch.zeros(()), torch.zeros(())
    for x, seen in data:
        if not seen.all():
            return None
        shift = shift if count else x.mean(0)  # so that a large mean costs no digits
        centered = x - shift
        count, total, products = count + len(x), total + centered.sum(0), products + centered.mT @ centered
    mean = total / count
    return shift + mean, products / count - mean.outer(mean)


def principal(mean: Tensor, covariance: Tensor, latent: int) -> Factors:
    """Probabilistic PCA, the maximum of the likelihood with one noise for all cells (Tipping and Bishop, 1999).

    σ² is the mean of the smaller eigenvalues Λ, and W = U (Λ - σ²)^½ of the ``latent`` larger ones.
    """
    values, vectors = (part.flip(-1) for part in torch.linalg.eigh(covariance))
    noise = values[latent:].mean().clamp(min=FLOOR)
    weight = vectors[:, :latent] * (values[:latent] - noise).clamp(min=0).sqrt()
    return Factors(weight, mean, noise.expand_as(mean)).ordered()


def factor_analysis(mean: Tensor, covariance: Tensor, latent: int) -> Factors:
    """Factor analysis from moments: L-BFGS on the variances of the noise, with the best weights for each of them.

    Given ψ, the best W is ψ^½ U (Λ - 1)^½ of the eigenvalues Λ > 1 of ψ^-½ S ψ^-½, and the likelihood depends on
    these alone (Jöreskog, 1967).
    """
    found = principal(mean, covariance, latent)
    rest = (covariance.diagonal() - found.weight.square().sum(1)).clamp(min=FLOOR)
    log_variance = rest.log().requires_grad_()
    optimizer = torch.optim.LBFGS(
        [log_variance], max_iter=TURNS, history_size=30, tolerance_change=1e-10, line_search_fn="strong_wolfe"
    )

    def scaled() -> tuple[Tensor, Tensor]:
        variance = FLOOR + log_variance.exp()
        return variance, covariance * variance.rsqrt().outer(variance.rsqrt())

    def loss() -> float:
        """Minus the log-likelihood per example, up to a constant."""
        optimizer.zero_grad()
        variance, matrix = scaled()
        values = torch.linalg.eigvalsh(matrix)
        kept = values[-latent:].clamp(min=1)
        total = 0.5 * (variance.log().sum() + values.sum() + (kept.log() - kept + 1).sum())
        total.backward()
        return total.item()

    with torch.enable_grad():
        optimizer.step(loss)
    with torch.no_grad():
        variance, matrix = scaled()
        values, vectors = torch.linalg.eigh(matrix)
        weight = variance.sqrt().unsqueeze(1) * vectors[:, -latent:] * (values[-latent:] - 1).clamp(min=0).sqrt()
        return Factors(weight, mean, variance).ordered()


def expectation_maximization(old: Factors, data: Iterable[Rows], *, shared: bool) -> tuple[Factors, float]:
    """One pass of EM, exact whatever is hidden: better factors, and the mean log-likelihood of the old ones.

    Weights and mean of a cell are the regression of its observed values on [z, 1] (Ilin and Raiko, 2010).
    """
    gram = cross = square = seen = torch.zeros((), dtype=old.mean.dtype, device=old.mean.device)
    likelihood, count = 0.0, 0
    for rows in data:
        mean, root = old.posterior(rows)
        residual = old.residual(rows)
        z = F.pad(mean, (0, 1), value=1.0)
        second = z.unsqueeze(2) * z.unsqueeze(1) + F.pad(torch.cholesky_inverse(root), (0, 1, 0, 1))
        cells = torch.ones_like(z[:, :1]) if rows.seen.all() else rows.seen
        gram = gram + (cells.mT @ second.flatten(1)).unflatten(1, second.shape[1:])
        cross, square = cross + residual.mT @ z, square + residual.square().sum(0)
        seen = seen + rows.seen.expand_as(rows.x).sum(0)
        likelihood += old.log_likelihood(rows, torch.zeros_like(old.mean)).sum().item()
        count += len(z)
    ridge = FLOOR * torch.eye(gram.shape[-1], dtype=gram.dtype, device=gram.device)  # for cells that are never seen
    solution = torch.cholesky_solve(cross.unsqueeze(-1), torch.linalg.cholesky(gram + ridge)).squeeze(-1)
    rest = square - (solution * cross).sum(1)
    variance = (rest.sum() / seen.sum()).expand_as(rest) if shared else rest / seen.clamp(min=1)
    new = Factors(solution[:, :-1], old.mean + solution[:, -1], variance.clamp(min=FLOOR))
    return new.ordered(), likelihood / count


def start(rows: Rows, latent: int) -> Factors:
    """A start for EM from some rows, of fewer than all principal components: hidden cells count as their mean."""
    seen = rows.seen.expand_as(rows.x)
    mean = torch.where(seen > 0, rows.x, 0).sum(0) / seen.sum(0).clamp(min=1)
    residual = torch.where(seen > 0, rows.x - mean, 0) / len(rows.x) ** 0.5
    rank = min(latent, *residual.shape)
    _, scales, vectors = torch.svd_lowrank(residual, rank, niter=4)
    rest = residual.square().sum() - scales.square().sum()
    noise = (rest / max(1, residual.shape[1] - rank)).clamp(min=FLOOR)
    weight = F.pad(vectors * (scales.square() - noise).clamp(min=0).sqrt(), (0, latent - rank))
    return Factors(weight, mean, noise.expand_as(mean))
