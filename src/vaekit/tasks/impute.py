"""Hidden cells given the observed ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeGuard

import torch
from torch import Size, Tensor

from vaekit.core import Batch, Latent, LatentModel, Trace, masked_log_prob
from vaekit.models import OneLayerVAE
from vaekit.models.margins import Margins
from vaekit.noise import AntitheticNoise, isolated_rng
from vaekit.training.feed import Feed

from .chunks import as_feed, batches, inference
from .laplace import WIDEST, laplace

DECODES = 32768  # held at once
NUMBERS = 2**25  # drawn at once, at most
SPREAD = 100  # draws behind the quantiles of an interval, at least


@dataclass(frozen=True)
class Imputation:
    """Of N examples: ``values`` (N, *event), hidden cells filled in by E[x | observed], or the likeliest category, and
    observed ones as they are; ``expected``, of images the same, of rows of a table (N, E) with the shares of each
    category's values side by side; ``draws`` (M, N, *event), complete examples with hidden cells drawn jointly from
    p(hidden | observed); ``low`` and ``high`` (N, *event), the central interval of each hidden number, if asked for;
    ``ess`` (N,), the effective number of importance samples.
    """

    values: Tensor
    expected: Tensor
    draws: Tensor
    low: Tensor
    high: Tensor
    ess: Tensor


@dataclass(frozen=True)
class _Drawn:
    """A model's K latents for each of B examples, what they decode to and their normalized weights (K, B)."""

    model: LatentModel
    trace: Trace
    weight: Tensor
    c: Tensor | None


def impute(
    models: LatentModel | Sequence[LatentModel],
    examples: Feed | Tensor,
    *,
    samples: int = 64,
    draws: int = 0,
    level: float | None = None,
    steps: int = 4,
    seed: int = 0,
) -> Imputation:
    """Fill in hidden cells, NaN in ``examples`` in model units, supposing that they are missing at random: that whether
    a cell is hidden depends on nothing that is hidden itself.

    For each example up to ``steps`` of Newton's method give a posterior of its own (see :func:`laplace`), ``samples``
    latents are drawn from it and weighted by w = p(observed, z) / q(z): values are Σ w E[x|z] / Σ w (Mattei and
    Frellsen, 2019), draws come from p(x|z) at latents chosen in proportion to w, intervals of probability ``level``
    from weighted quantiles of draws at all latents, averaged over the models. An example without observed cells gets
    what the model itself expects. Several models count the same, so that their disagreement widens the draws.
    """
    models = [models] if isinstance(models, LatentModel) else list(models)
    if samples < 1 or draws < 0 or steps < 0 or not models or (level is not None and not 0 < level < 1):
        raise ValueError(f"expected samples >= 1, draws >= 0, steps >= 0, 0 < level < 1 and a model, got {samples=}, "
                         f"{draws=}, {steps=}, {level=} and {len(models)} models")  # fmt: skip
    feed = as_feed(examples)
    rows = max(1, min(512, DECODES // samples, NUMBERS // (max(samples, SPREAD) * feed.x[0].numel())))
    parts = []
    with isolated_rng(seed):
        for batch in batches(models[0], feed, rows):
            parts.append(_impute(models, batch, samples, draws, level, steps))
    values, expected, drawn, low, high, ess = zip(*parts, strict=True)
    values, expected, low, high, ess = map(torch.cat, (values, expected, low, high, ess))
    return Imputation(values, expected, torch.cat(drawn, 1), low, high, ess)


def _impute(
    models: Sequence[LatentModel], batch: Batch, samples: int, draws: int, level: float | None, steps: int
) -> tuple[Tensor, ...]:
    """The fields of an :class:`Imputation`; only examples with hidden cells are inferred."""
    x, mask = batch.x, batch.mask
    margins = _margins(models[0])
    whole = x if margins is None else margins.forward(x).to(x)
    made = [x, whole, x.expand(draws, *x.shape), x, x, x.new_full((len(x),), float(samples))]
    if mask is None or mask.all():
        return tuple(part.cpu() for part in made)
    rows = (~mask).flatten(1).any(1)
    batch = Batch(x[rows], None if batch.c is None else batch.c[rows], mask[rows])
    found = [_drawn(model, batch, samples, steps) for model in models]
    expected = _expected(found, margins)
    made[1], made[2] = whole.clone(), made[2].clone()
    made[1][rows], made[5][rows] = expected, torch.stack([1 / one.weight.square().sum(0) for one in found]).sum(0)
    made[0] = _filled(x, rows, expected if margins is None else margins.decided(expected))
    if draws:
        made[2][:, rows] = torch.where(mask[rows], x[rows], _sampled(found, draws))
    made[3] = made[4] = made[0]
    if level is not None:
        quantiles = torch.stack([_interval(one, level) for one in found]).mean(0)
        made[3], made[4] = (_filled(x, rows, quantile) for quantile in quantiles)
    return tuple(part.float().cpu() for part in made)


def _drawn(model: LatentModel, batch: Batch, samples: int, steps: int) -> _Drawn:
    """Draws from the Laplace approximation where there is one, else from the encoder's posterior."""
    with inference(model):
        if steps and _is_smooth(model):
            (prior,) = model.priors(batch.c)
            q = laplace(model, batch, prior, model.encode(batch), steps)
            latent = Latent.draw(q, prior, samples, AntitheticNoise())
            trace = Trace((latent,), model.decode((latent.z,), batch.c))
        else:
            trace = model.infer(batch, samples, AntitheticNoise())
        log_w = masked_log_prob(trace.px, batch.x, batch.mask) + trace.log_ratio()
        return _Drawn(model, trace, log_w.double().softmax(0).float(), batch.c)


def _is_smooth(model: LatentModel) -> TypeGuard[OneLayerVAE]:
    """Whether p(z|x) is a density over one vector of a few latents."""
    one = isinstance(model, OneLayerVAE) and not model.discrete and model.encoder.family.has_density
    return one and len(model.events[0]) == 1 and model.events[0][0] <= WIDEST


@torch.no_grad()
def _sampled(found: Sequence[_Drawn], draws: int) -> Tensor:
    """Examples (draws, B, *event), from the models in turn, by sampling importance resampling (Rubin, 1987)."""
    parts = []
    for at, one in enumerate(found):
        count = len(range(at, draws, len(found)))
        if not count:
            continue
        chosen = torch.multinomial(one.weight.mT, count, replacement=True).mT
        rows = torch.arange(chosen.shape[1], device=chosen.device)
        z = tuple(latent.z[chosen, rows] for latent in one.trace.latents)
        parts.append(one.model.decode(z, one.c).sample())
    return torch.cat(parts)


@torch.no_grad()
def _interval(one: _Drawn, level: float) -> Tensor:
    """Both ends of the central interval of each cell, (2, B, *event): quantiles of draws, weighted like latents."""
    times = -(-SPREAD // len(one.weight))
    drawn, order = one.trace.px.sample(Size([times])).flatten(0, 1).sort(0)
    mass = _like(one.weight.repeat(times, 1) / times, drawn).expand_as(drawn).gather(0, order).cumsum(0)
    below = torch.stack([(mass < end).sum(0) for end in ((1 - level) / 2, (1 + level) / 2)])
    return drawn.gather(0, below.clamp(max=len(drawn) - 1))


@torch.no_grad()
def _expected(found: Sequence[_Drawn], margins: Margins | None) -> Tensor:
    """The mean under the mixture of all p(x|z_k), of categories that of their probabilities."""

    def average(values: Sequence[Tensor]) -> Tensor:
        parts = [(_like(one.weight, value) * value).sum(0) for one, value in zip(found, values, strict=True)]
        return torch.stack(parts).mean(0)

    mean = average([one.trace.px.mean for one in found])
    if margins is None:
        return mean
    sizes = torch.tensor(margins.categories, device=mean.device)
    asked = [torch.where(value < sizes, value, mean).unsqueeze(0) for value in range(max(margins.categories))]
    shares = [average([one.trace.px.log_prob(value).exp() for one in found]) for value in asked]
    columns = [
        torch.stack([share[:, at] for share in shares[:size]], 1) if size else mean[:, at : at + 1]
        for at, size in enumerate(margins.categories)
    ]
    return torch.cat(columns, 1)


def _margins(model: LatentModel) -> Margins | None:
    """Where the shares of categories are, for rows of a table."""
    columns = model.shapes.columns
    return None if columns is None else Margins(tuple(column.categories for column in columns))


def _filled(x: Tensor, rows: Tensor, values: Tensor) -> Tensor:
    """``x`` with hidden cells of those rows filled in."""
    found = x.clone()
    found[rows] = torch.where(x[rows].isnan(), values, x[rows])
    return found


def _like(weight: Tensor, value: Tensor) -> Tensor:
    """Weights (K, B) to be multiplied with (K, B, *event)."""
    return weight.view(*weight.shape, *[1] * (value.dim() - 2))
