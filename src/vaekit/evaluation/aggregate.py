"""The aggregate posterior q(z) = mean of q(z|x) over the data."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from vaekit.core import LatentModel, Posterior
from vaekit.noise import Noise, isolated_rng
from vaekit.tasks.chunks import batches, inference
from vaekit.training.feed import Feed

from .subsets import subset

ROWS, NUMBERS = 512, 2**21  # posteriors, and numbers of z, that are held at once
COSTLY = 5


def information_and_mismatch(
    model: LatentModel, examples: Feed, points: int = 1000, *, seed: int = 0
) -> tuple[float | None, float | None]:
    """I(x; z) = E[log q(z|x) - log q(z)] and KL(q(z) || p(z)) = E[log q(z) - log p(z)], nats.

    The mean is over one draw from the posterior of each of ``points`` examples. q(z) is that of all examples, exactly
    where the posterior factorizes; for others, whose density is costly, it is estimated from a fifth of points and
    examples. Both are None for hierarchies and for posteriors without a density or without noise, the mismatch also for
    priors that depend on a context.
    """
    n = len(examples)
    with inference(model), isolated_rng(seed):
        first, *finer = model.infer(next(batches(model, examples, 2)), 1, Noise()).latents
        if finer or not model.has_density or first.q.deterministic:
            return None, None
        share = 1 if _factorizes(first.q, first.z) else COSTLY
        chosen, others = subset(n, points // share), subset(n, n // share)
        z, log_q, log_p = _draws(model, examples.select(chosen))
        cross = _cross(model, examples.select(others), z)
    log_aggregate = aggregate_log_prob(cross, torch.searchsorted(others, chosen), n)
    mismatch = None if first.p.batch_shape else (log_aggregate - log_p).mean().item()
    return (log_q - log_aggregate).mean().item(), mismatch


def aggregate_log_prob(cross: Tensor, own: Tensor, total: int | None = None) -> Tensor:
    """log q(z_i), (M,), from log q(z_i|x_j) (M, N) where z_i was drawn from the posterior of example ``own[i]``.

    For the aggregate over a data set of ``total`` examples of which these are N: the own posterior has the weight
    1 / total, the others share the rest (Chen et al., 2018). By default the N are all, and the value exact.
    """
    m, n = cross.shape
    total = n if total is None else total
    if not 2 <= n <= total:
        raise ValueError(f"the aggregate of {total} examples is estimated from 2 to {total} of them, got {n}")
    weights = cross.new_full((m, n), math.log((total - 1) / total / (n - 1)))
    weights[torch.arange(m), own] = -math.log(total)
    return (cross + weights).logsumexp(1)


def _factorizes(q: Posterior, z: Tensor) -> bool:
    try:
        q.log_prob_each(z)
    except TypeError:
        return False
    return True


def _draws(model: LatentModel, examples: Feed) -> tuple[Tensor, Tensor, Tensor]:
    """One z (M, *latent) from each posterior, with log q(z|x) and log p(z) in float64."""
    parts = [model.infer(batch, 1, Noise()).latents[0] for batch in batches(model, examples, ROWS)]
    z, log_q, log_p = (torch.cat([getattr(part, name)[0] for part in parts]) for name in ("z", "log_q", "log_p"))
    return z, log_q.double().cpu(), log_p.double().cpu()


def _cross(model: LatentModel, examples: Feed, z: Tensor) -> Tensor:
    """log q(z_i|x_j), float64 (M, N)."""
    columns = []
    for batch in batches(model, examples, ROWS):
        q = model.infer(batch, 1, Noise()).latents[0].q
        b, event = len(batch.x), z.shape[1:]
        at_once = max(1, NUMBERS // (b * event.numel()))
        rows = [q.log_prob(part.unsqueeze(1).expand(-1, b, *event)) for part in z.split(at_once)]
        columns.append(torch.cat(rows).double().cpu())
    return torch.cat(columns, 1)
