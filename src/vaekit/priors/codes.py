"""Priors over the codes of a discrete posterior: what they have in common, and the uniform one."""

import math
from abc import abstractmethod
from collections.abc import Callable
from typing import Any, Self

import torch
from torch import Size, Tensor
from torch.distributions import register_kl
from torch.types import _size

from vaekit.core import Conditional, Prior, Shapes
from vaekit.distributions.density import NONE, Density
from vaekit.posteriors.relaxed_categorical import RelaxedCategoricalPosterior


class Codes(Density):
    """A mass over latents z that are made of a book's codes: ``log_prob`` of z is the log-mass of its codes.

    ``family`` is the discrete posterior's: ``book`` (codes, dim), ``indices(z)`` and ``lookup(indices)``.
    """

    def __init__(self, family: Any, batch_shape: Size, event_shape: Size):
        super().__init__(batch_shape, event_shape)
        self.family = family
        self.positions = Size(event_shape[1:])

    @abstractmethod
    def log_mass(self, indices: Tensor) -> Tensor:
        """Log-mass of indices (..., *batch, P), P the number of positions in raster order."""

    @abstractmethod
    def in_order(self, rows: int, choose: Callable[[int, Tensor], Tensor]) -> Tensor:
        """Indices (N, P), one position after the other: ``choose`` gives those (N,) at a position, for the masses (N,
        codes) that they have given the positions before.
        """

    def draw(self, shape: Size) -> Tensor:
        """Indices (*shape, P); the last of ``shape`` is the batch shape's, if there is one."""
        found = self.in_order(shape.numel(), lambda _, masses: torch.multinomial(masses, 1).squeeze(-1))
        return found.view(*shape, -1)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-mass of the codes nearest to z (..., *batch, *latent)."""
        lead = value.shape[: value.dim() - len(self.event_shape)]
        return self.log_mass(self.family.indices(value).reshape(*lead, -1))

    def sample(self, sample_shape: _size = NONE) -> Tensor:
        """The latents of drawn codes."""
        with torch.no_grad():
            shape = Size([*sample_shape, *self.batch_shape])
            return self.family.lookup(self.draw(shape).view(*shape, *self.positions))


class UniformCodes(Codes):
    """Every code equally likely at every position."""

    def log_mass(self, indices: Tensor) -> Tensor:
        """- P log(number of codes)."""
        cost = self.positions.numel() * math.log(len(self.family.book))
        return torch.full(indices.shape[:-1], -cost, device=indices.device)

    def in_order(self, rows: int, choose: Callable[[int, Tensor], Tensor]) -> Tensor:
        """Equal masses."""
        masses = self.family.book.new_ones(rows, len(self.family.book))
        return torch.stack([choose(at, masses) for at in range(self.positions.numel())], -1)


class CodePrior(Prior):
    """A prior over codes, for discrete posteriors alone."""

    discrete = True

    def bind(self, shapes: Shapes) -> Self:
        """A latent (D,) is one code of D numbers, a latent (C, H, W) is H × W codes of C numbers."""
        self.event = self.latent_of(shapes)
        return self

    @staticmethod
    def book_of(encoder: Conditional | None) -> Any:
        """The lent encoder's family, which must be over codes."""
        if encoder is None or not encoder.family.discrete:
            raise ValueError("a prior over codes needs an encoder to codes: use posterior 'vector-quantized'")
        return encoder.family


class UniformCodesPrior(CodePrior):
    """P(z) = (1 / number of codes) ^ positions (van den Oord et al., 2017)."""

    def forward(self, c: Tensor | None = None, encoder: Conditional | None = None) -> UniformCodes:
        """Batch shape ()."""
        return UniformCodes(self.book_of(encoder), Size(), self.event)


@register_kl(RelaxedCategoricalPosterior, UniformCodes)
def _kl(q: RelaxedCategoricalPosterior, p: UniformCodes) -> Tensor:
    """Σ over positions of log C - entropy: (B,)."""
    return (math.log(len(p.family.book)) - q.entropies).reshape(len(q.like), -1).sum(1)
