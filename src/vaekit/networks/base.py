"""What a network factory is: sizes in, a module out. Networks know shapes, never a density."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TypeVar

import torch
from torch import Size, Tensor, nn

Module = TypeVar("Module", bound=nn.Module)


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


def map_sizes(inputs: Sequence[Size], out: Size) -> tuple[Size | None, Size | None]:
    """Height and width of the inputs that are maps (C, H, W) and of an output (P, C, H, W); None for vectors.

    Raises ValueError if there are maps on neither side, or input maps of several sizes.
    """
    sizes = sorted({size[1:] for size in inputs if len(size) == 3})
    if len(sizes) > 1:
        raise ValueError(f"all maps that enter a network must have one size, got {[tuple(size) for size in sizes]}")
    if not sizes and len(out) != 4:
        raise ValueError(
            f"a convolutional network needs maps (C, H, W) on one side, got {[tuple(size) for size in inputs]} to "
            f"{tuple(out)}: use network 'mlp' for data that are not images"
        )
    return sizes[0] if sizes else None, out[-2:] if len(out) == 4 else None


def halved(size: Sequence[int], times: int) -> list[Size]:
    """A height and a width, and what they are after one, two, ... halvings, rounded up."""
    sizes = [Size(size)]
    for _ in range(times):
        sizes.append(Size([(side + 1) // 2 for side in sizes[-1]]))
    return sizes


def halvings(fine: Sequence[int], coarse: Sequence[int]) -> int:
    """How often a height and width must be halved, rounding up, to give another; ValueError if never."""
    sizes = halved(fine, max(fine).bit_length())
    if Size(coarse) not in sizes:
        valid = ", ".join(f"{height}×{width}" for height, width in dict.fromkeys(sizes))
        raise ValueError(
            f"maps of {fine[0]}×{fine[1]} and of {coarse[0]}×{coarse[1]} are not some halvings apart; "
            f"use one of {valid}"
        )
    return sizes.index(Size(coarse))


def glorot(module: Module) -> Module:
    """Uniform weights of variance 2 / (fan in + fan out), biases zero (Glorot and Bengio, 2010)."""
    for parameter in module.parameters():
        if parameter.dim() > 1:
            nn.init.xavier_uniform_(parameter)
        else:
            nn.init.zeros_(parameter)
    return module


def lecun(module: Module) -> Module:
    """Normal weights of variance 1 / fan in, biases zero (LeCun et al., 1998).

    Unlike Glorot's, they do not shrink what comes in where a layer widens, such as a decoder's first, from few latents.
    """
    for parameter in module.parameters():
        if parameter.dim() > 1:
            nn.init.kaiming_normal_(parameter, nonlinearity="linear")
        else:
            nn.init.zeros_(parameter)
    return module
