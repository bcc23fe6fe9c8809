"""Gaussian likelihood with learned noise."""

from typing import Self

import torch
from torch import Size, Tensor, nn
from torch.distributions import Distribution, Normal

from vaekit.core import Family, Shapes
from vaekit.distributions import Dequantized
from vaekit.noise import Noise


class Gaussian(Family):
    """x | z ~ N(φ, σ²) with σ a parameter: one for all elements (``noise="shared"``) or one each (``"elementwise"``).

    A fixed σ = 1 on pixels in [0, 1] starves the reconstruction and blurs; the learned one is σ-VAE's (Rybkin et al.,
    2021). Values on a grid are spread uniformly over their cells, so that the bound holds for their probability mass.
    σ is kept above 1e-4 of the model's unit.
    """

    def __init__(self, noise: str = "elementwise"):
        super().__init__()
        if noise not in ("shared", "elementwise"):
            raise ValueError(f"Gaussian noise is 'shared' or 'elementwise', got {noise!r}")
        self.noise = noise

    def bind(self, shapes: Shapes) -> Self:
        """Phi is one mean an element."""
        self.event, self.phi, self.support = shapes.x, Size([1, *shapes.x]), shapes.support
        self.log_sigma = nn.Parameter(torch.full(shapes.x if self.noise == "elementwise" else (), -1.0))
        self.register_buffer("cell", torch.as_tensor(shapes.support.cell, dtype=torch.float32), persistent=False)
        return self

    def dequantize(self, x: Tensor, samples: int, noise: Noise) -> Tensor:
        """X + step · (u - ½), u uniform, where x sits on a grid."""
        if self.support.step is None:
            return x
        return x + self.support.step * (noise.uniform(samples, len(x), self.event, x) - 0.5)

    def forward(self, phi: Tensor) -> Distribution:
        """Phi (..., 1, *event)."""
        mean = phi.squeeze(-1 - len(self.event))
        sigma = self.log_sigma.clamp(min=-9.2).exp()
        return Dequantized(Normal(mean, sigma.expand_as(mean), validate_args=False), self.cell)  # pyright: ignore
