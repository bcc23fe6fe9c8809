"""Fully connected networks with gated linear units."""

from collections.abc import Sequence
from itertools import pairwise

import torch.nn.functional as F
from torch import Size, Tensor, nn

from .base import Network, count, flatten_all, lecun


class GatedMLP(Network):
    """Gated linear layers, h = (W₁x + b₁) · σ(W₂x + b₂), and an affine output; all inputs are flattened and
    concatenated.

    The unit is Dauphin et al.'s (2017); with ``hidden=(300, 300)`` this is the network of the VampPrior paper (Tomczak
    and Welling, 2018). It has about twice the parameters of an :class:`MLP` of the same widths.
    """

    def __init__(self, hidden: Sequence[int] = (300, 300)):
        if any(width < 1 for width in hidden):
            raise ValueError(f"GatedMLP: every hidden width must be at least 1, got {list(hidden)}")
        self.hidden = list(hidden)

    def build(self, inputs: Sequence[Size], out: Size) -> nn.Module:
        """A module (B, *inputs) ↦ (B, *out)."""
        return _GatedMLP(count(inputs), self.hidden, out)


class _GatedMLP(nn.Module):
    def __init__(self, width: int, hidden: list[int], out: Size):
        super().__init__()
        self.out = out
        self.layers = nn.Sequential(*(_GatedLinear(a, b) for a, b in pairwise([width, *hidden])))
        self.head = lecun(nn.Linear([width, *hidden][-1], count([out])))

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.head(self.layers(flatten_all(inputs))).unflatten(1, self.out)


class _GatedLinear(nn.Module):
    """Values and gates as one product, drawn with variance 2 / fan in (He et al., 2015) as in the VampPrior paper."""

    def __init__(self, width: int, out: int):
        super().__init__()
        self.product = nn.Linear(width, 2 * out)
        nn.init.kaiming_normal_(self.product.weight)
        nn.init.zeros_(self.product.bias)

    def forward(self, x: Tensor) -> Tensor:
        return F.glu(self.product(x), 1)
