"""New examples of which some elements are fixed."""

from __future__ import annotations

import math
import warnings

import torch
from torch import Tensor
from torch.distributions import Distribution

from vaekit.core import Batch, LatentModel
from vaekit.noise import isolated_rng

from .chunks import ROWS, device_of, inference
from .generate import generate

TRIES = 1000  # candidates for each example that is asked for, at most
FEWEST = 2 * ROWS  # candidates before the largest weight is believed


def synthesize(
    model: LatentModel, n: int, fixed: Tensor | None = None, c: Tensor | None = None, *, seed: int = 0
) -> Tensor:
    """N draws from p(x | fixed elements), (n, *event) in model units; from p(x) if none is fixed.

    ``fixed`` (*event) holds the values of the fixed elements and NaN elsewhere; conditional models also take the
    context c (1, C). Latents come in equal parts from the prior and from the posterior given the fixed elements, the
    others from p(others | fixed, z), and a candidate is accepted with probability w / max w, where w is the
    likelihood of the fixed elements times p(z) over the density that z was drawn from (rejection sampling with the
    largest weight met so far: Caffo et al., 2002; Hesterberg, 1995, on the mixture). No row is repeated; draws are
    exact as the number of candidates grows, and where nothing limits the likelihood, as for densities, no sooner.

    Warns where 1000 candidates a row do not suffice and accepted rows are repeated. Raises ValueError if no candidate
    has a positive weight.
    """
    if fixed is None or bool(fixed.isnan().all()):
        return generate(model, n, c, draw=True, seed=seed)
    if n < 1 or fixed.shape != model.shapes.x:
        raise ValueError(
            f"expected at least 1 example and fixed elements of shape {tuple(model.shapes.x)}, got n={n} and "
            f"shape {tuple(fixed.shape)}"
        )
    rows, log_w, log_u = [], [], []
    bound, tried = -math.inf, 0
    with inference(model), isolated_rng(seed):
        while tried < TRIES * n and (tried < FEWEST or sum(map(len, rows)) < n):
            x, weight = (value.cpu() for value in _candidates(model, fixed, c))
            bound, tried = max(bound, weight.max().item()), tried + len(x)
            rows, log_w, log_u = [*rows, x], [*log_w, weight], [*log_u, torch.rand(len(x)).log()]
            kept = [u < weight - bound for u, weight in zip(log_u, log_w, strict=True)]
            rows, log_w, log_u = ([part[keep] for part, keep in zip(parts, kept, strict=True)]
                                  for parts in (rows, log_w, log_u))  # fmt: skip
        if bound == -math.inf:
            raise ValueError("the model gives what is fixed no probability at all; fix other values, or fewer")
        return _enough(torch.cat(rows), n)


def complete(px: Distribution, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Draw the hidden elements of x (B, *event) from p(x|z), and log p(observed | z): (B, *event) and (B,).

    Where elements depend on earlier ones, hidden ones are drawn given the earlier ones, and the second is Σ over the
    observed of log p(element | earlier elements, z), by which the draws have to be weighted.
    """
    if hasattr(px, "complete"):
        return px.complete(x, mask)  # pyright: ignore
    drawn = torch.where(mask, x, px.sample())
    each = torch.where(mask, px.log_prob(torch.where(mask, x, getattr(px, "filler", 0.0))), 0)
    return drawn, each.flatten(1).sum(1)


def _candidates(model: LatentModel, fixed: Tensor, c: Tensor | None) -> tuple[Tensor, Tensor]:
    """Candidates and their log-weights."""
    device = device_of(model)
    mask = ~fixed.isnan().to(device)
    x = torch.where(mask, fixed.to(device), 0)
    c = None if c is None else c.to(device)
    z, log_ratio = _latents(model, Batch(x.unsqueeze(0), c, mask.unsqueeze(0)))
    count = len(z[0])
    px = model.decode(z, None if c is None else c.expand(count, *c.shape[1:]))
    drawn, log_w = complete(px, x.expand(count, *x.shape), mask.expand(count, *x.shape))
    return drawn, torch.nan_to_num(log_w + log_ratio, nan=-math.inf)


def _latents(model: LatentModel, batch: Batch) -> tuple[tuple[Tensor, ...], Tensor]:
    """Latents and log p(z) - log(½ p(z) + ½ q(z|x)); from the prior alone if there are several layers or no q(z|x)."""
    from_prior = model.sample(ROWS, None if batch.c is None else batch.c.expand(ROWS, *batch.c.shape[1:]))
    trace = model.infer(batch, ROWS)
    latent = trace.latents[0]
    if len(trace.latents) > 1 or latent.q.deterministic or model.discrete:
        return from_prior, torch.zeros(ROWS, device=batch.x.device)
    z = torch.cat([from_prior[0], latent.z[:, 0]])
    log_p, log_q = (density.log_prob(z.unsqueeze(1)).reshape(len(z)) for density in (latent.p, latent.q))
    return (z,), log_p - torch.logaddexp(log_p, log_q) + math.log(2)


def _enough(rows: Tensor, n: int) -> Tensor:
    """The first n, or if there are fewer, draws of them."""
    if len(rows) < n:
        warnings.warn(
            f"only {len(rows)} of {TRIES * n:,} candidates are as asked for; they are repeated to make {n}",
            stacklevel=3,
        )
        rows = torch.cat([rows, rows[torch.randint(len(rows), (n - len(rows),))]])
    return rows[:n]
