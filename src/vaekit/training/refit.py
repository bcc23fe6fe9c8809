"""Another prior for a trained model, fitted to what its encoder makes of the data."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from vaekit.core import Batch, Latent, LatentModel, Prior, masked_log_prob
from vaekit.models import OneLayerVAE
from vaekit.noise import Noise, isolated_rng

from .feed import Feed, permutation, seed_generator, stream
from .loop import PREPARED, VALIDATION_CHUNK
from .progress import Reporter

ORDER, STEP, VALIDATION, PREPARATION = range(10, 14)  # streams of random numbers, none of them the training's
CLIP = 100.0
KEPT = 2**26  # numbers that an encoder says of all examples, which are kept if they are no more


@dataclass(frozen=True)
class PriorQuality:
    """Means over examples, nats per example.

    ``cross_entropy`` = -E_q(z|x)[log p(z)]. ``kl`` = E_q[log q(z|x) - log p(z)] and ``elbo`` are None where the
    posterior has no density.
    """

    cross_entropy: float
    kl: float | None
    elbo: float | None


@dataclass(frozen=True)
class Refit:
    """The numbers with the old prior and with the new, over the same draws; ``held_out`` tells of which examples."""

    before: PriorQuality
    after: PriorQuality
    held_out: bool

    def to_json(self) -> dict[str, Any]:
        """A plain dictionary."""
        return asdict(self)


def refit_prior(
    model: LatentModel,
    prior: Prior,
    train: Feed,
    held: Feed | None = None,
    *,
    epochs: int = 20,
    lr: float = 1e-3,
    batch_size: int = 128,
    seed: int = 0,
    reporter: Reporter | None = None,
) -> Refit:
    """Replace the model's prior by ``prior``, fitted to the aggregate posterior; encoder and decoder stay as they are.

    Minimizes -E_data E_q(z|x)[log p(z)] by Adam with a rate that falls to zero along a cosine, after whatever start the
    prior makes from examples (EM for a mixture). Of all epochs the one with the lowest cross-entropy on ``held`` is
    kept; without held-out examples, the last. ``prior`` is copied.

    Raises ValueError if the model has no single prior, if the prior does not fit its latents, or for numbers out of
    range, and FloatingPointError if the cross-entropy becomes infinite; the model then keeps its prior.
    """
    model = refittable(model, prior)
    if epochs < 0 or lr <= 0 or batch_size < 1:
        raise ValueError(
            f"refitting needs epochs >= 0, lr > 0 and batch_size >= 1; got {epochs=}, {lr=}, {batch_size=}"
        )
    old, judged = model.prior, held or train.fixed()
    with isolated_rng(seed), _frozen(model):
        prior = copy.deepcopy(prior).bind(model.shapes).to(judged.x.device)
        before = quality(model, judged, seed)
        fitting = _Fitting(model, prior, train, held, seed, reporter or Reporter())
        fitting.run(epochs, lr, batch_size)
        try:
            model.prior = prior.eval()
            after = quality(model, judged, seed)
        except BaseException:
            model.prior = old
            raise
    return Refit(before, after, held is not None)


def refittable(model: LatentModel, prior: Prior) -> OneLayerVAE:
    """The model, if that prior can be fitted to its latents; raises ValueError if not."""
    if not isinstance(model, OneLayerVAE):
        raise ValueError(
            f"a prior can be refitted for a model with one layer of latents, not for {type(model).__name__}"
        )
    if prior.discrete != model.discrete:
        fits = "code-transformer" if model.discrete else "gaussian-mixture"
        raise ValueError(
            f"{type(prior).__name__} is no prior for these latents, as only one of them is over discrete codes: "
            f"use prior '{fits}'"
        )
    return model


def quality(model: OneLayerVAE, examples: Feed, seed: int = 0) -> PriorQuality:
    """How well the model's prior fits, by one draw from q(z|x) for each example; of a seed the draws are the same."""
    cross_entropy = log_q = log_px = 0.0
    with torch.no_grad(), isolated_rng(seed):
        for i, batch in enumerate(examples.chunks(VALIDATION_CHUNK)):
            seed_generator(batch.x.device, stream(seed, VALIDATION, i))
            latent = _draw(model, _phi(model, batch), batch.c, model.prior)
            cross_entropy -= latent.log_p.double().sum().item()
            if model.encoder.family.has_density:
                log_q += latent.log_q.double().sum().item()
            px, x = model.decoder(latent.z, batch.c), model.likelihood.dequantize(batch.x, 1, Noise())
            log_px += masked_log_prob(px, x, batch.mask).double().sum().item()
    n = len(examples)
    kl = (log_q + cross_entropy) / n if model.encoder.family.has_density else None
    return PriorQuality(cross_entropy / n, kl, None if kl is None else log_px / n - kl)


class _Fitting:
    """The steps of :func:`refit_prior`."""

    def __init__(self, model: OneLayerVAE, prior: Prior, train: Feed, held: Feed | None, seed: int, reporter: Reporter):
        self.model, self.prior, self.train, self.held = model, prior, train, held
        self.seed, self.reporter, self.device = seed, reporter, train.x.device
        self.judged: _Posteriors | None = None
        self.best: dict[str, Tensor] | None = None
        self.lowest = math.inf

    def run(self, epochs: int, lr: float, batch_size: int) -> None:
        """Start the prior from examples, then take the steps."""
        self._prepare()
        parameters = list(self.prior.parameters())
        if not parameters:
            return
        self.posteriors = _Posteriors(self.model, self.train)
        self.judged = None if self.held is None else _Posteriors(self.model, self.held)
        self._judge()
        steps = epochs * math.ceil(len(self.train) / batch_size)
        optimizer = torch.optim.Adam(parameters, lr)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(steps, 1))
        step = 0
        for epoch in range(epochs):
            total = torch.zeros((), device=self.device)
            order = permutation(len(self.train), stream(self.seed, ORDER, epoch)).to(self.device)
            for index in order.split(batch_size):
                seed_generator(self.device, stream(self.seed, STEP, step))
                loss = -self.posteriors.draw(index, self.prior).log_p.mean()
                optimizer.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(parameters, CLIP)
                optimizer.step()
                schedule.step()
                total, step = total + loss.detach() * len(index), step + 1
            self._finish_epoch(f"epoch {epoch + 1}/{epochs}", total.item() / len(self.train))
        if self.best is not None:
            self.prior.load_state_dict(self.best)

    def _prepare(self) -> None:
        seed_generator(self.device, stream(self.seed, PREPARATION))
        order = permutation(len(self.train), stream(self.seed, PREPARATION))[:PREPARED]
        batch = self.train.fixed().batch(order.to(self.device))
        with torch.no_grad():
            self.prior.prepare(self.model.likelihood.embed(batch.x, batch.mask), batch.c, self.model.encoder)

    def _finish_epoch(self, what: str, loss: float) -> None:
        if not math.isfinite(loss):
            raise FloatingPointError(
                f"the cross-entropy became {loss} in {what}; try a learning rate below the one given"
            )
        judged = self._judge()
        held_out = "" if judged is None else f"  held-out {judged:.3f}"
        self.reporter.note(f"{what}  cross-entropy {loss:.3f}{held_out}")

    def _judge(self) -> float | None:
        """The held-out cross-entropy; the weights are kept where it is the lowest so far."""
        if self.judged is None:
            return None
        total, order = 0.0, torch.arange(len(self.judged.feed), device=self.device)
        with torch.no_grad():
            for i, index in enumerate(order.split(VALIDATION_CHUNK)):
                seed_generator(self.device, stream(self.seed, VALIDATION, i))
                total -= self.judged.draw(index, self.prior).log_p.sum().item()
        judged = total / len(order)
        if judged < self.lowest:
            self.lowest, self.best = judged, copy.deepcopy(self.prior.state_dict())
        return judged


class _Posteriors:
    """The posteriors of the examples of a feed. What the encoder's network says of them is kept, so that it is asked
    once, where they are the same at each look.
    """

    def __init__(self, model: OneLayerVAE, feed: Feed):
        self.model, self.feed = model, feed
        varies = feed.varying and (feed.binarized or feed.c is not None)
        few = len(feed) * math.prod(model.encoder.family.phi) <= KEPT
        self.phi = (
            None if varies or not few else torch.cat([_phi(model, part) for part in feed.chunks(VALIDATION_CHUNK)])
        )

    def draw(self, index: Tensor, prior: Prior) -> Latent:
        """One draw of the latents of each of the examples."""
        if self.phi is not None:
            return _draw(self.model, self.phi[index], None if self.feed.c is None else self.feed.c[index], prior)
        batch = self.feed.batch(index)
        return _draw(self.model, _phi(self.model, batch), batch.c, prior)


@torch.no_grad()
def _phi(model: OneLayerVAE, batch: Batch) -> Tensor:
    return model.encoder.phi(model.likelihood.embed(batch.x, batch.mask), batch.c)


def _draw(model: OneLayerVAE, phi: Tensor, c: Tensor | None, prior: Prior) -> Latent:
    """One draw of each example's latents, with gradients to the prior alone."""
    with torch.no_grad():
        q = model.encoder.family(phi)
    return Latent.draw(q, prior(c, model.encoder), 1, Noise())


@contextmanager
def _frozen(model: OneLayerVAE) -> Iterator[None]:
    """The model in evaluation mode, none of its parameters with a gradient; the old prior's as before afterwards."""
    was_training, learned = model.training, [p for p in model.parameters() if p.requires_grad]
    model.eval().requires_grad_(False)
    try:
        yield
    finally:
        model.train(was_training)
        for parameter in learned:
            parameter.requires_grad_(True)
