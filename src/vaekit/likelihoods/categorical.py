"""Categorical likelihood."""

from typing import Self

from torch import Tensor
from torch.distributions import Distribution

from vaekit.core import Shapes
from vaekit.distributions import Levels, OnGrid

from .elementwise import Elementwise
from .kinds import BINARY, LEVELS, unsuitable

MOST = 1024


class Categorical(Elementwise):
    """A probability for every value of a finite grid: p(x = low + k · step) = softmax(φ)_k.

    Any shape of distribution, at the price of as many network outputs an element as there are values (van den Oord et
    al., 2016). See :class:`vaekit.distributions.OnGrid` for the masses of all values.
    """

    title = "categorical"
    needs = f"values on a grid with at most {MOST} points"
    fits = frozenset({BINARY, LEVELS})

    def bind(self, shapes: Shapes) -> Self:
        """Phi is (levels, *event). Raises ValueError unless x sits on a grid of at most 1,024 points."""
        self.outputs = shapes.support.levels or 1
        if self.outputs > MOST:
            raise unsuitable(self.title, self.needs, shapes.support)
        return super().bind(shapes)

    def forward(self, phi: Tensor) -> Distribution:
        """Phi (..., levels, *event): logits, lowest value first."""
        logits = phi.movedim(-1 - len(self.event), -1)
        return OnGrid(Levels(logits=logits, validate_args=False), self.low, self.step)
