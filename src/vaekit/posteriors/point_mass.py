"""Point mass posterior: the plain autoencoder."""

from typing import Self

import torch
from torch import Size, Tensor
from torch.distributions import Distribution, register_kl

from vaekit.core import Family, Posterior, Shapes
from vaekit.distributions.density import Density


class PointMassPosterior(Density, Posterior):
    """All probability at one point, which has no density there."""

    deterministic = True
    noise = Size([0])

    def __init__(self, at: Tensor, event: Size):
        super().__init__(at.shape[:1], event)
        self.like = self.at = at

    @property
    def mean(self) -> Tensor:
        """The point."""
        return self.at

    def push(self, eps: Tensor) -> tuple[Tensor, Tensor | None]:
        """The point at every draw; log q counts as 0."""
        return self.at.expand(*eps.shape[:2], *self.event_shape), self.at.new_zeros(eps.shape[:2])

    def log_prob(self, value: Tensor) -> Tensor:
        """0 at the point, -∞ elsewhere: no density, only so that terms stay finite at draws."""
        same = (value == self.at).flatten(value.dim() - len(self.event_shape)).all(-1)
        return torch.where(same, 0.0, -torch.inf)

    def kl_each(self, p: Distribution) -> Tensor:
        """0: the prior has no say."""
        return torch.zeros_like(self.at)


@register_kl(PointMassPosterior, Distribution)
def _(q: PointMassPosterior, p: Distribution) -> Tensor:
    return q.at.new_zeros(len(q.at))


class PointMass(Family):
    """z = h(x), with KL counted as 0, whatever the prior: the autoencoder. Only the mean of p(x|z) is trained well.

    A learned prior is not trained by the ELBO then; fit it to the codes afterwards, or choose an objective that
    compares draws, such as MMD.
    """

    has_density = False

    def bind(self, shapes: Shapes) -> Self:
        """Phi is (1, *latent)."""
        if shapes.latent is None:
            raise ValueError("a posterior is bound to the latent shape, which is not known yet")
        self.event, self.phi = shapes.latent, Size([1, *shapes.latent])
        return self

    def forward(self, phi: Tensor) -> PointMassPosterior:
        """Phi (..., 1, *latent)."""
        return PointMassPosterior(phi.squeeze(-1 - len(self.event)), self.event)
