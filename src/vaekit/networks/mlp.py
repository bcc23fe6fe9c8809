"""Fully connected networks."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Size, Tensor, nn

from .base import Network, count, flatten_all, lecun


class MLP(Network):
    """Linear layers with SiLU between; all inputs are flattened and concatenated.

    No hidden layer, ``hidden=()``, is an affine map, with which a Gaussian VAE is probabilistic PCA.
    """

    def __init__(self, hidden: Sequence[int] = (256, 256)):
        if any(width < 1 for width in hidden):
            raise ValueError(f"MLP: every hidden width must be at least 1, got {list(hidden)}")
        self.hidden = list(hidden)

    def build(self, inputs: Sequence[Size], out: Size) -> Layers:
        """A module (B, *inputs) ↦ (B, *out)."""
        return Layers(count(inputs), self.hidden, out)


class Layers(nn.Module):
    """Linear ``layers`` with SiLU between."""

    def __init__(self, width: int, hidden: list[int], out: Size):
        super().__init__()
        self.out = out
        layers: list[nn.Module] = []
        for a, b in pairwise([width, *hidden]):
            layers += [nn.Linear(a, b), nn.SiLU()]
        layers.append(nn.Linear([width, *hidden][-1], count([out])))
        self.layers = lecun(nn.Sequential(*layers))

    def forward(self, *inputs: Tensor) -> Tensor:
        """The inputs as one vector, through all layers."""
        return self.layers(flatten_all(inputs)).unflatten(1, self.out)
