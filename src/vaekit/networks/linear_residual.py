"""An affine map with a network beside it."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Size, Tensor, nn

from .base import Network, count, flatten_all, lecun
from .mlp import MLP, Layers


class LinearResidual(Network):
    """A x + b plus an :class:`MLP` of x; all inputs are flattened and concatenated.

    ``begin`` sets A and b to given ones and the MLP's last layer to zero, so that training goes on from a linear model:
    the MLP learns only what that one leaves.
    """

    def __init__(self, hidden: Sequence[int] = (128, 128)):
        if not hidden or any(width < 1 for width in hidden):
            raise ValueError(f"LinearResidual: hidden widths must be at least 1, got {list(hidden)}")
        self.hidden = list(hidden)

    def build(self, inputs: Sequence[Size], out: Size) -> nn.Module:
        """A module (B, *inputs) ↦ (B, *out)."""
        return _LinearResidual(count(inputs), MLP(self.hidden).build(inputs, out), out)


class _LinearResidual(nn.Module):
    def __init__(self, width: int, residual: Layers, out: Size):
        super().__init__()
        self.linear, self.residual, self.out = lecun(nn.Linear(width, count([out]))), residual, out

    def forward(self, *inputs: Tensor) -> Tensor:
        x = flatten_all(inputs)
        return (self.linear(x) + self.residual.layers(x)).unflatten(1, self.out)

    @torch.no_grad()
    def begin(self, weight: Tensor, bias: Tensor) -> None:
        """Be the affine map x ↦ ``weight`` x + ``bias``; inputs that ``weight`` lacks columns for do not count."""
        self.linear.weight.copy_(F.pad(weight, (0, self.linear.in_features - weight.shape[1])))
        self.linear.bias.copy_(bias)
        for parameter in self.residual.layers[-1].parameters():
            nn.init.zeros_(parameter)
