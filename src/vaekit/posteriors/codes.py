"""What posteriors over the codes of a finite book have in common."""

from abc import abstractmethod

import torch
from torch import Size, Tensor

from vaekit.core import Family, Posterior, Shapes
from vaekit.distributions.density import Density


class Codebook(Family):
    """A family whose z are codes: a vector (D,) is one of them, an image (C, H, W) H × W of C numbers each.

    ``numbers`` is how many a code has where nobody says.
    """

    discrete = True
    numbers: int = 64
    book: Tensor

    def bind_codes(self, shapes: Shapes) -> int:
        """Set ``event`` and ``phi``, (1, *latent); returns how many numbers a code has."""
        if shapes.latent is None:
            raise ValueError("a posterior is bound to the latent shape, which is not known yet")
        self.event, self.phi = shapes.latent, Size([1, *shapes.latent])
        return shapes.latent[0]

    def vectors(self, z: Tensor) -> Tensor:
        """(..., *latent) ↦ (..., *positions, numbers): the axis of a code last."""
        return z.movedim(-len(self.event), -1)

    def arrange(self, vectors: Tensor) -> Tensor:
        """The inverse of :meth:`vectors`."""
        return vectors.movedim(-1, -len(self.event))

    @abstractmethod
    def indices(self, z: Tensor) -> Tensor:
        """The number in the book of the code nearest to z (..., *latent): (..., *positions), int64."""

    def lookup(self, indices: Tensor) -> Tensor:
        """The codes of the given numbers: (..., *positions) ↦ (..., *latent)."""
        return self.arrange(self.book[indices])


class CodePosterior(Density, Posterior):
    """All mass on one code, the one chosen for h (B, *latent); its gradient is handed straight through to h."""

    deterministic = True
    noise = Size([0])

    def __init__(self, h: Tensor, code: Tensor, family: Codebook):
        super().__init__(h.shape[:1], family.event)
        self.like = self.h = h
        self.code, self.family = code, family

    @property
    def mean(self) -> Tensor:
        """The code."""
        return self.code

    def push(self, eps: Tensor) -> tuple[Tensor, Tensor | None]:
        """The code at every draw, to the bit, with ∂z/∂h = 1 (Bengio et al., 2013; van den Oord et al., 2017)."""
        z = self.code + (self.h - self.h.detach())
        return z.expand(*eps.shape[:2], *self.event_shape), self.h.new_zeros(eps.shape[:2])

    def log_prob(self, value: Tensor) -> Tensor:
        """0 at the code, -∞ elsewhere."""
        same = self.family.indices(value.detach()) == self.family.indices(self.code)
        same = same.reshape(*value.shape[: value.dim() - len(self.event_shape)], -1)
        return torch.where(same.all(-1), 0.0, -torch.inf)
