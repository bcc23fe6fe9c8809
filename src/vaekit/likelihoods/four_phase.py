"""A likelihood that splits an image into four phases, each conditioned on the earlier ones."""

from __future__ import annotations

import math
from typing import Self

import torch
from torch import Size, Tensor
from torch.distributions import Distribution, constraints
from torch.types import _size

from vaekit.core import Family, Shapes
from vaekit.distributions.density import NONE, Density, Steps, in_steps
from vaekit.networks.phases import Phases
from vaekit.noise import Noise

from .bernoulli import Bernoulli
from .gaussian import Gaussian
from .logistic_mixture import LogisticMixture


class FourPhase(Family):
    """p(x|z) = Π p(phase k | earlier phases, z): phase k is one pixel of every 2×2 block of an image.

    In place of parameters the decoder gives ``channels`` feature maps at half the height and width, (channels, 1,
    ⌈H/2⌉, ⌈W/2⌉), so that it never works at full resolution. Phase k turns the features at a block, and windows of the
    earlier phases around it, into parameters of ``inner``, by a network of its own with ``depth`` hidden layers of
    ``width`` units. ``inner`` is an elementwise likelihood; left out, it is ``bernoulli`` for two-valued data,
    ``logistic-mixture`` for other grids and ``gaussian`` for continuous values. Given z and the earlier phases, all
    elements of a phase are independent, channels included. Draws then agree between neighbors, and z is left with what
    is not local; whole images are ordered so by Menick and Kalchbrenner (2019, subscale pixel networks).

    With more than one of ``levels`` the first phase, an image half as large, is itself split into four, and so on. On
    a grid the networks see logits of the values beside the values: how far the ends are, in steps, is plain there.

    ``log_prob`` takes one pass, a draw and the mean one for each phase. With hidden cells a phase sees the middle of
    the range in their place: what the observed cells get is the log-probability of a normalized distribution, but not
    their exact marginal under the one for whole images.
    """

    def __init__(
        self, inner: Family | None = None, channels: int = 32, width: int = 32, depth: int = 2, levels: int = 1
    ):
        super().__init__()
        if min(channels, width, depth, levels) < 1:
            raise ValueError(
                f"channels, width, depth and levels must be at least 1, got {channels}, {width}, {depth} and {levels}"
            )
        self.inner, self.channels, self.width, self.depth, self.levels = inner, channels, width, depth, levels

    def bind(self, shapes: Shapes) -> Self:
        """Phi is (channels, 1, ⌈H/2⌉, ⌈W/2⌉). Raises ValueError unless x is an image and ``inner`` elementwise."""
        if len(shapes.x) != 3:
            raise ValueError(
                f"the four-phase likelihood needs images (channels, height, width), got examples of shape "
                f"{tuple(shapes.x)}: use likelihood 'gaussian', 'bernoulli' or another without phases"
            )
        if self.inner is None:
            levels = shapes.support.levels
            self.inner = Bernoulli() if levels == 2 else LogisticMixture() if levels else Gaussian("shared")
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
        levels = shapes.support.levels
        self.end = 1 + 1 / (levels - 1) if levels and levels > 2 and inner.embedded(shapes.x) == shapes.x else None
        image = ((1 if self.end is None else 2) * channels, height, width)
        out = channels * inner.phi[0]
        self.networks = Phases(self.channels, image, out, self.width, self.depth, self.levels)
        return self

    def embedded(self, event: Size) -> Size:
        """That of ``inner``, or that of both views."""
        return self.bound.embedded(event) if self.end is None else Size([2 * event[0], *event[1:]])

    def embed(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """That of ``inner``; on a grid the values and their logits."""
        return self.bound.embed(x, mask) if self.end is None else self.views(x, mask)

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
        seen = self.views(x, mask)
        lead = torch.broadcast_shapes(features.shape[:-4], seen.shape[:-3])
        if seen.shape[:-3] != lead[len(lead) + 3 - seen.dim() :]:
            seen = seen.expand(*lead, *seen.shape[-3:])
        maps = self.networks(*self.inputs(features.expand(*lead, *self.phi), seen))
        return self.bound(maps.reshape(*lead, *self.bound.phi))

    def inputs(self, features: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
        """What the networks of the phases take: (..., *phi) ↦ (K, N, channels, h, w); (..., V, H, W) ↦ (N, V, H, W)."""
        seen = seen.flatten(0, -4) if seen.dim() > 3 else seen.unsqueeze(0)
        return features.reshape(-1, len(seen), self.channels, *self.phi[2:]), seen

    def views(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Values as the networks see them, between -1 and 1, hidden ones as 0; of a grid their logits too."""
        seen = (x - self.center) / self.scale
        if self.end is not None:
            inside = seen.clamp(-1, 1)  # draws of a density may lie beyond the ends
            logits = torch.log((self.end + inside) / (self.end - inside)) / math.log((self.end + 1) / (self.end - 1))
            seen = torch.cat([seen, logits], -3)
            mask = None if mask is None else torch.cat([mask, mask], -3)
        return seen if mask is None else torch.where(mask, seen, 0)


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
        family, x = self.family, self.features.new_full(self.batch_shape, self.family.center)
        seen = family.views(x)
        for place, maps in family.networks.steps(*family.inputs(self.features, seen)):
            part = ..., *place
            x[part] = yield part, family.bound(maps.reshape(*x[part].shape[:-3], -1, *x[part].shape[-3:]))
            seen[part] = family.views(x[part], None if mask is None else mask[part])
        return x
