"""A likelihood that splits an image into four phases, each conditioned on the earlier ones."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Self

import torch
import torch.nn.functional as F
from torch import Size, Tensor, nn
from torch.distributions import Distribution
from torch.types import _size

from vaekit.core import Family, Shapes
from vaekit.distributions.density import NONE, Density
from vaekit.noise import Noise

from .bernoulli import Bernoulli
from .logistic_mixture import LogisticMixture

PHASES = 4
RASTER = (0, 3, 1, 2)  # of each phase, its pixel in a 2×2 block read line by line: the diagonal comes first
WINDOW = 5  # pixels of each earlier phase that a pixel sees, across; twice as many in the image


class FourPhase(Family):
    """p(x|z) = Π p(phase k | earlier phases, z), phase k being one pixel of every 2×2 block of the image.

    The decoder gives ``channels`` feature maps at half the height and width, (channels, 1, ⌈H/2⌉, ⌈W/2⌉), instead of
    parameters: all of the image's full resolution is left to the phases. Phase k turns the features at its block and
    a window of the earlier phases into the parameters of ``inner``, an elementwise likelihood, by a network of its
    own with ``depth`` hidden layers of ``width`` units at each block. Without ``inner`` it is ``bernoulli`` for
    two-valued data and ``logistic-mixture`` for others. Channels of one pixel are independent given the earlier phases
    and z. Neighboring pixels then agree in draws, too, and the latents are left with what is not local (Menick and
    Kalchbrenner, 2019, order whole images so).

    With hidden cells a phase sees zeros in their place: the log-probability of the observed cells is that of a
    normalized distribution, but not the exact marginal of the one without hidden cells.
    """

    def __init__(self, inner: Family | None = None, channels: int = 32, width: int = 32, depth: int = 2):
        super().__init__()
        if min(channels, width, depth) < 1:
            raise ValueError(f"channels, width and depth must be at least 1, got {channels}, {width} and {depth}")
        self.inner, self.channels, self.width, self.depth = inner, channels, width, depth

    def bind(self, shapes: Shapes) -> Self:
        """Phi is (channels, 1, ⌈H/2⌉, ⌈W/2⌉). Raises ValueError unless x is an image and ``inner`` elementwise."""
        if len(shapes.x) != 3:
            raise ValueError(
                f"the four-phase likelihood needs images (channels, height, width), got examples of shape "
                f"{tuple(shapes.x)}: use likelihood 'gaussian', 'bernoulli' or another without phases"
            )
        if self.inner is None:
            self.inner = Bernoulli() if shapes.support.levels == 2 else LogisticMixture()
        inner = self.inner.bind(shapes)
        if inner.phi[1:] != shapes.x:
            raise ValueError(
                "the inner likelihood of 'four-phase' must be elementwise: use likelihood.inner 'bernoulli'"
            )
        self.event, self.has_density = shapes.x, inner.has_density
        channels, height, width = shapes.x
        self.phi = Size([self.channels, 1, (height + 1) // 2, (width + 1) // 2])
        low, high = shapes.support.low, shapes.support.high
        bounded = isinstance(low, float | int) and isinstance(high, float | int) and math.isfinite(high - low)
        self.center, self.scale = ((high + low) / 2, (high - low) / 2) if bounded else (0.0, 1.0)
        self.network = _Phases(self.channels, channels, inner.phi[0] * channels, self.width, self.depth)
        return self

    def embedded(self, event: Size) -> Size:
        """That of ``inner``; asked before ``bind``, those that are chosen for the data embed values as they are."""
        return event if self.inner is None else self.inner.embedded(event)

    def embed(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """That of ``inner``."""
        return self._inner.embed(x, mask)

    def dequantize(self, x: Tensor, samples: int, noise: Noise) -> Tensor:
        """That of ``inner``."""
        return self._inner.dequantize(x, samples, noise)

    def forward(self, phi: Tensor) -> Distribution:
        """Phi (..., channels, 1, ⌈H/2⌉, ⌈W/2⌉)."""
        return _FourPhases(self, phi)

    @property
    def _inner(self) -> Family:
        if self.inner is None:
            raise ValueError("a four-phase likelihood without inner knows it only after bind")
        return self.inner

    def given(self, features: Tensor, x: Tensor, mask: Tensor | None, phase: int | None = None) -> Distribution:
        """The inner distribution of all phases, each given the earlier ones in x; or of one, the parameters elsewhere
        being zero.
        """
        seen = (x - self.center) / self.scale
        seen = seen if mask is None else torch.where(mask, seen, 0)
        lead = torch.broadcast_shapes(features.shape[:-4], seen.shape[:-3])
        features = features.expand(*lead, *self.phi)
        if seen.shape[:-3] != lead[len(lead) + 3 - seen.dim() :]:
            seen = seen.expand(*lead, *self.event)
        blocks = features.reshape(-1, self.channels, math.prod(self.phi[2:])).transpose(1, 2)
        out = self.network(blocks, _windows(seen.reshape(-1, *self.event)), phase).float()
        return self._inner(self._interleave(out, phase).unflatten(0, lead or (1,)).reshape(*lead, *self._inner.phi))

    def _interleave(self, out: Tensor, phase: int | None) -> Tensor:
        """Parameters by phase (4 or 1, N·blocks, P·C) as those of images, (N, P, C, H, W)."""
        (channels, height, width), (h, w) = self.event, self.phi[2:]
        if phase is None:
            out = torch.stack([out[RASTER.index(pixel)] for pixel in range(PHASES)])
        else:
            out = F.pad(out, (0, 0, 0, 0, RASTER[phase], PHASES - 1 - RASTER[phase]))
        maps = out.unflatten(1, (-1, h, w)).permute(1, 4, 0, 2, 3).flatten(1, 2)
        return F.pixel_shuffle(maps, 2)[..., :height, :width].unflatten(1, (-1, channels))


def _windows(image: Tensor) -> Tensor:
    """For each 2×2 block the window of the three earlier phases around it: (N, C, H, W) ↦ (N·blocks, C·3·WINDOW²)."""
    channels, height, width = image.shape[1:]
    pixels = F.pixel_unshuffle(F.pad(image, (0, width % 2, 0, height % 2)), 2).unflatten(1, (channels, PHASES))
    earlier = torch.stack([pixels[:, :, pixel] for pixel in RASTER[:-1]], 2).flatten(1, 2)
    return F.unfold(earlier, WINDOW, padding=WINDOW // 2).transpose(1, 2).flatten(0, 1)


class _Phases(nn.Module):
    """Four networks side by side, each one layer of products for all blocks at once.

    A processor's convolution kernels take several times as long: the window is cut out once, without gradient.
    """

    earlier: Tensor

    def __init__(self, features: int, channels: int, out: int, width: int, depth: int):
        super().__init__()
        columns = channels * (PHASES - 1) * WINDOW**2
        bound = math.sqrt(6 / (features + columns + width))
        self.features = nn.Parameter(torch.empty(features, PHASES, width).uniform_(-bound, bound))
        self.window = nn.Parameter(torch.empty(columns, PHASES, width).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.zeros(PHASES, width))
        sizes = [*[width] * depth, out]
        self.weights = nn.ParameterList(_glorot(a, b) for a, b in pairwise(sizes))
        self.biases = nn.ParameterList(torch.zeros(PHASES, 1, b) for b in sizes[1:])
        earlier = torch.arange(PHASES - 1)[:, None] < torch.arange(PHASES)
        earlier = earlier.float().repeat_interleave(WINDOW**2, 0).repeat(channels, 1).unsqueeze(-1)
        self.register_buffer("earlier", earlier, persistent=False)

    def forward(self, blocks: Tensor, windows: Tensor, phase: int | None) -> Tensor:
        """Blocks (N, h·w, features), windows (M·h·w, columns), N a multiple of M ↦ (4 or 1, N·h·w, out)."""
        cut = slice(None) if phase is None else slice(phase, phase + 1)
        h = torch.addmm(self.bias[cut].flatten(), windows, (self.window * self.earlier)[:, cut].flatten(1))
        rows = blocks.reshape(-1, len(windows), blocks.shape[-1])
        features = self.features[:, cut].flatten(1)
        if len(rows) == 1:
            h = torch.addmm(h, rows[0], features)
        else:
            h = torch.baddbmm(h.expand(len(rows), *h.shape), rows, features.expand(len(rows), *features.shape))
        h = h.relu_().view(blocks.shape[0] * blocks.shape[1], -1, self.bias.shape[-1]).transpose(0, 1)
        *hidden, last = zip(self.weights, self.biases, strict=True)
        for weight, bias in hidden:
            h = torch.baddbmm(bias[cut], h, weight[cut]).relu_()
        return torch.baddbmm(last[1][cut], h, last[0][cut])


def _glorot(inputs: int, outputs: int) -> Tensor:
    bound = math.sqrt(6 / (inputs + outputs))
    return torch.empty(PHASES, inputs, outputs).uniform_(-bound, bound)


class _FourPhases(Density):
    """Elementwise over the image, each element given the earlier phases."""

    takes_mask = True

    def __init__(self, family: FourPhase, features: Tensor):
        super().__init__(Size([*features.shape[:-4], *family.event]))
        self.family, self.features = family, features

    @property
    def filler(self) -> float:
        """A value inside the support, for hidden cells."""
        inner = self.family.inner
        return 0.0 if inner is None else getattr(inner(self.features.new_zeros(inner.phi)), "filler", 0.0)

    def log_prob(self, value: Tensor, mask: Tensor | None = None) -> Tensor:
        """Log-probability of each element given the observed ones of earlier phases, all at once."""
        return self.family.given(self.features, value, mask).log_prob(value)

    def sample(self, sample_shape: _size = NONE) -> Tensor:
        """A draw, phase by phase."""
        return self._in_order(sample_shape, lambda p: p.sample())

    @property
    def mean(self) -> Tensor:
        """Approximate: the mean of each phase with the earlier phases at their means."""
        return self._in_order(NONE, lambda p: p.mean)

    @torch.no_grad()
    def _in_order(self, sample_shape: _size, choose: Callable[[Distribution], Tensor]) -> Tensor:
        features = self.features.expand(*sample_shape, *self.features.shape)
        x = features.new_full((*sample_shape, *self.batch_shape), self.family.center)
        for phase, pixel in enumerate(RASTER):
            row, column = divmod(pixel, 2)
            values = choose(self.family.given(features, x, None, phase))
            x[..., row::2, column::2] = values[..., row::2, column::2]
        return x
