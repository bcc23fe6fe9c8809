"""Categorical posterior with relaxed gradients."""

from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor

from vaekit.core import Posterior, Shapes
from vaekit.distributions.density import Density

from .codes import Codebook


class RelaxedCategoricalPosterior(Density, Posterior):
    """Independent categories at all positions, z one-hot; ``logits`` (B, *latent) with the categories first."""

    def __init__(self, logits: Tensor, family: "RelaxedCategorical"):
        super().__init__(logits.shape[:1], family.event)
        self.like = logits
        self.noise, self.family = family.event, family
        self.log_mass = logits.log_softmax(-len(family.event))

    @property
    def mean(self) -> Tensor:
        """The probabilities of the categories."""
        return self.log_mass.exp()

    @property
    def entropies(self) -> Tensor:
        """Of each position in nats, (B, *positions)."""
        return -(self.mean * self.log_mass).sum(-len(self.event_shape))

    def push(self, eps: Tensor) -> tuple[Tensor, Tensor | None]:
        """The category of the largest log-mass plus Gumbel noise, with the gradient of the softmax in its place."""
        axis = -len(self.event_shape)
        gumbel = -(-torch.special.log_ndtr(eps)).log()
        scores = self.log_mass + gumbel
        relaxed = (scores / self.family.temperature).softmax(axis)
        z = self.family.lookup(scores.argmax(axis)) + (relaxed - relaxed.detach())
        return z, self.log_prob(z)

    def log_prob(self, value: Tensor) -> Tensor:
        """Σ log-mass of the categories of one-hot z (..., B, *latent)."""
        return (value * self.log_mass).flatten(-len(self.event_shape)).sum(-1)


class RelaxedCategorical(Codebook):
    """One of C categories at each position, by Gumbel-softmax (Jang et al., 2017; Maddison et al., 2017).

    z is one-hot to the bit, so that bounds are those of the discrete model; in the backward pass softmax((log π + g) /
    ``temperature``), g Gumbel noise, stands in for it (straight-through). The gradient is biased: the more, the higher
    the temperature; its noise grows as the temperature falls. A latent (C,) is one position, (C, H, W) H × W.
    """

    numbers = 16

    def __init__(self, temperature: float = 0.7):
        super().__init__()
        if temperature <= 0:
            raise ValueError(f"relaxed-categorical needs a temperature above 0, got {temperature}")
        self.temperature = temperature

    def bind(self, shapes: Shapes) -> Self:
        """Phi is (1, *latent); the book (C, C) is the identity."""
        self.register_buffer("book", torch.eye(self.bind_codes(shapes)), persistent=False)
        return self

    def indices(self, z: Tensor) -> Tensor:
        """The largest of the categories."""
        return self.vectors(z).argmax(-1)

    def lookup(self, indices: Tensor) -> Tensor:
        """One-hot."""
        return self.arrange(F.one_hot(indices, len(self.book)).to(self.book.dtype))

    def forward(self, phi: Tensor) -> RelaxedCategoricalPosterior:
        """Phi (..., 1, *latent): logits."""
        return RelaxedCategoricalPosterior(phi.squeeze(-1 - len(self.event)), self)
