"""A standard normal variable seen through an invertible transformation."""

import math
from typing import Any

import torch
from torch import Size, Tensor
from torch.types import _size

from .density import NONE, Density


class Flow(Density):
    """The z for which f(z) is normal: log p(z) = log N(f(z); 0, spread² I) + log |det ∂f/∂z|.

    ``transform`` is f over vectors, one of zuko's; an event of any shape is flattened for it.
    """

    def __init__(self, transform: Any, batch_shape: Size, event_shape: Size, like: Tensor, spread: float = 1.0):
        super().__init__(batch_shape, event_shape)
        self.transform, self.like, self.spread = transform, like, spread

    def tempered(self, temperature: float) -> "Flow":
        """That of a normal with its spread times ``temperature``."""
        return Flow(self.transform, self.batch_shape, self.event_shape, self.like, self.spread * temperature)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-density, (..., *batch), computed in float32."""
        with torch.autocast(value.device.type, enabled=False):
            base, log_det = self.transform.call_and_ladj(value.float().flatten(-len(self.event_shape)))
            square = (base / self.spread).square()
            return log_det - 0.5 * (square + math.log(2 * math.pi * self.spread**2)).sum(-1)

    def sample(self, sample_shape: _size = NONE) -> Tensor:
        """The inverse of a normal draw."""
        with torch.no_grad():
            shape = (*sample_shape, *self.batch_shape)
            noise = self.spread * torch.randn(*shape, math.prod(self.event_shape), device=self.like.device)
            return self.transform.inv(noise).view(*shape, *self.event_shape)
