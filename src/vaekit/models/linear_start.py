"""The linear-Gaussian model as the point that a variational autoencoder starts from."""

from __future__ import annotations

from itertools import islice

import torch
import torch.nn.functional as F
from torch import Tensor

from vaekit.core import Batch, Conditional
from vaekit.likelihoods.linear import Linear
from vaekit.noise import Noise
from vaekit.posteriors import DiagonalNormal, LowRankNormal

from .factors import Factors, Rows
from .fitting import factor_analysis, maximize, start
from .full_gaussian import FullGaussian

WIDE = 128  # columns above which no full covariance is fitted
PASSES = 40  # of EM then, at most
QUIET = 1e-3  # smallest variance of the noise, of that of the column


@torch.no_grad()
def start_linear(encoder: Conditional, decoder: Conditional, batch: Batch) -> None:
    """Make a VAE the linear-Gaussian model of some examples, hidden cells included: its bound is that model's
    log-likelihood where no cell is hidden and all columns are Gaussian, and near it elsewhere.

    Factor analysis y = W z + μ + ε; the decoder is the map W z + μ with ε's deviations, the encoder the
    regression of the exact posterior's means and log-variances on what it sees. Columns of W are orthogonal under ε's
    precision, so that this posterior is diagonal (Lucas et al., 2019). Raises ValueError for parts that cannot be it.
    """
    likelihood, family = decoder.family, encoder.family
    if not isinstance(likelihood, Linear):
        raise ValueError("start 'linear-gaussian' needs likelihood 'mixed', 'gaussian' or another with a location")
    if not isinstance(family, DiagonalNormal | LowRankNormal):
        raise ValueError("start 'linear-gaussian' needs posterior 'diagonal-normal' or 'low-rank-normal'")
    if not (hasattr(encoder.body, "begin") and hasattr(decoder.body, "begin")):
        raise ValueError("start 'linear-gaussian' needs network 'linear-residual'")
    spread = likelihood.dequantize(batch.x, 1, Noise()).view_as(batch.x)
    y = likelihood.responses(spread if batch.mask is None else torch.where(batch.mask, spread, torch.nan)).double()
    rows = Rows(y, torch.ones_like(y[:1]) if batch.mask is None else (~y.isnan()).double())
    factors = _fitted(rows, family.event.numel(), likelihood.least(y))
    decoder.body.begin(*likelihood.begin(*(value.to(batch.x) for value in factors[:3])))  # pyright: ignore
    seen = likelihood.embed(batch.x, batch.mask).flatten(1)
    encoder.body.begin(*_posterior_map(seen.double(), rows, factors, family.phi.numel()))  # pyright: ignore


def _fitted(rows: Rows, latent: int, least: Tensor) -> Factors:
    """Factors (E, latent), of which no more than E - 1 are used, and noise of at least the variance ``least`` (E,).

    They are those of the full-covariance normal, whose shrunk correlations do few rows good, or where there are many
    columns those of EM on the factors themselves.
    """
    rank = min(latent, rows.x.shape[1] - 1)
    if rows.x.shape[1] <= WIDE:
        full = FullGaussian.fit(torch.where(rows.seen > 0, rows.x, torch.nan))
        found = factor_analysis(full.mean, full.covariance, rank)
    else:
        found = start(rows, rank)
        for better in islice(maximize(lambda: iter([rows]), lambda: found, shared=False), PASSES):  # noqa: B023
            found = better
    total = found.variance + found.weight.square().sum(1)
    found = found._replace(variance=found.variance.maximum(QUIET * total).maximum(least)).ordered()
    return found._replace(weight=F.pad(found.weight, (0, latent - rank)))


def _posterior_map(seen: Tensor, rows: Rows, factors: Factors, outputs: int) -> tuple[Tensor, Tensor]:
    """Weights and biases from ``seen`` (B, S) to means and log-variances of the latents, further outputs being 0."""
    mean, root = factors.posterior(rows)
    log_variance = -root.square().sum(-1).log().expand_as(mean)  # 1 / diagonal of the precision: the mean-field optimum
    inputs = F.pad(seen, (0, 1), value=1.0)
    solution = torch.linalg.lstsq(inputs, torch.cat([mean, log_variance], 1), driver="gelsd").solution.mT
    solution = F.pad(solution, (0, 0, 0, outputs - len(solution)))
    return solution[:, :-1], solution[:, -1]
