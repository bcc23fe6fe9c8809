"""A likelihood that splits an image into four phases, each conditioned on the earlier ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Self

import torch
import torch.nn.functional as F
from torch import Size, Tensor, nn
from torch.distributions import Distribution, constraints
from torch.types import _size

from vaekit.core import Family, Shapes
from vaekit.distributions.density import NONE, Density, Steps, in_steps
from vaekit.networks.base import glorot
from vaekit.noise import Noise

from .bernoulli import Bernoulli
from .gaussian import Gaussian
from .logistic_mixture import LogisticMixture

ORDER = (0, 3, 1, 2)  # of the pixels in a 2×2 block, which are counted line by line: the diagonal comes first
WINDOW = 5  # pixels of each earlier phase that a pixel sees, across; twice as many in the image


class FourPhase(Family):
    """p(x|z) = Π p(phase k | earlier phases, z): phase k is one pixel of every 2×2 block of an image.

    In place of parameters the decoder gives ``channels`` feature maps at half the height and width, (channels, 1,
    ⌈H/2⌉, ⌈W/2⌉), so that it never works at full resolution. Phase k turns the features at a block, and windows of the
    earlier phases around it, into parameters of ``inner``, by a network of its own with ``depth`` hidden layers of
    ``width`` units. ``inner`` is an elementwise likelihood; left out, it is ``bernoulli`` for two-valued data,
    ``logistic-mixture`` for other grids and ``gaussian`` for continuous values. Given z and the earlier phases, all
    elements of a phase are independent, channels included. Draws then agree between neighbors, and z is left with what
    is not local; whole images are ordered so by Menick and Kalchbrenner (2019, subscale pixel networks).

    ``log_prob`` takes one pass, a draw and the mean four. With hidden cells a phase sees the middle of the range in
    their place: what the observed cells get is the log-probability of a normalized distribution, but not their exact
    marginal under the one for whole images.
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
            levels = shapes.support.levels
            self.inner = Bernoulli() if levels == 2 else LogisticMixture() if levels else Gaussian()
        inner = self.inner.bind(shapes)
        if inner.phi[1:] != shapes.x:
            raise ValueError(
                "the inner likelihood of 'four-phase' must be elementwise: use likelihood.inner 'bernoulli'"
            )
        if any(tensor.dim() > 1 for tensor in inner.state_dict().values()):
            raise ValueError(
                "the inner likelihood of 'four-phase' must be the same for all elements: use another noise for it, "
                "such as likelihood.inner.noise 'shared' or 'output'"
            )
        self.event, self.has_density = shapes.x, inner.has_density
        channels, height, width = shapes.x
        self.phi = Size([self.channels, 1, (height + 1) // 2, (width + 1) // 2])
        low, high = shapes.support.low, shapes.support.high
        if isinstance(low, tuple) or isinstance(high, tuple) or not math.isfinite(high - low):
            low, high = -1.0, 1.0
        self.center, self.scale = (high + low) / 2, (high - low) / 2
        self.phases = [pixel for pixel in ORDER if pixel // 2 < height and pixel % 2 < width]
        window, out = channels * WINDOW**2, channels * inner.phi[0]
        self.networks = nn.ModuleList(
            _Phase(self.channels, k * window, out, self.width, self.depth) for k in range(len(self.phases))
        )
        return self

    def embedded(self, event: Size) -> Size:
        """That of ``inner``."""
        return self.bound.embedded(event)

    def embed(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """That of ``inner``."""
        return self.bound.embed(x, mask)

    def dequantize(self, x: Tensor, samples: int, noise: Noise) -> Tensor:
        """That of ``inner``."""
        return self.bound.dequantize(x, samples, noise)

    def prepare(self, x: Tensor, mask: Tensor | None = None) -> None:
        """That of ``inner``."""
        self.bound.prepare(x, mask)

    def stats(self, p: Distribution, x: Tensor, mask: Tensor | None = None) -> dict[str, Tensor]:
        """Those of ``inner``, from the distributions whose log-probability was last taken."""
        scored = p.scored if isinstance(p, _FourPhases) else None
        return {} if scored is None else self.bound.stats(scored, x, mask)

    def update(self, stats: dict[str, Tensor]) -> None:
        """That of ``inner``."""
        self.bound.update(stats)

    def forward(self, phi: Tensor) -> Distribution:
        """Phi (..., channels, 1, ⌈H/2⌉, ⌈W/2⌉)."""
        return _FourPhases(self, phi)

    @property
    def bound(self) -> Family:
        """``inner``, or what stands in for it. Raises ValueError before ``bind``."""
        if self.inner is None:
            raise ValueError("a four-phase likelihood without inner chooses it when bound to data: call bind first")
        return self.inner

    def given(self, features: Tensor, x: Tensor, mask: Tensor | None) -> Distribution:
        """The inner distribution of all elements, each given the earlier phases in x."""
        lead, blocks, windows = self._seen(features, x, mask)
        out = {pixel: self.networks[k](blocks, windows).float() for k, pixel in enumerate(self.phases)}
        zeros = torch.zeros_like(next(iter(out.values())))
        maps = torch.stack([out.get(pixel, zeros) for pixel in sorted(ORDER)], -1).flatten(-2)
        (channels, height, width), (h, w) = self.event, self.phi[2:]
        maps = F.pixel_shuffle(maps.reshape(-1, h * w, maps.shape[-1]).mT.unflatten(-1, (h, w)), 2)
        maps = maps[..., :height, :width].unflatten(1, (-1, channels))
        return self.bound(maps.reshape(*lead, *self.bound.phi))

    def phase(self, features: Tensor, x: Tensor, mask: Tensor | None, number: int) -> Distribution:
        """The inner distribution of one phase, (..., C, h, w), given the earlier ones in x."""
        lead, blocks, windows = self._seen(features, x, mask)
        maps = self.networks[number](blocks, windows).float()
        (channels, height, width), (h, w) = self.event, self.phi[2:]
        row, column = divmod(self.phases[number], 2)
        maps = maps.reshape(-1, h * w, maps.shape[-1]).mT.unflatten(-1, (h, w))
        maps = maps[..., : (height - row + 1) // 2, : (width - column + 1) // 2].unflatten(1, (-1, channels))
        return self.bound(maps.reshape(*lead, *maps.shape[1:]))

    def _seen(self, features: Tensor, x: Tensor, mask: Tensor | None) -> tuple[Size, Tensor, Tensor]:
        """Leading dimensions, and what the networks of the phases take."""
        seen = (x - self.center) / self.scale
        seen = seen if mask is None else torch.where(mask, seen, 0)
        lead = torch.broadcast_shapes(features.shape[:-4], seen.shape[:-3])
        features = features.expand(*lead, *self.phi)
        if seen.shape[:-3] != lead[len(lead) + 3 - seen.dim() :]:
            seen = seen.expand(*lead, *self.event)
        windows = _windows(seen.reshape(-1, *self.event), self.phases[:-1])
        blocks = features.reshape(-1, self.channels, math.prod(self.phi[2:])).mT
        return lead, blocks.reshape(-1, len(windows), self.channels), windows


def _windows(image: Tensor, pixels: Sequence[int]) -> Tensor:
    """For each 2×2 block the windows around it of the given pixels of blocks: (N, C, H, W) ↦ (N·blocks, columns), the
    columns of a pixel side by side.
    """
    channels, height, width = image.shape[1:]
    blocks = F.pixel_unshuffle(F.pad(image, (0, width % 2, 0, height % 2)), 2).unflatten(1, (channels, -1))
    maps = torch.cat([blocks[:, :, pixel] for pixel in pixels or ORDER[:1]], 1)
    return F.unfold(maps, WINDOW, padding=WINDOW // 2).transpose(1, 2).flatten(0, 1)


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


class _FourPhases(Density):
    """Elementwise over the image, each element given the earlier phases."""

    takes_mask = True

    def __init__(self, family: FourPhase, features: Tensor):
        super().__init__(Size([*features.shape[:-4], *family.event]))
        self.family, self.features = family, features
        self.scored: Distribution | None = None

    @property
    def filler(self) -> float | Tensor:
        """That of the inner distribution."""
        return getattr(self._plain, "filler", 0.0)

    @property
    def support(self) -> constraints.Constraint | None:
        """That of the inner distribution."""
        return self._plain.support

    @property
    def _plain(self) -> Distribution:
        inner = self.family.bound
        return inner(self.features.new_zeros(inner.phi))

    def log_prob(self, value: Tensor, mask: Tensor | None = None) -> Tensor:
        """Log-probability of each element given the observed ones of earlier phases, all at once."""
        self.scored = self.family.given(self.features, value, mask)
        return self.scored.log_prob(value)

    def sample(self, sample_shape: _size = NONE) -> Tensor:
        """A draw, phase by phase."""
        features = self.features.expand(*sample_shape, *self.features.shape)
        return in_steps(_FourPhases(self.family, features), lambda _, p: p.sample())

    @property
    def mean(self) -> Tensor:
        """Approximate: the mean of each phase with the earlier phases at their means."""
        return in_steps(self, lambda _, p: p.mean)

    def steps(self, mask: Tensor | None = None) -> Steps:
        """Phase by phase."""
        x = self.features.new_full(self.batch_shape, self.family.center)
        for number, pixel in enumerate(self.family.phases):
            row, column = divmod(pixel, 2)
            part = ..., slice(row, None, 2), slice(column, None, 2)
            x[part] = yield part, self.family.phase(self.features, x, mask, number)
        return x
