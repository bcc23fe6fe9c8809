"""What likelihoods with a few parameters for each element have in common."""

from __future__ import annotations

from abc import ABC
from typing import ClassVar, Self

import torch
from torch import Size, Tensor

from vaekit.core import Family, Shapes
from vaekit.noise import Noise

from .kinds import EVERY, Kind, kind_of, unsuitable


class Elementwise(Family, ABC):
    """A likelihood with ``outputs`` parameters for each element, for values of the kinds that ``fits``.

    ``low``, ``high``, ``step`` (0 if x is continuous) and ``cell`` are the support's, as tensors that broadcast over
    examples.
    """

    title: ClassVar[str]
    needs: ClassVar[str] = "values of any kind"
    fits: ClassVar[frozenset[Kind]] = EVERY
    outputs: int = 1
    low: Tensor
    high: Tensor
    step: Tensor
    cell: Tensor

    def bind(self, shapes: Shapes) -> Self:
        """Phi is (outputs, *event). Raises ValueError for values of a kind that does not fit."""
        if kind_of(shapes.support) not in self.fits:
            raise unsuitable(self.title, self.needs, shapes.support)
        self.event, self.phi, self.support = shapes.x, Size([self.outputs, *shapes.x]), shapes.support
        support = shapes.support
        sizes = {"low": support.low, "high": support.high, "step": support.step or 0.0, "cell": support.cell}
        for name, size in sizes.items():
            self.register_buffer(name, torch.as_tensor(size, dtype=torch.float32), persistent=False)
        return self

    def parameters_of(self, phi: Tensor) -> tuple[Tensor, ...]:
        """Phi (..., outputs, *event) ↦ its parameters, (..., *event) each."""
        return phi.unbind(-1 - len(self.event))


class Continuous(Elementwise, ABC):
    """A density over x, or over the cells of x's grid: spreading each value over its cell bounds the mass from below
    (Theis et al., 2016).
    """

    @property
    def start(self) -> Tensor:
        """The lower end of the first cell, which is ``low`` itself where x is continuous."""
        return self.low - self.step / 2

    @property
    def width(self) -> Tensor:
        """The length of x's range, that of all cells on a grid."""
        return self.high - self.low + self.step

    def dequantize(self, x: Tensor, samples: int, noise: Noise) -> Tensor:
        """X + step · (u - ½), u uniform, where x sits on a grid."""
        if self.support.step is None:
            return x
        return x + self.step * (noise.uniform(samples, len(x), self.event, x) - 0.5)


def element_means(values: Tensor, mask: Tensor | None) -> Tensor:
    """The mean of each element's observed values, 0 where there are none: (N, *event) ↦ (*event)."""
    if mask is None:
        return values.mean(0)
    return torch.where(mask, values, 0).sum(0) / mask.sum(0).clamp(min=1)
