"""Importance-sampled log-likelihood of each example."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from vaekit.core import Batch, LatentModel, terms
from vaekit.noise import CommonNoise, Noise, isolated_rng
from vaekit.training.feed import Feed

from .chunks import as_feed, batches, inference

DECODES = 4096  # how many decodings are held at once


@dataclass(frozen=True)
class Importance:
    """Estimates for each of N examples from K posterior draws, float64 (N,), nats.

    ``log_likelihood`` = log 1/K Σ w_k with w_k = p(x, z_k) / q(z_k|x), a lower bound on log p(x) in expectation that
    tightens with K; ``ess`` = (Σ w)² / Σ w², between 1 and K; ``reconstruction`` = -mean log p(x|z_k); ``kl``.
    """

    log_likelihood: Tensor
    ess: Tensor
    reconstruction: Tensor
    kl: Tensor

    @property
    def elbo(self) -> Tensor:
        """The evidence lower bound."""
        return -self.reconstruction - self.kl


def importance(
    model: LatentModel, examples: Feed | Tensor, samples: int = 100, *, common: bool = True, seed: int = 0
) -> Importance:
    """Sample exactly ``samples`` latents for each example, in chunks, keeping running sums only.

    With ``common`` random numbers every example sees the same noise, so that its numbers depend on nothing but
    itself: use it to rank examples. For means over a data set independent noise has a far smaller error.
    """
    if samples < 1:
        raise ValueError(f"expected at least 1 importance sample, got {samples}")
    feed = as_feed(examples)
    rows, chunk = _sizes(len(feed), samples)
    noise = CommonNoise(samples, seed) if common else Noise()
    with inference(model), isolated_rng(seed):
        parts = [_estimate(model, batch, samples, chunk, noise) for batch in batches(model, feed, rows)]
    return Importance(*(torch.cat(column) for column in zip(*parts, strict=True)))


def log_weights(model: LatentModel, examples: Feed | Tensor, samples: int, *, seed: int = 0) -> Tensor:
    """log p(x, z) - log q(z|x) for independent draws z ~ q(z|x), float64 (samples, N): for few examples, as all are
    kept.
    """
    feed = as_feed(examples)
    rows, chunk = _sizes(len(feed), samples)
    with inference(model), isolated_rng(seed):
        columns = [
            torch.cat([log_w for _, log_w, _ in _passes(model, batch, samples, chunk, Noise())])
            for batch in batches(model, feed, rows)
        ]
    return torch.cat(columns, 1)


def _sizes(examples: int, samples: int) -> tuple[int, int]:
    """How many rows, and how many samples of each, are decoded at once."""
    rows = max(1, min(examples, 512, DECODES // min(samples, 16)))
    return rows, max(1, min(samples, DECODES // rows))


def _passes(
    model: LatentModel, batch: Batch, samples: int, chunk: int, noise: Noise
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """log p(x|z), log weights and KL, each float64 (k, B) on the CPU, of at most ``chunk`` samples at a time."""
    for at in range(0, samples, chunk):
        if isinstance(noise, CommonNoise):
            noise.chunk(at)
        trace, log_px = terms(model, batch, min(chunk, samples - at), noise)
        yield log_px.cpu().double(), (log_px + trace.log_ratio()).cpu().double(), trace.kl().cpu().double()


def _estimate(model: LatentModel, batch: Batch, samples: int, chunk: int, noise: Noise) -> tuple[Tensor, ...]:
    total = square = torch.full((len(batch.x),), -math.inf, dtype=torch.float64)
    reconstruction = kl = torch.zeros_like(total)
    for log_px, log_w, kl_part in _passes(model, batch, samples, chunk, noise):
        total = torch.logaddexp(total, log_w.logsumexp(0))
        square = torch.logaddexp(square, (2 * log_w).logsumexp(0))
        reconstruction = reconstruction - log_px.sum(0) / samples
        kl = kl + kl_part.sum(0) / samples
    return total - math.log(samples), (2 * total - square).exp(), reconstruction, kl
