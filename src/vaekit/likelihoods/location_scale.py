"""What likelihoods with a location from the network and a scale have in common."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar, Self

import torch
from torch import Tensor
from torch.distributions import Distribution

from vaekit.core import Shapes
from vaekit.distributions import Dequantized

from .elementwise import Continuous
from .linear import Linear
from .scales import SCALES, Scale, choose


class LocationScale(Continuous, Linear, ABC):
    """Location φ₁ from the network; the scale σ is what ``noise`` says.

    ``"shared"``: one parameter; ``"elementwise"``: one for each element; ``"output"``: from the network, exp(φ₂) times
    the start; ``"fixed"``: not learned. ``sigma``, in model units, is where σ starts, by default 1/e, or stays if it is
    fixed, by default 1. σ is kept above 1e-4. With a ``floor`` σ² = floor² + what is learned: differences below it
    count for little, however small a column's noise is.
    """

    scales: ClassVar[Mapping[str, Scale]] = SCALES
    widest: ClassVar[float] = 1e4

    def __init__(self, noise: str = "elementwise", sigma: float | None = None, floor: float = 0.0):
        super().__init__()
        self.scale = choose(f"noise of the {self.title} likelihood", noise, self.scales)
        if sigma is not None and not 0 < sigma < math.inf:
            raise ValueError(f"sigma must be a number above 0, got {sigma:g}")
        if not 0 <= floor < math.inf:
            raise ValueError(f"floor must be a number of at least 0, got {floor:g}")
        self.noise, self.sigma, self.floor = noise, sigma, floor
        self.outputs = 1 + self.scale.outputs

    def bind(self, shapes: Shapes) -> Self:
        """Phi is one location an element, and a log-scale if the noise is an output."""
        super().bind(shapes)
        default = 1.0 if self.noise == "fixed" else 1 / math.e
        self.log_sigma = self.scale.logarithm(shapes.x, self.sigma or default)
        return self

    def responses(self, x: Tensor) -> Tensor:
        """Flat, in the form that a network takes."""
        return self.embed(x).flatten(1)

    def least(self, y: Tensor) -> Tensor:
        """That of the floor."""
        return y.new_full((y.shape[1],), self.floor**2)

    @torch.no_grad()
    def begin(self, weight: Tensor, mean: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
        """Locations W z + μ, and σ² = ε's variance, in the mean if there is one σ; a fixed one stays."""
        variance = (variance - self.floor**2).maximum(1e-4 * variance)
        log_sigma = 0.5 * variance.log().view(self.event)
        if self.outputs == 2:
            bias = torch.cat([mean, (log_sigma - self.log_sigma).flatten()])
            return torch.cat([weight, torch.zeros_like(weight)]), bias
        if self.noise != "fixed":
            self.log_sigma.copy_(log_sigma if self.scale.each else 0.5 * variance.mean().log())
        return weight, mean

    @abstractmethod
    def density(self, loc: Tensor, sigma: Tensor) -> Distribution:
        """The density of x in model units, (..., *event); σ may lack dimensions in front."""

    def forward(self, phi: Tensor) -> Dequantized:
        """Phi (..., 1 or 2, *event)."""
        loc, *shift = self.parameters_of(phi)
        log_sigma = self.log_sigma + shift[0] if shift else self.log_sigma
        sigma = log_sigma.clamp(math.log(1e-4), math.log(self.widest)).exp()
        if self.floor:
            sigma = torch.hypot(sigma, sigma.new_tensor(self.floor))
        return Dequantized(self.density(loc, sigma), self.cell)
