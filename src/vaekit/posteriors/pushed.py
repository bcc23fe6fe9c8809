"""What posteriors that are defined by their draws have in common."""

from abc import ABC

import torch
from torch import Size, Tensor
from torch.types import _size

from vaekit.core import Posterior
from vaekit.distributions.density import NONE, Density

PAIRS = 16


class Pushed(Density, Posterior, ABC):
    """A posterior whose draws are its definition: everything but the densities follows from ``push``.

    ``like`` is a tensor (B, ...) on its device, ``event`` the shape of z and ``noise`` that of the noise for one z.
    """

    def __init__(self, like: Tensor, event: Size, noise: Size):
        super().__init__(like.shape[:1], event)
        self.like, self.noise = like, noise

    @property
    def mean(self) -> Tensor:
        """The average of 16 antithetic pairs of draws, always of the same noise.

        It is exact where z is linear in the noise, and elsewhere an estimate of E[z].
        """
        half = torch.randn(PAIRS, 1, *self.noise, generator=torch.Generator().manual_seed(0)).to(self.like.device)
        noise = torch.cat([half, -half]).expand(-1, len(self.like), *self.noise)
        return self.push(noise)[0].mean(0)

    def rsample(self, sample_shape: _size = NONE) -> Tensor:
        """Draws (*sample_shape, B, *latent) with gradient."""
        count = Size(sample_shape).numel()
        z, _ = self.push(torch.randn(count, len(self.like), *self.noise, device=self.like.device))
        return z.view(*sample_shape, len(self.like), *self.event_shape)

    def sample(self, sample_shape: _size = NONE) -> Tensor:
        """Draws (*sample_shape, B, *latent) without gradient."""
        with torch.no_grad():
            return self.rsample(sample_shape)
