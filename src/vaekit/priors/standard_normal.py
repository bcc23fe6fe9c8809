"""Standard normal prior."""

from typing import Self

import torch
from torch import Tensor
from torch.distributions import Distribution

from vaekit.core import Conditional, Prior, Shapes
from vaekit.distributions import DiagonalNormal


class StandardNormal(Prior):
    """p(z) = N(0, I)."""

    zero: Tensor

    def bind(self, shapes: Shapes) -> Self:
        """Nothing to learn."""
        self.event = self.latent_of(shapes)
        self.register_buffer("zero", torch.zeros(self.event), persistent=False)
        return self

    def forward(self, c: Tensor | None = None, encoder: Conditional | None = None) -> Distribution:
        """Batch shape ()."""
        return DiagonalNormal(self.zero, self.zero, len(self.event), standard=True)
