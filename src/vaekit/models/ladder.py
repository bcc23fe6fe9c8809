"""Hierarchies of latents, inferred upwards and then downwards."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Self, cast

import torch
from torch import Size, Tensor, nn
from torch.distributions import Distribution

from vaekit.core import Batch, Choose, Conditional, Family, Latent, LatentModel, Parts, Prior, Shapes, Trace
from vaekit.networks import Network
from vaekit.networks.base import halved
from vaekit.noise import Noise

from .rows import PosteriorRows
from .rung import BottomUp, Features, Rung

FIRST = 256  # how many examples the scales of the features are started from


class LadderVAE(LatentModel):
    """p(z_1|c) Π p(z_l|z_<l, c) p(x|z, c), coarse to fine; the posterior of each z_l sees x from below and z_<l from
    above (Sønderby et al., 2016; Kingma et al., 2016).

    Features of x rise through deterministic networks; draws, and features of them, come down. z_1 has the given prior,
    z_l below it a normal one that depends on the features from above, and is counted in units of it: the latents of a
    trace, and of ``decode``, are u_l with z_l = mean + stddev · u_l. All posteriors are of the same family. With one
    level it is the one-layer model, to the bit.

    ``latent`` is the size or shape of z_1. Vectors have ``levels`` latents of that size; images have maps of
    ``channels`` channels below z_1, the finest of a quarter of the image's height and width, the next of an eighth, and
    so on. ``latents`` gives all shapes instead, coarse to fine, such as [16, [4, 4, 4], [8, 7, 7]]. ``width`` is the
    number of features, or of feature maps, between the rungs.
    """

    def __init__(
        self,
        network: Network,
        posterior: Family,
        likelihood: Family,
        prior: Prior,
        latent: int | Sequence[int] = 16,
        *,
        levels: int = 3,
        channels: int = 4,
        width: int = 64,
        latents: Sequence[int | list[int]] | None = None,
    ):
        super().__init__()
        if min(levels, channels, width) < 1 or (latents is not None and not latents):
            raise ValueError(
                "a ladder needs at least 1 level, latent channel and feature, "
                f"got {levels=}, {channels=}, {width=}, {latents=}"
            )
        self.network, self.latent, self.latents = network, latent, latents
        self.levels, self.channels, self.width = levels, channels, width
        self.encoder, self.decoder = BottomUp(network, posterior), Conditional(network, likelihood)
        self.prior = prior

    @classmethod
    def suited(cls, is_image: bool) -> dict[str, str]:
        """Images need a network between maps."""
        return {"network": "residual"} if is_image else {}

    @classmethod
    def assemble(
        cls,
        parts: Parts,
        *,
        levels: int = 3,
        channels: int = 4,
        width: int = 64,
        latents: Sequence[int | list[int]] | None = None,
    ) -> Self:
        """All networks of one kind, all posteriors of one family."""
        return cls(*parts, levels=levels, channels=channels, width=width, latents=latents)

    @property
    def likelihood(self) -> Family:
        """The decoder's family."""
        return self.decoder.family

    @property
    def posterior(self) -> Family:
        """The family of q(z_1|x)."""
        return self.encoder.family

    @property
    def has_density(self) -> bool:
        """Whether the likelihood and the posterior have one."""
        return self.likelihood.has_density and self.posterior.has_density

    @property
    def events(self) -> tuple[Size, ...]:
        """The shapes of one example's latents, coarse to fine."""
        return self._events

    def bind(self, shapes: Shapes) -> Self:
        """Decoder, encoder and prior, then the rungs. Raises ValueError for discrete codes."""
        if self.posterior.discrete or self.prior.discrete:
            raise ValueError(
                "model 'ladder' needs continuous latents: use posterior 'diagonal-normal' and prior 'standard-normal', "
                "or model 'one-layer'"
            )
        template = copy.deepcopy(self.posterior)
        self._events = self._shapes_of(shapes.x)
        top, *lower = self._events
        sizes = [Size([self.width, *event[1:]]) for event in lower]
        states = [[top], *([size, event] for size, event in zip(sizes, lower, strict=True))]
        self.decoder.bind_inputs([*states[-1], shapes.c], replace(shapes, latent=top))
        embedded = self.likelihood.embedded(shapes.x)
        self.shapes = replace(shapes, latent=top, embedded=embedded)
        self.encoder.bind_features(embedded, sizes, shapes.c, self.shapes)
        self.prior.bind(self.shapes)
        rungs = zip(lower, sizes, states, strict=False)
        self.rungs = nn.ModuleList(Rung(self.network, template, *rung, self.shapes) for rung in rungs)
        return self

    def infer(self, batch: Batch, samples: int = 1, noise: Noise | None = None, choose: Choose | None = None) -> Trace:
        """K draws from the posterior of each latent, given those above."""
        noise = noise or Noise()
        features = self.encoder.climb(self.likelihood.embed(batch.x, batch.mask))
        q = self.encoder.top(features, batch.c)
        latents = [Latent.draw(q, self.prior(batch.c, self.encoder), samples, noise, choose)]

        def draw(rung: Rung, h: Tensor, c: Tensor | None) -> Tensor:
            seen = features[len(latents) - 1]
            q = rung.encoder(seen.expand(samples, *seen.shape).flatten(0, 1), h, c)
            q = q if samples == 1 else PosteriorRows(q, samples)
            latents.append(Latent.draw(q, rung.standard(), samples, noise, choose))
            return latents[-1].z.flatten(0, 1)

        px = self._descend(latents[0].z, batch.c, draw)
        return Trace(tuple(latents), px)

    def priors(self, c: Tensor | None = None) -> tuple[Distribution, ...]:
        """Those below the first are of latents in units of their priors."""
        return self.prior(c, self.encoder), *(rung.standard() for rung in self._rungs())

    def decode(self, z: tuple[Tensor, ...], c: Tensor | None = None) -> Distribution:
        """p(x|z, c); finer latents that are left out are at the means of their priors."""
        finer = iter(z[1:])

        def given(rung: Rung, h: Tensor, c: Tensor | None) -> Tensor:
            u = next(finer, None)
            event = rung.standard.event
            return h.new_zeros(len(h), *event) if u is None else u.reshape(-1, *event)

        return self._descend(z[0], c, given)

    def encode(self, batch: Batch) -> Tensor:
        """Posterior means of all latents, coarse to fine, each given the means above it: (B, D)."""
        features = self.encoder.climb(self.likelihood.embed(batch.x, batch.mask))
        means = [self.encoder.top(features, batch.c).mean]

        def mean(rung: Rung, h: Tensor, c: Tensor | None) -> Tensor:
            means.append(rung.encoder(features[len(means) - 1], h, c).mean)
            return means[-1]

        self._descend(means[0], batch.c, mean)
        return torch.cat([value.flatten(1) for value in means], 1)

    def _descend(
        self, top: Tensor, c: Tensor | None, choose: Callable[[Rung, Tensor, Tensor | None], Tensor]
    ) -> Distribution:
        """p(x|z, c) for z_1 (*lead, *event); ``choose`` gives each finer u (N, *event) for N rows of features."""
        lead = top.shape[: top.dim() - len(self.events[0])]
        rows = None if c is None else c.expand(*lead, *c.shape[-1:]).reshape(-1, *c.shape[-1:])
        state = (top.reshape(-1, *self.events[0]),)
        for rung in self._rungs():
            h = rung.descend(*state, rows)
            state = (h, rung.place(choose(rung, h, rows), h, rows))
        return self.decoder(*(value.view(*lead, *value.shape[1:]) for value in state), c)

    @torch.no_grad()
    def prepare(self, batch: Batch) -> None:
        """Likelihood, then the scales of the features, then prior."""
        self.likelihood.prepare(batch.x, batch.mask)
        first = Batch(*(None if value is None else value[:FIRST] for value in batch))  # pyright: ignore
        scaled = [module for module in self.modules() if isinstance(module, Features)]
        for features in scaled:
            features.starting = True
        self.encoder.climb(self.likelihood.embed(first.x, first.mask))
        self.decode(tuple(first.x.new_empty(len(first.x), *event).normal_() for event in self.events), first.c)
        for features in scaled:
            features.starting = False
        self.prior.prepare(self.likelihood.embed(batch.x, batch.mask), batch.c, self.encoder)

    @torch.no_grad()
    def update(self, stats: dict[str, Tensor]) -> None:
        """Likelihood."""
        self.likelihood.update(stats)

    def _rungs(self) -> Sequence[Rung]:
        return cast("Sequence[Rung]", self.rungs)

    def _shapes_of(self, x: Size) -> tuple[Size, ...]:
        if self.latents is not None:
            given: list[Any] = list(self.latents)
        elif len(x) == 3:
            fine = halved(x[1:], self.levels)[2:]
            given = [self.latent, *([self.channels, *size] for size in reversed(fine))]
        else:
            given = [self.latent] * self.levels
        return tuple(Size([event] if isinstance(event, int) else event) for event in given)
