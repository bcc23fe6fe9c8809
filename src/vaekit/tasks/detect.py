"""How surprising examples are, and why."""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from vaekit.core import Batch, LatentModel, masked_log_prob_each
from vaekit.noise import CommonNoise, isolated_rng
from vaekit.training.feed import Feed

from .chunks import as_feed, batches, inference
from .impute import impute
from .score import importance

ELEMENTS = 2**22  # elements of log p(x|z) held at once
DRAWS = 200  # behind an interval


@dataclass(frozen=True)
class Surprise:
    """Of each of N examples, float64 (N,): ``score`` = -log p(x) of its observed elements, in nats, and ``ess``, the
    effective number of importance samples behind it, which is lowest where the model knows least.
    """

    score: Tensor
    ess: Tensor


@dataclass(frozen=True)
class Causes:
    """What a surprise is made of, in nats: ``score`` (N,) = ``cells`` (N, *event) summed + ``latent`` (N,), float64.

    A cell's part is -E[log p(cell|z)] under the posterior p(z|x), 0 where it is hidden; ``latent`` is
    KL(p(z|x) || p(z)): what it takes to say which latents explain the example at all.
    """

    score: Tensor
    cells: Tensor
    latent: Tensor


@dataclass(frozen=True)
class Expectation:
    """Of M cells what the model expects when they are hidden, in model units (M,): ``value``, the mean or the likeliest
    category, and the central interval from ``low`` to ``high``.
    """

    value: Tensor
    low: Tensor
    high: Tensor


def surprise(model: LatentModel, examples: Feed | Tensor, samples: int = 100, *, seed: int = 0) -> Surprise:
    """-log p(x) by importance sampling, all examples with the same noise (see :func:`importance`): an example's score
    depends on nothing but the example. Models without a density are scored by minus their bound.
    """
    found = importance(model, examples, samples, seed=seed)
    return Surprise(-(found.log_likelihood if model.has_density else found.elbo), found.ess)


def causes(model: LatentModel, examples: Feed | Tensor, samples: int = 100, *, seed: int = 0) -> Causes:
    """The identity -log p(x) = Σ -E[log p(cell|z)] + KL(p(z|x) || p(z)), with p(z|x) represented by the draws from
    q(z|x) and their normalized importance weights, so that the parts add up to :func:`surprise` with the same draws,
    and not only to a bound on it.

    The draws' KL is Σ w log(K w q / p), for weights w that add up to 1. Models without a density have equal weights,
    which gives the parts of their bound.
    """
    feed = as_feed(examples)
    rows = max(1, ELEMENTS // (samples * math.prod(feed.x.shape[1:])))
    noise = CommonNoise(samples, seed)
    with inference(model), isolated_rng(seed):
        parts = [_explain(model, batch, samples, noise.chunk(0)) for batch in batches(model, feed, rows)]
    return Causes(*(torch.cat(part) for part in zip(*parts, strict=True)))


def _explain(model: LatentModel, batch: Batch, samples: int, noise: CommonNoise) -> tuple[Tensor, Tensor, Tensor]:
    trace = model.infer(batch, samples, noise)
    each = masked_log_prob_each(trace.px, model.likelihood.dequantize(batch.x, samples, noise), batch.mask)
    each = each.expand(samples, *each.shape[1:]).cpu().double()
    if not model.has_density:
        cells, latent = -each.mean(0), trace.kl().mean(0).cpu().double()
        return cells.flatten(1).sum(1) + latent, cells, latent
    log_px, log_ratio = each.flatten(2).sum(-1), trace.log_ratio().cpu().double()
    log_w = log_px + log_ratio
    log_share = log_w.log_softmax(0)
    share = log_share.exp()
    cells = -torch.einsum("kb,kb...->b...", share, each)
    latent = (share * (log_share + math.log(samples) - log_ratio)).sum(0)
    return math.log(samples) - log_w.logsumexp(0), cells, latent


def added(model: LatentModel, x: Tensor, samples: int = 100, *, seed: int = 0) -> Tensor:
    """-log p(cell | other cells of the row) of each cell of a table x (N, D), float64: what it adds to the row's
    surprise, by :func:`surprise` with the cell and without. 0 where the cell is hidden.
    """
    n, dims = x.shape
    without = x.repeat_interleave(dims, 0)
    without[torch.arange(n * dims), torch.arange(dims).repeat(n)] = torch.nan
    rest = surprise(model, without, samples, seed=seed).score.view(n, dims)
    return torch.where(x.isnan(), 0, surprise(model, x, samples, seed=seed).score.unsqueeze(1) - rest)


def expected(
    model: LatentModel,
    x: Tensor,
    rows: Tensor,
    columns: Tensor,
    *,
    level: float = 0.9,
    samples: int = 256,
    seed: int = 0,
) -> Expectation:
    """What the model expects in cells (``rows``, ``columns``) (M,) of a table x (N, D) from the other cells of the row,
    each by itself (see :func:`impute`).
    """
    hidden = x[rows].clone()
    at = torch.arange(len(rows))
    hidden[at, columns] = torch.nan
    found = impute(model, hidden, samples=samples, draws=DRAWS, seed=seed)
    drawn = found.draws[:, at, columns]
    low, high = torch.quantile(drawn, torch.tensor([(1 - level) / 2, (1 + level) / 2], dtype=drawn.dtype), 0)
    return Expectation(found.values[at, columns], low, high)


def p_values(scores: np.ndarray, held_out: np.ndarray) -> np.ndarray:
    """(1 + #{held-out scores ≥ s}) / (1 + n) for each score s: the probability that an example of the same kind as the
    n held-out ones is at least as surprising, exact whatever the model (Bates et al., 2023).
    """
    ranked = np.sort(held_out)
    return (1 + len(ranked) - np.searchsorted(ranked, scores, side="left")) / (1 + len(ranked))


def threshold(held_out: np.ndarray, rate: float) -> float:
    """The smallest score above a held-out one whose p-value is at most ``rate``; infinite where there are too few
    held-out scores for it.
    """
    exceeding = min(math.floor(rate * (1 + len(held_out)) + 1e-9), len(held_out)) - 1
    return float(np.nextafter(np.sort(held_out)[-1 - exceeding], np.inf)) if exceeding >= 0 else math.inf


def complexity(images: np.ndarray) -> np.ndarray:
    """Nats that a general-purpose compressor needs for each image (N, ...), float64 (N,).

    Likelihood prefers simple images whatever it was trained on; less their complexity it is a likelihood ratio against
    a universal coder (Serrà et al., 2020).
    """
    return np.array(
        [8 * math.log(2) * len(zlib.compress(np.ascontiguousarray(image).tobytes(), 9)) for image in images]
    )
