"""A density read as probability of cells."""

import torch
from torch import Tensor
from torch.distributions import Distribution, constraints
from torch.types import _size

from .density import NONE, Density


class Dequantized(Density):
    """An elementwise density p of values spread uniformly over cells of size ``cell``: log_prob = log p(x) + log cell.

    On a grid of that step, E_u[log_prob(x + u)] with u uniform in ±cell/2 bounds the log-mass of x from below (Theis
    et al., 2016). For continuous values, with ``cell`` one original unit, it is the density in original units. Draws
    and mean are p's own.
    """

    def __init__(self, density: Distribution, cell: Tensor):
        super().__init__(density.batch_shape)
        self.density, self.cell = density, cell
        self.filler = getattr(density, "filler", 0.0)

    @property
    def support(self) -> constraints.Constraint:
        """The values that p is a density over."""
        return self.density.support  # pyright: ignore[reportReturnType]

    @property
    def mean(self) -> Tensor:
        """The mean of p."""
        return self.density.mean

    def log_prob(self, value: Tensor) -> Tensor:
        """Log p(value) + log cell."""
        return self.density.log_prob(value) + self.cell.log()

    def sample(self, sample_shape: _size = NONE) -> Tensor:
        """A draw from p."""
        with torch.no_grad():
            return self.density.sample(sample_shape)
