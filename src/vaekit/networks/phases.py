"""Networks that turn an image into parameters of its own pixels, phase by phase."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .base import glorot

ORDER = (0, 3, 1, 2)  # of the pixels in a 2×2 block, which are counted line by line: the diagonal comes first
WINDOW = 5  # pixels of each earlier phase that a pixel sees, across; twice as many in the image
Place = tuple[slice, slice]


class Phases(nn.ModuleList):
    """Parameters of each pixel from features at its 2×2 block and windows of the earlier phases around it.

    Phase k is one pixel of every block and has a network of its own with ``depth`` hidden layers of ``width`` units.
    With more than one of ``levels`` the first phase, an image half as large, is itself split into phases, which see the
    features of four blocks. Features are (K, N, F, ⌈H/2⌉, ⌈W/2⌉), the images (N, C, H, W), the same for all K.
    """

    def __init__(self, features: int, image: tuple[int, int, int], out: int, width: int, depth: int, levels: int = 1):
        channels, self.height, self.width = image
        self.order = [pixel for pixel in ORDER if pixel // 2 < self.height and pixel % 2 < self.width]
        half = (channels, (self.height + 1) // 2, (self.width + 1) // 2)
        window = channels * WINDOW**2
        networks: list[nn.Module] = [_Phase(features, k * window, out, width, depth) for k in range(len(self.order))]
        if levels > 1 and max(half[1:]) > 1:
            networks[0] = Phases(4 * features, half, out, width, depth, levels - 1)
        super().__init__(networks)

    def forward(self, features: Tensor, images: Tensor) -> Tensor:
        """(K, N, out, H, W), each pixel given the earlier phases."""
        maps = dict(zip(self.order, self._phases(features, images), strict=True))
        zeros = torch.zeros_like(maps[0])
        each = torch.stack([maps.get(pixel, zeros) for pixel in sorted(ORDER)], 3).flatten(2, 3)
        return F.pixel_shuffle(each, 2)[..., : self.height, : self.width]

    def steps(self, features: Tensor, images: Tensor) -> Iterator[tuple[Place, Tensor]]:
        """Where each phase is, and its parameters (K, N, out, h, w) given what the images hold by then."""
        for number, (pixel, network) in enumerate(zip(self.order, self, strict=True)):
            row, column = divmod(pixel, 2)
            if isinstance(network, Phases):
                for place, maps in network.steps(_blocks(features), images[..., ::2, ::2]):
                    rows, columns = (slice(2 * at.start, None, 2 * at.step) for at in place)
                    yield (rows, columns), maps
            else:
                maps = _phase(cast(_Phase, network), features, _windows(images, self.order[:number]))
                place = slice(row, None, 2), slice(column, None, 2)
                yield place, maps[..., : (self.height - row + 1) // 2, : (self.width - column + 1) // 2]

    def _phases(self, features: Tensor, images: Tensor) -> Iterator[Tensor]:
        windows = _windows(images, self.order[:-1])
        for network in self:
            if isinstance(network, Phases):
                yield network(_blocks(features), images[..., ::2, ::2])
            else:
                yield _phase(cast(_Phase, network), features, windows)


class _Phase(nn.Module):
    """Features at a block and windows of the earlier phases ↦ parameters of one phase.

    A window is cut out once for all phases, and without gradient: products with it take a processor a fraction of the
    time of convolutions.
    """

    def __init__(self, features: int, window: int, out: int, width: int, depth: int):
        super().__init__()
        self.window = nn.Linear(window, width, bias=False) if window else None
        self.features = nn.Linear(features, width)
        self.hidden = nn.ModuleList(nn.Linear(width, width) for _ in range(depth - 1))
        self.out = nn.Linear(width, out)
        glorot(self)

    def forward(self, blocks: Tensor, windows: Tensor) -> Tensor:
        """Blocks (K, N·h·w, features), windows (N·h·w, columns), of which the first count ↦ (K, N·h·w, out)."""
        h = self.features(blocks)
        if self.window is not None:
            h = h + self.window(windows[:, : self.window.in_features])
        for layer in self.hidden:
            h = layer(h.relu_())
        return self.out(h.relu_())


def _phase(network: _Phase, features: Tensor, windows: Tensor) -> Tensor:
    """(K, N, F, h, w) ↦ (K, N, out, h, w)."""
    out = network(features.flatten(3).mT.flatten(1, 2), windows).float()
    return out.unflatten(1, (features.shape[1], -1)).mT.unflatten(-1, features.shape[3:])


def _windows(images: Tensor, pixels: list[int]) -> Tensor:
    """For each 2×2 block the windows around it of the given pixels of blocks: (N, C, H, W) ↦ (N·blocks, columns), the
    columns of a pixel side by side.
    """
    blocks = _blocks(images).unflatten(1, (images.shape[1], -1))
    maps = torch.cat([blocks[:, :, pixel] for pixel in pixels or ORDER[:1]], 1)
    return F.unfold(maps, WINDOW, padding=WINDOW // 2).transpose(1, 2).flatten(0, 1)


def _blocks(maps: Tensor) -> Tensor:
    """(..., C, H, W) ↦ (..., 4·C, ⌈H/2⌉, ⌈W/2⌉): the pixels of each 2×2 block side by side."""
    height, width = maps.shape[-2:]
    return F.pixel_unshuffle(F.pad(maps, (0, width % 2, 0, height % 2)), 2)
