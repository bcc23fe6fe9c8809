"""The variational autoencoder with one layer of latents."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, Self

import torch
from torch import Size, Tensor
from torch.distributions import Distribution

from vaekit.core import (
    Batch,
    Choose,
    Conditional,
    Family,
    Latent,
    LatentModel,
    Parts,
    Prior,
    Shapes,
    Trace,
)
from vaekit.noise import Noise

from .linear_start import start_linear

Start = Literal["linear-gaussian"] | None


class OneLayerVAE(LatentModel):
    """p(z|c) p(x|z, c), inferred by q(z|x, c) (Kingma and Welling, 2014).

    ``latent`` is the number of latent dimensions, or the shape (C, H, W) of a latent image; the encoder's family is the
    posterior, the decoder's the likelihood. With ``corruption`` the encoder sees, in training, inputs of which that
    share is hidden (set to 0), anew at each step: the denoising autoencoder (Vincent et al., 2008; Im et al., 2017).
    With ``start`` ``"linear-gaussian"`` training begins at factor analysis, see :func:`start_linear`.
    """

    def __init__(
        self,
        encoder: Conditional,
        decoder: Conditional,
        prior: Prior,
        latent: int | Sequence[int] = 8,
        corruption: float = 0.0,
        start: Start = None,
    ):
        super().__init__()
        size = Size([latent]) if isinstance(latent, int) else Size(latent)
        if len(size) not in (1, 3) or min(size) < 1:
            raise ValueError(
                f"a latent space has a number of dimensions, or a shape (C, H, W), of at least 1; got {latent}"
            )
        if not 0 <= corruption < 1:
            raise ValueError(f"corruption is the share of hidden inputs, at least 0 and below 1; got {corruption}")
        self.encoder, self.decoder, self.prior = encoder, decoder, prior
        self.latent, self.corruption, self.start = latent, corruption, start

    @classmethod
    def assemble(cls, parts: Parts, *, corruption: float = 0.0, start: Start = None) -> Self:
        """Encoder and decoder of the same network."""
        encoder, decoder = (Conditional(parts.network, family) for family in (parts.posterior, parts.likelihood))
        return cls(encoder, decoder, parts.prior, parts.latent, corruption, start)

    @property
    def likelihood(self) -> Family:
        """The decoder's family."""
        return self.decoder.family

    @property
    def has_density(self) -> bool:
        """Whether the likelihood and the posterior have one."""
        return self.likelihood.has_density and self.encoder.family.has_density

    @property
    def discrete(self) -> bool:
        """That of the posterior."""
        return self.encoder.family.discrete

    def bind(self, shapes: Shapes) -> Self:
        """Decoder, encoder and prior, in this order. Raises ValueError where codes meet a continuous density."""
        if self.discrete != self.prior.discrete:
            fits = "uniform-codes" if self.discrete else "standard-normal"
            raise ValueError(
                f"{type(self.prior).__name__} is no prior for the latents of {type(self.encoder.family).__name__}, "
                f"as only one of them is over discrete codes: use prior '{fits}', or another posterior"
            )
        z = Size([self.latent]) if isinstance(self.latent, int) else Size(self.latent)
        self.decoder.bind_inputs([z, shapes.c], replace(shapes, latent=z))
        embedded = self.likelihood.embedded(shapes.x)
        self.shapes = replace(shapes, latent=z, embedded=embedded)
        self.encoder.bind_inputs([embedded, shapes.c], self.shapes)
        self.prior.bind(self.shapes)
        return self

    def infer(self, batch: Batch, samples: int = 1, noise: Noise | None = None, choose: Choose | None = None) -> Trace:
        """One posterior, K draws from it, K decodings."""
        noise = noise or Noise()
        q = self._posterior(batch, noise if self.training else None)
        latent = Latent.draw(q, self.prior(batch.c, self.encoder), samples, noise, choose)
        return Trace((latent,), self.decoder(latent.z, batch.c))

    def priors(self, c: Tensor | None = None) -> tuple[Distribution, ...]:
        """That of z."""
        return (self.prior(c, self.encoder),)

    def decode(self, z: tuple[Tensor, ...], c: Tensor | None = None) -> Distribution:
        """p(x|z, c)."""
        return self.decoder(*z, c)

    def encode(self, batch: Batch) -> Tensor:
        """E[z|x] under the posterior."""
        return self._posterior(batch).mean.flatten(1)

    @torch.no_grad()
    def prepare(self, batch: Batch) -> None:
        """Likelihood, then encoder and decoder where they have a start, then prior."""
        self.likelihood.prepare(batch.x, batch.mask)
        if self.start is not None:
            start_linear(self.encoder, self.decoder, batch)
        self.prior.prepare(self.likelihood.embed(batch.x, batch.mask), batch.c, self.encoder)

    @torch.no_grad()
    def update(self, stats: dict[str, Tensor]) -> None:
        """Posterior and likelihood each take what is theirs."""
        self.encoder.family.update(stats)
        self.likelihood.update(stats)

    def _posterior(self, batch: Batch, noise: Noise | None = None) -> Distribution:
        embedded = self.likelihood.embed(batch.x, batch.mask)
        if noise is not None and self.corruption:
            kept = noise.uniform(1, len(embedded), embedded.shape[1:], embedded)[0] >= self.corruption
            embedded = embedded * kept
        return self.encoder(embedded, batch.c)
