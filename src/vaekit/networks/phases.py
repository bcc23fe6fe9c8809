"""Networks that turn an image into parameters of its own pixels, phase by phase."""

from __future__ import annotations

from collections.abc import Iterator

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
        blocks, windows = _rows(features), self._windows(images)
        for number in range(len(self) - 1):
            self._see(windows, images, number)
        maps = {}
        for pixel, network in zip(self.order, self, strict=True):
            if isinstance(network, Phases):
                maps[pixel] = network(_blocks(features), images[..., ::2, ::2])
            else:
                maps[pixel] = _maps(network(blocks, windows), features)
        zeros = torch.zeros_like(maps[0])
        each = torch.stack([maps.get(pixel, zeros) for pixel in sorted(ORDER)], 3).flatten(2, 3)
        return F.pixel_shuffle(each, 2)[..., : self.height, : self.width]

    def steps(self, features: Tensor, images: Tensor) -> Iterator[tuple[Place, Tensor]]:
        """Where each phase is, and its parameters (K, N, out, h, w) given what the images hold by then."""
        blocks, windows = _rows(features), self._windows(images)
        for number, (pixel, network) in enumerate(zip(self.order, self, strict=True)):
            row, column = divmod(pixel, 2)
            if number:
                self._see(windows, images, number - 1)
            if isinstance(network, Phases):
                for place, maps in network.steps(_blocks(features), images[..., ::2, ::2]):
                    rows, columns = (slice(2 * at.start, None, 2 * at.step) for at in place)
                    yield (rows, columns), maps
            else:
                maps = _maps(network(blocks, windows), features).contiguous()  # each parameter in a row
                place = slice(row, None, 2), slice(column, None, 2)
                yield place, maps[..., : (self.height - row + 1) // 2, : (self.width - column + 1) // 2]

    def _windows(self, images: Tensor) -> Tensor:
        """(N, h, w, phases, C·columns), to be filled in."""
        half = (self.height + 1) // 2, (self.width + 1) // 2
        return images.new_empty(len(images), *half, len(self) - 1, images.shape[1] * WINDOW**2)

    def _see(self, windows: Tensor, images: Tensor, number: int) -> None:
        """Fill in the windows of one phase, around every block."""
        row, column = divmod(self.order[number], 2)
        phase, margin, (h, w) = images[..., row::2, column::2], WINDOW // 2, windows.shape[1:3]
        short = h - phase.shape[2], w - phase.shape[3]
        padded = F.pad(phase, (margin, margin + short[1], margin, margin + short[0])).movedim(1, -1).contiguous()
        around = padded.unfold(1, WINDOW, 1).unfold(2, WINDOW, 1).movedim(3, -1)  # (N, h, w, rows, columns, C)
        windows[:, :, :, number].unflatten(-1, around.shape[3:]).copy_(around)


class _Phase(nn.Module):
    """Features at a block and windows of the earlier phases ↦ parameters of one phase.

    A window is cut out once for all phases: products with it take a processor a fraction of the time of convolutions.
    """

    def __init__(self, features: int, window: int, out: int, width: int, depth: int):
        super().__init__()
        self.window = nn.Linear(window, width, bias=False) if window else None
        self.features = nn.Linear(features, width)
        self.hidden = nn.ModuleList(nn.Linear(width, width) for _ in range(depth - 1))
        self.out = nn.Linear(width, out)
        glorot(self)

    def forward(self, blocks: Tensor, windows: Tensor) -> Tensor:
        """Blocks (K, N·h·w, F), windows (N, h, w, phases, columns), of which the first count ↦ (K, N·h·w, out)."""
        h = self.features(blocks)
        if self.window is not None:
            h = h + self.window(windows.flatten(3).flatten(0, 2)[:, : self.window.in_features])
        for layer in self.hidden:
            h = layer(h.relu_())
        return self.out(h.relu_())


def _rows(features: Tensor) -> Tensor:
    """(K, N, F, h, w) ↦ (K, N·h·w, F)."""
    return features.movedim(2, -1).flatten(1, 3)


def _maps(out: Tensor, features: Tensor) -> Tensor:
    """(K, N·h·w, out) ↦ (K, N, out, h, w)."""
    return out.float().unflatten(1, (features.shape[1], *features.shape[3:])).movedim(-1, 2)


def _blocks(maps: Tensor) -> Tensor:
    """(..., C, H, W) ↦ (..., 4·C, ⌈H/2⌉, ⌈W/2⌉): the pixels of each 2×2 block side by side."""
    height, width = maps.shape[-2:]
    return F.pixel_unshuffle(F.pad(maps, (0, width % 2, 0, height % 2)), 2)
