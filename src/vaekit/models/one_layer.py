"""The variational autoencoder with one layer of latents."""

from dataclasses import replace
from typing import Self

from torch import Size, Tensor
from torch.distributions import Distribution

from vaekit.core import (
    Batch,
    Conditional,
    Family,
    Latent,
    LatentModel,
    Prior,
    Shapes,
    Trace,
    draw_prior,
)
from vaekit.noise import Noise


class OneLayerVAE(LatentModel):
    """p(z|c) p(x|z, c), inferred by q(z|x, c) (Kingma and Welling, 2014).

    ``latent`` is the number of latent dimensions; the encoder's family is the posterior, the decoder's the likelihood.
    """

    def __init__(self, encoder: Conditional, decoder: Conditional, prior: Prior, latent: int = 8):
        super().__init__()
        if latent < 1:
            raise ValueError(f"a latent space needs at least 1 dimension, got {latent}")
        self.encoder, self.decoder, self.prior, self.latent = encoder, decoder, prior, latent

    @property
    def likelihood(self) -> Family:
        """The decoder's family."""
        return self.decoder.family

    def bind(self, shapes: Shapes) -> Self:
        """Decoder, encoder and prior, in this order."""
        z, embedded = Size([self.latent]), self.likelihood.embedded(shapes.x)
        self.shapes = replace(shapes, latent=z, embedded=embedded)
        self.decoder.bind_inputs([z, shapes.c], self.shapes)
        self.encoder.bind_inputs([embedded, shapes.c], self.shapes)
        self.prior.bind(self.shapes)
        return self

    def infer(self, batch: Batch, samples: int = 1, noise: Noise | None = None) -> Trace:
        """One posterior, K draws from it, K decodings."""
        q = self._posterior(batch)
        latent = Latent.draw(q, self.prior(batch.c, self.encoder), samples, noise or Noise())
        return Trace((latent,), self.decoder(latent.z, batch.c))

    def sample(self, n: int, c: Tensor | None = None) -> tuple[Tensor, ...]:
        """(z,) with z (n, latent)."""
        return (draw_prior(self.prior(c, self.encoder), n),)

    def decode(self, z: tuple[Tensor, ...], c: Tensor | None = None) -> Distribution:
        """p(x|z, c)."""
        return self.decoder(*z, c)

    def encode(self, batch: Batch) -> Tensor:
        """E[z|x] under the posterior."""
        return self._posterior(batch).mean.flatten(1)

    def _posterior(self, batch: Batch) -> Distribution:
        return self.encoder(self.likelihood.embed(batch.x, batch.mask), batch.c)
