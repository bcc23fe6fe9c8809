"""Residual convolutional networks between maps and vectors of any size."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Size, Tensor, nn

from .base import Network, count, flatten_all, halved, halvings, lecun, map_sizes


class Residual(Network):
    """Residual blocks on coarser and coarser maps, or in reverse: from maps (C, H, W), vectors or both to either.

    Towards coarser maps, or a vector, every level halves height and width (rounded up) and has ``channels[level]`` maps
    and ``blocks[level]`` blocks; levels beyond these lists repeat their last number. Towards finer maps the levels
    follow in reverse; between maps of one size there is a single level, of that size. Nothing wide is computed at full
    size: 2×2 pixels at a time are read and written. A vector is read off the coarsest maps through a dense layer of
    ``dense`` units (0: none). A vector that comes along with maps is added to the first features of all pixels, as
    maps that are constant over the picture would be.

    A block adds a branch to its maps: 1×1 convolution to half of the channels, two 3×3 convolutions, 1×1 convolution
    back, SiLU between them (Child, 2021). There is no normalization; the last weights of each branch are divided by the
    root of the number of blocks, so that depth does not raise the signal.
    """

    def __init__(self, channels: Sequence[int] = (32, 64), blocks: Sequence[int] = (1, 2), dense: int = 256):
        if not channels or any(width < 1 for width in channels):
            raise ValueError(f"Residual needs positive channels, got {list(channels)}")
        if not blocks or any(number < 0 for number in blocks) or dense < 0:
            raise ValueError(f"Residual needs blocks and dense of at least 0, got {list(blocks)} and {dense}")
        self.channels, self.blocks, self.dense = list(channels), list(blocks), dense

    def build(self, inputs: Sequence[Size], out: Size) -> nn.Module:
        """A module from maps (C, H, W), vectors or both to a vector (P, n) or maps (P, C, H, W).

        Raises ValueError if there are maps on neither side, or if the sizes of the two sides are not some halvings
        apart.
        """
        source, target = map_sizes(inputs, out)
        rises = source is None or (target is not None and target > source)
        ends = [size for size in (source, target) if size]
        halves = halvings(max(ends), min(ends)) if len(ends) == 2 else len(self.channels)
        levels = [
            _Level(size, self.channels[min(i, len(self.channels) - 1)], self.blocks[min(i, len(self.blocks) - 1)])
            for i, size in enumerate(halved(max(ends), halves)[1:] or ends[:1])
        ]
        return _Residual(inputs, out, levels[::-1] if rises else levels, self.dense)


class _Level(NamedTuple):
    size: Size
    channels: int
    blocks: int


class _Residual(nn.Module):
    """Features are kept channels-last, which is how processors and tensor cores convolve fastest."""

    def __init__(self, inputs: Sequence[Size], out: Size, levels: list[_Level], dense: int):
        super().__init__()
        (size, channels, _), last = levels[0], levels[-1]
        has_maps = any(len(given) == 3 for given in inputs)
        self.entry = _FromMaps(inputs, size, channels) if has_maps else _FromVectors(inputs, size, channels)
        depth = sum(level.blocks for level in levels)
        layers: list[nn.Module] = [_Block(channels, depth) for _ in range(levels[0].blocks)]
        for before, level in pairwise(levels):
            layers.append(_Resize(before, level))
            layers += [_Block(level.channels, depth) for _ in range(level.blocks)]
        self.levels = nn.Sequential(*layers)
        self.exit = _ToMaps(last, out) if len(out) == 4 else _ToVector(last, out, dense)

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.exit(self.levels(self.entry(*inputs)))


class _Block(nn.Module):
    def __init__(self, channels: int, depth: int):
        super().__init__()
        inner = (channels + 1) // 2
        self.reduce, self.expand = _conv(channels, inner, 1), _conv(inner, channels, 1)
        self.mix = nn.ModuleList(_conv(inner, inner, 3) for _ in range(2))
        self.expand.weight.data /= math.sqrt(depth)

    def forward(self, x: Tensor) -> Tensor:
        h = F.silu(self.reduce(x))
        for layer in self.mix:
            h = F.silu(layer(h))
        return x + self.expand(h)


class _Resize(nn.Module):
    """To half or twice the height and width, four pixels at a time."""

    def __init__(self, before: _Level, after: _Level):
        super().__init__()
        self.size, self.rises = after.size, after.size > before.size
        into, out = (1, 4) if self.rises else (4, 1)
        self.layer = _conv(into * before.channels, out * after.channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return _spread(self.layer(x), self.size) if self.rises else self.layer(_gather(x))


class _FromMaps(nn.Module):
    """The first features of every pixel, or of every four, plus an affine map of the vectors."""

    def __init__(self, inputs: Sequence[Size], size: Size, channels: int):
        super().__init__()
        maps = [given for given in inputs if len(given) == 3]
        vectors = [given for given in inputs if len(given) != 3]
        self.is_map, self.halves = [len(given) == 3 for given in inputs], maps[0][1:] > size
        self.layer = _conv(sum(given[0] for given in maps) * (4 if self.halves else 1), channels, 3)
        self.shift = lecun(nn.Linear(count(vectors), channels, bias=False)) if vectors else None

    def forward(self, *inputs: Tensor) -> Tensor:
        x = torch.cat([value for value, is_map in zip(inputs, self.is_map, strict=True) if is_map], 1)
        x = self.layer((_gather(x) if self.halves else x).contiguous(memory_format=torch.channels_last))
        if self.shift is None:
            return x
        vectors = [value for value, is_map in zip(inputs, self.is_map, strict=True) if not is_map]
        return x + self.shift(flatten_all(vectors))[..., None, None]


class _FromVectors(nn.Module):
    def __init__(self, inputs: Sequence[Size], size: Size, channels: int):
        super().__init__()
        self.shape = (*size, channels)
        self.layer = lecun(nn.Linear(count(inputs), math.prod(self.shape)))

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.layer(flatten_all(inputs)).unflatten(1, self.shape).permute(0, 3, 1, 2)


class _ToMaps(nn.Module):
    def __init__(self, last: _Level, out: Size):
        super().__init__()
        self.out, self.doubles = out, out[-2:] > last.size
        self.layer = _conv(last.channels, count([out[:-2]]) * (4 if self.doubles else 1), 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.layer(F.silu(x))
        return (_spread(x, self.out[-2:]) if self.doubles else x).contiguous().unflatten(1, self.out[:-2])


class _ToVector(nn.Module):
    def __init__(self, last: _Level, out: Size, dense: int):
        super().__init__()
        self.out, features = out, last.channels * math.prod(last.size)
        self.dense = lecun(nn.Linear(features, dense)) if dense else None
        self.head = lecun(nn.Linear(dense or features, count([out])))

    def forward(self, x: Tensor) -> Tensor:
        x = F.silu(x).permute(0, 2, 3, 1).flatten(1)
        x = x if self.dense is None else F.silu(self.dense(x))
        return self.head(x).unflatten(1, self.out)


def _conv(channels: int, out: int, kernel: int) -> nn.Conv2d:
    return lecun(nn.Conv2d(channels, out, kernel, padding=kernel // 2))


def _gather(x: Tensor) -> Tensor:
    """Four neighbouring pixels as one with four times the channels; odd sizes are padded with zeros."""
    height, width = x.shape[-2:]
    return F.pixel_unshuffle(F.pad(x, (0, width % 2, 0, height % 2)) if height % 2 or width % 2 else x, 2)


def _spread(x: Tensor, size: Sequence[int]) -> Tensor:
    """The reverse of :func:`_gather`, cropped to a size."""
    return F.pixel_shuffle(x, 2)[..., : size[0], : size[1]]
