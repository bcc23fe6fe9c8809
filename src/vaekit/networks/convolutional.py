"""Convolutional encoders and decoders for images of any height, width and channel count."""

from collections.abc import Sequence
from itertools import pairwise
from typing import cast

import torch
import torch.nn.functional as F
from torch import Size, Tensor, nn

from . import strided
from .base import Network, count, flatten_all, glorot


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
        """An encoder if an input is an image (C, H, W), a decoder if the output (P, C, H, W) is."""
        images = [size for size in inputs if len(size) == 3]
        if images and len(out) < 4:
            return _Encoder(inputs, out, self.channels, self.dense)
        if len(out) == 4 and not images:
            return _Decoder(inputs, out, self.channels)
        raise ValueError(
            f"a convolutional network maps an image (C, H, W) to a vector or a vector to an image; "
            f"got {[tuple(size) for size in inputs]} to {tuple(out)}: use network 'mlp' for data that are not images"
        )


def _halved(size: Sequence[int], times: int) -> list[tuple[int, int]]:
    height, width = size
    sizes = [(height, width)]
    for _ in range(times):
        height, width = (height + 1) // 2, (width + 1) // 2
        sizes.append((height, width))
    return sizes


def _padding(size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Left, right, top, bottom of Keras's "same" padding for kernel 3 and stride 2."""
    return size[1] % 2, 1, size[0] % 2, 1


def _as_products(x: Tensor) -> bool:
    return x.device.type == "cpu" and not torch.compiler.is_compiling() and not torch.onnx.is_in_onnx_export()


class _Encoder(nn.Module):
    def __init__(self, inputs: Sequence[Size], out: Size, channels: list[int], dense: int):
        super().__init__()
        self.is_image = [len(size) == 3 for size in inputs]
        images = [size for size in inputs if len(size) == 3]
        if any(size[1:] != images[0][1:] for size in images):
            raise ValueError(f"all images must have one size, got {[tuple(size[1:]) for size in images]}")
        self.sizes, self.out = _halved(images[0][1:], len(channels)), out
        widths = [sum(size[0] for size in images), *channels]
        layers = nn.ModuleList(nn.Conv2d(a, b, 3, stride=2) for a, b in pairwise(widths))
        self.convolutions = cast("list[nn.Conv2d]", layers)
        features = channels[-1] * self.sizes[-1][0] * self.sizes[-1][1]
        features += count([size for size in inputs if len(size) != 3])
        self.dense = nn.Linear(features, dense) if dense else None
        self.head = nn.Linear(dense or features, count([out]))
        glorot(self)

    def forward(self, *inputs: Tensor) -> Tensor:
        image = torch.cat([value for value, is_image in zip(inputs, self.is_image, strict=True) if is_image], 1)
        h = self._products(image) if _as_products(image) else self._convolve(image)
        h = flatten_all([h, *(value for value, is_image in zip(inputs, self.is_image, strict=True) if not is_image)])
        h = h if self.dense is None else F.relu(self.dense(h))
        return self.head(h).unflatten(1, self.out)

    def _convolve(self, x: Tensor) -> Tensor:
        for layer, size in zip(self.convolutions, self.sizes[:-1], strict=True):
            x = F.relu(layer(F.pad(x, _padding(size))))
        return x.permute(0, 2, 3, 1).flatten(1)

    def _products(self, x: Tensor) -> Tensor:
        x = x.permute(2, 3, 0, 1)
        for layer, (height, width) in zip(self.convolutions, self.sizes[:-1], strict=True):
            x = F.pad(x, (0, 0, 0, 0, width % 2, 0, height % 2, 0))
            x = strided.downsample(strided.to_blocks(x), layer.weight, layer.bias)
        return x.permute(2, 0, 1, 3).flatten(1)


class _Decoder(nn.Module):
    def __init__(self, inputs: Sequence[Size], out: Size, channels: list[int]):
        super().__init__()
        self.out, self.sizes = out, _halved(out[-2:], len(channels))[::-1]
        self.start = channels[0]
        height, width = self.sizes[0]
        self.dense = nn.Linear(count(inputs), height * width * self.start)
        widths = [self.start, *reversed(channels)]
        layers = nn.ModuleList(nn.ConvTranspose2d(a, b, 3, stride=2) for a, b in pairwise(widths))
        self.transposed = cast("list[nn.ConvTranspose2d]", layers)
        self.head = nn.ConvTranspose2d(widths[-1], count([out[:-2]]), 3, padding=1)
        glorot(self)

    def forward(self, *inputs: Tensor) -> Tensor:
        h = F.relu(self.dense(flatten_all(inputs))).view(-1, *self.sizes[0], self.start)
        image = self._products(h) if _as_products(h) else self._convolve(h)
        return image.unflatten(1, self.out[:-2])

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
