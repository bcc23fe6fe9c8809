"""Convolutional encoders and decoders for images of any height, width and channel count."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import cast

import torch
import torch.nn.functional as F
from torch import Size, Tensor, nn

from . import strided
from .base import Network, count, flatten_all, glorot, halved, halvings, map_sizes


class Convolutional(Network):
    """3×3 convolutions of stride 2 with ReLU, each halving height and width (rounded up); the decoder mirrors them.

    As an encoder (image in, vector out): a convolution for each of ``channels``, then a dense ReLU layer of ``dense``
    units (0: none), then an affine output. As a decoder (vector in, image out): a dense ReLU layer to ``channels[0]``
    maps of the coarsest size, a transposed convolution for each of ``channels`` in reverse, and a last 3×3 convolution.
    Inputs that are not images join at the dense layers. With ``channels=(64, 128), dense=16`` and two latents this is
    the network of the Keras example "Variational AutoEncoder" (Chollet, 2020): 174,932 and 157,633 parameters on
    28×28×1.

    Padding is Keras's "same": an even size is padded on the right and bottom only, and a transposed convolution's last
    row and column are cropped.
    """

    def __init__(self, channels: Sequence[int] = (64, 128), dense: int = 256):
        if not channels or any(width < 1 for width in channels) or dense < 0:
            raise ValueError(f"Convolutional needs positive channels and dense >= 0, got {list(channels)} and {dense}")
        self.channels, self.dense = list(channels), dense

    def build(self, inputs: Sequence[Size], out: Size) -> nn.Module:
        """An encoder if an input is an image (C, H, W), a decoder if the output (P, C, H, W) is.

        If both are, the finer one is the image, the other is a map of latents.
        """
        source, target = map_sizes(inputs, out)
        kind = _Encoder if source and (target is None or target <= source) else _Decoder
        if source is None or target is None:
            return kind(inputs, out, self.channels, self.dense)
        halves = halvings(max(source, target), min(source, target))
        if not 1 <= halves <= len(self.channels):
            raise ValueError(
                f"convolutional with channels {self.channels} changes sizes by 1 to {len(self.channels)} halvings, not "
                f"from {tuple(source)} to {tuple(target)}: use network 'residual'"
            )
        return kind(inputs, out, self.channels[:halves], self.dense)


def _padding(size: Sequence[int]) -> tuple[int, int, int, int]:
    """Left, right, top, bottom of Keras's "same" padding for kernel 3 and stride 2."""
    return size[1] % 2, 1, size[0] % 2, 1


def _along(maps: Tensor, vectors: Sequence[Tensor]) -> Tensor:
    """Vectors repeated at each pixel of (B, h, w, C), after its channels."""
    size = maps.shape[1:3]
    return torch.cat([maps, *(v.flatten(1)[:, None, None].expand(-1, *size, -1) for v in vectors)], -1)


def _as_products(x: Tensor) -> bool:
    is_traced = torch.compiler.is_compiling() or torch.jit.is_tracing()  # pyright: ignore[reportPrivateImportUsage]
    return x.device.type == "cpu" and not is_traced


class _Encoder(nn.Module):
    def __init__(self, inputs: Sequence[Size], out: Size, channels: list[int], dense: int):
        super().__init__()
        self.is_image = [len(size) == 3 for size in inputs]
        images = [size for size in inputs if len(size) == 3]
        self.sizes, self.out = halved(images[0][1:], len(channels)), out
        widths = [sum(size[0] for size in images), *channels]
        layers = nn.ModuleList(nn.Conv2d(a, b, 3, stride=2) for a, b in pairwise(widths))
        self.convolutions = cast("list[nn.Conv2d]", layers)
        self.is_map = len(out) == 4
        features = channels[-1] * (1 if self.is_map else math.prod(self.sizes[-1]))
        features += count([size for size in inputs if len(size) != 3])
        self.dense = nn.Linear(features, dense) if dense and not self.is_map else None
        self.head = nn.Linear(dense if self.dense else features, count([out[:-2] if self.is_map else out]))
        glorot(self)

    def forward(self, *inputs: Tensor) -> Tensor:
        image = torch.cat([value for value, is_image in zip(inputs, self.is_image, strict=True) if is_image], 1)
        others = [value for value, is_image in zip(inputs, self.is_image, strict=True) if not is_image]
        h = self._products(image) if _as_products(image) else self._convolve(image)
        if self.is_map:
            return self.head(_along(h, others)).permute(0, 3, 1, 2).unflatten(1, self.out[:-2])
        h = flatten_all([h, *others])
        h = h if self.dense is None else F.relu(self.dense(h))
        return self.head(h).unflatten(1, self.out)

    def _convolve(self, x: Tensor) -> Tensor:
        for layer, size in zip(self.convolutions, self.sizes[:-1], strict=True):
            x = F.relu(layer(F.pad(x, _padding(size))))
        return x.permute(0, 2, 3, 1)

    def _products(self, x: Tensor) -> Tensor:
        x = x.permute(2, 3, 0, 1)
        for layer, (height, width) in zip(self.convolutions, self.sizes[:-1], strict=True):
            x = F.pad(x, (0, 0, 0, 0, width % 2, 0, height % 2, 0))
            x = strided.downsample(strided.to_blocks(x), layer.weight, layer.bias)
        return x.permute(2, 0, 1, 3)


class _Decoder(nn.Module):
    def __init__(self, inputs: Sequence[Size], out: Size, channels: list[int], dense: int):
        super().__init__()
        self.out, self.sizes = out, halved(out[-2:], len(channels))[::-1]
        self.is_map = [len(size) == 3 for size in inputs]
        self.start = channels[0]
        features = count([size[:1] if len(size) == 3 else size for size in inputs])
        self.dense = nn.Linear(features, self.start * (1 if any(self.is_map) else math.prod(self.sizes[0])))
        widths = [self.start, *reversed(channels)]
        layers = nn.ModuleList(nn.ConvTranspose2d(a, b, 3, stride=2) for a, b in pairwise(widths))
        self.transposed = cast("list[nn.ConvTranspose2d]", layers)
        self.head = nn.ConvTranspose2d(widths[-1], count([out[:-2]]), 3, padding=1)
        glorot(self)

    def forward(self, *inputs: Tensor) -> Tensor:
        h = F.relu(self.dense(self._features(inputs))).view(-1, *self.sizes[0], self.start)
        image = self._products(h) if _as_products(h) else self._convolve(h)
        return image.unflatten(1, self.out[:-2])

    def _features(self, inputs: Sequence[Tensor]) -> Tensor:
        if not any(self.is_map):
            return flatten_all(inputs)
        maps = [value for value, is_map in zip(inputs, self.is_map, strict=True) if is_map]
        others = [value for value, is_map in zip(inputs, self.is_map, strict=True) if not is_map]
        return _along(torch.cat(maps, 1).permute(0, 2, 3, 1), others)

    def _convolve(self, h: Tensor) -> Tensor:
        x = h.permute(0, 3, 1, 2)
        for layer, (height, width) in zip(self.transposed, self.sizes[1:], strict=True):
            x = F.relu(layer(x)[..., :height, :width])
        return self.head(x)

    def _products(self, h: Tensor) -> Tensor:
        x = h.permute(1, 2, 0, 3).contiguous()
        *layers, last = self.transposed
        for layer, (height, width) in zip(layers, self.sizes[1:-1], strict=True):
            blocks = strided.upsample(x, layer.weight, layer.bias)
            x = strided.from_blocks(blocks, layer.out_channels)[:height, :width].contiguous()
        blocks = strided.upsample(x, last.weight, last.bias)
        x = strided.convolve_blocks(blocks, self.sizes[-1], self.head.weight, self.head.bias)
        return x.permute(2, 3, 0, 1)
