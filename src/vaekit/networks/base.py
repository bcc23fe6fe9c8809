"""What a network factory is: sizes in, a module out. Networks know shapes, never a density."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Size, Tensor, nn


class Network(ABC):
    """A recipe for a network, written before the data are known. The constructor's signature is the configuration."""

    @abstractmethod
    def build(self, inputs: Sequence[Size], out: Size) -> nn.Module:
        """A module from a batch of each input (B, *size) to (B, *out), parameters freshly drawn."""


def flatten_all(inputs: Sequence[Tensor]) -> Tensor:
    """Concatenate inputs as vectors, (B, total)."""
    return inputs[0].flatten(1) if len(inputs) == 1 else torch.cat([value.flatten(1) for value in inputs], 1)


def count(sizes: Sequence[Size]) -> int:
    """How many numbers there are in one example of all the given sizes."""
    return sum(math.prod(size) for size in sizes)


def glorot(module: nn.Module) -> nn.Module:
    """Uniform weights of variance 2 / (fan in + fan out), biases zero (Glorot and Bengio, 2010)."""
    for parameter in module.parameters():
        if parameter.dim() > 1:
            nn.init.xavier_uniform_(parameter)
        else:
            nn.init.zeros_(parameter)
    return module
