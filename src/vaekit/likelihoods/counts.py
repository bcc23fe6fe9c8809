"""What likelihoods of counts have in common."""

from abc import ABC
from typing import Self

import torch
from torch import Tensor, nn

from vaekit.core import Shapes

from .elementwise import Elementwise, element_means
from .kinds import COUNTS, LEVELS


class Counts(Elementwise, ABC):
    """A likelihood of the numbers k = 0, 1, 2, … with x = low + k · step; expectation μ = m exp(φ₁).

    m is the mean of the training data, and the encoder sees log(1 + k). Where x has an upper end, numbers above it keep
    their probability.
    """

    needs = "counts: whole numbers from a lowest one on"
    fits = frozenset({COUNTS, LEVELS})

    def bind(self, shapes: Shapes) -> Self:
        """Phi is (outputs, *event)."""
        super().bind(shapes)
        self.log_mean = nn.Buffer(torch.zeros(shapes.x))
        return self

    @torch.no_grad()
    def prepare(self, x: Tensor, mask: Tensor | None = None) -> None:
        """Set m, at least 0.01."""
        self.log_mean.copy_(element_means(self._numbers(x), mask).clamp(min=0.01).log())

    def embed(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Log(1 + k), hidden ones as zeros."""
        return super().embed(self._numbers(x).log1p(), mask)

    def log_rate(self, phi: Tensor) -> Tensor:
        """Log μ from φ₁ (..., *event), kept within ±15."""
        return (self.log_mean + phi).clamp(-15, 15)

    def _numbers(self, x: Tensor) -> Tensor:
        return ((x - self.low) / self.step).round().clamp(min=0)
