"""How long it takes to write a model's weights down."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import torch
from torch import Tensor


def groups(weights: Tensor) -> Iterator[Tensor]:
    """The weights that share a scale: of three and more axes each index of the first has its own."""
    yield from weights if weights.dim() > 2 else (weights,)


def description_length(parameters: Iterable[Tensor], step: float) -> Tensor:
    """About how many nats weights cost that are rounded to multiples of ``step`` (minimum description length; Hinton
    and van Camp, 1993): n log(1 + 2e b / step) for n of them under a Laplace distribution of their mean magnitude b.
    """
    lengths = [
        group.numel() * torch.log1p(2 * math.e / step * group.abs().mean())
        for weights in parameters
        for group in groups(weights)
    ]
    return torch.stack(lengths).sum()
