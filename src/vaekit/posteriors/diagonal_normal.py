"""Diagonal normal posterior."""

from typing import Self

from torch import Size, Tensor

from vaekit import distributions
from vaekit.core import Family, Posterior, Shapes


class DiagonalNormalPosterior(distributions.DiagonalNormal, Posterior):
    """q(z|x) = N(mean, exp(log-variance)): z = mean + exp(½ log-variance) · ε."""

    @property
    def noise(self) -> Size:  # pyright: ignore[reportIncompatibleVariableOverride]
        """As many standard normal numbers as z has."""
        return self.event_shape

    @property
    def like(self) -> Tensor:  # pyright: ignore[reportIncompatibleVariableOverride]
        """A tensor on the posterior's device whose first axis is the batch."""
        return self.loc

    def push(self, eps: Tensor) -> tuple[Tensor, Tensor | None]:
        """The reparameterization (Kingma and Welling, 2014); log q is left until somebody asks."""
        return self.loc + self.stddev * eps, None

    def detached(self) -> "DiagonalNormalPosterior":
        """The same distribution with constant parameters."""
        return DiagonalNormalPosterior(self.loc.detach(), self.log_var.detach(), self.dims)


class DiagonalNormal(Family):
    """φ = (mean, log-variance) of each latent dimension (Kingma and Welling, 2014)."""

    def bind(self, shapes: Shapes) -> Self:
        """Phi is (2, *latent)."""
        if shapes.latent is None:
            raise ValueError("a posterior is bound to the latent shape, which is not known yet")
        self.event, self.phi = shapes.latent, Size([2, *shapes.latent])
        return self

    def forward(self, phi: Tensor) -> DiagonalNormalPosterior:
        """Phi (..., 2, *latent); log-variances are kept within ±15."""
        mean, log_var = phi.unbind(-1 - len(self.event))
        return DiagonalNormalPosterior(mean, log_var.clamp(-15, 15), len(self.event))
