"""What a ladder is built from: features that are passed on, and the rungs that use them."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Self

import torch
import torch.nn.functional as F
from torch import Size, Tensor, nn
from torch.distributions import Distribution

from vaekit.core import Conditional, Family, Shapes, apply
from vaekit.networks import Network
from vaekit.posteriors import DiagonalNormal
from vaekit.priors import StandardNormal


class Features(nn.Module):
    """A network from inputs to features of shape ``out``, times one learned number, (..., *size) ↦ (..., *out).

    Where the first input has as many channels, the result is its sum with the network's output, over √2: a path without
    a network from end to end. While ``starting``, the number is set so that the network's outputs for the examples at
    hand have variance 1 (Mishkin and Matas, 2016), which keeps signals alive through any number of networks.
    """

    starting = False

    def __init__(self, network: Network, inputs: Sequence[Size | None], out: Size):
        super().__init__()
        sizes = [size for size in inputs if size is not None]
        first = sizes[0]
        self.out, self.ranks = out, tuple(len(size) for size in sizes)
        self.adds = len(first) == len(out) and first[0] == out[0]
        self.body, self.gain = network.build(sizes, Size([1, *out])), nn.Parameter(torch.ones(()))

    def forward(self, *inputs: Tensor | None) -> Tensor:
        """Leading dimensions broadcast."""
        given = [value for value in inputs if value is not None]
        new = apply(self.body, self.ranks, *given).squeeze(-1 - len(self.out)).float()
        if self.starting:
            self.gain.copy_(new.reshape(-1, *self.out).var(0).mean().clamp(min=1e-8).rsqrt())
        new = self.gain * new
        return 0.5**0.5 * (new + self._resized(given[0])) if self.adds else new

    def _resized(self, value: Tensor) -> Tensor:
        if value.shape[-len(self.out) :] == self.out:
            return value
        flat = value.reshape(-1, *value.shape[-3:])
        return F.interpolate(flat, size=self.out[1:]).view(*value.shape[:-3], *self.out)


class BottomUp(Conditional):
    """The way up: q(z_1|x, c) of the coarsest latents, and on the way to it the features that finer rungs look at."""

    def bind_features(self, x: Size, features: Sequence[Size], c: Size | None, shapes: Shapes) -> Self:
        """From embedded examples x over the given features, coarse to fine."""
        steps = [*features, x]
        self.climbs = nn.ModuleList(Features(self.network, [below], here) for here, below in pairwise(steps))
        return self.bind_inputs([steps[0], c], shapes)

    def climb(self, x: Tensor) -> list[Tensor]:
        """Features of all rungs, coarse to fine, and x (..., *embedded) itself at the end."""
        seen = [x]
        for step in reversed(self.climbs):
            seen.insert(0, step(seen[0]))
        return seen

    def top(self, features: list[Tensor], c: Tensor | None) -> Distribution:
        """q(z_1|x, c) from what :meth:`climb` gave."""
        return super().forward(features[0], c)

    def forward(self, *inputs: Tensor | None) -> Distribution:
        """q(z_1|x, c) of embedded x and c."""
        x, c = inputs
        assert x is not None
        return self.top(self.climb(x), c)


class Rung(nn.Module):
    """One more stochastic layer: features from above, p(z|above) and q(z|x, above).

    The draw u is in units of the prior: z = mean + stddev · u with p(z|above) = N(mean, stddev²), so that u has a
    standard normal prior, the posterior is one of u, relative to the prior (Vahdat and Kautz, 2020), and KL and
    densities are those of z, the two Jacobians being one.
    """

    def __init__(
        self, network: Network, posterior: Family, event: Size, size: Size, above: Sequence[Size], shapes: Shapes
    ):
        super().__init__()
        own, c = replace(shapes, latent=event), shapes.c
        self.standard = StandardNormal().bind(own)
        self.descend = Features(network, [*above, c], size)
        self.prior = Conditional(network, DiagonalNormal()).bind_inputs([size, c], own)
        self.encoder = Conditional(network, copy.deepcopy(posterior)).bind_inputs([size, size, c], own)

    def place(self, u: Tensor, h: Tensor, c: Tensor | None) -> Tensor:
        """z for u (N, *event) under the prior that the features h imply."""
        p = self.prior(h, c)
        return p.loc + p.stddev * u  # pyright: ignore[reportAttributeAccessIssue]
