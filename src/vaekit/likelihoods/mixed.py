"""Likelihood of the rows of a table, each column by its kind."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Self, cast

import torch
from torch import Size, Tensor, nn
from torch.distributions import Distribution

from vaekit.core import Family, Shapes, Support
from vaekit.distributions import Categories, MixedColumns
from vaekit.distributions.columns import pad_logits
from vaekit.noise import Noise

from .gaussian import Gaussian
from .linear import Linear

RARE = 0.02  # share below which a category's logit does not follow the linear model more steeply


class Mixed(Family, Linear):
    """Log p(x|z) = Σ over columns, each under the member for its kind: ``numbers``, and for categories a probability
    for each value.

    A network takes numbers as they are, categories as one-hot vectors, and for each column whether it is hidden.
    Given z the columns are independent.
    """

    def __init__(self, numbers: Family | None = None):
        super().__init__()
        self.numbers = numbers

    def bind(self, shapes: Shapes) -> Self:
        """Phi is (P,), all parameters in a row. Raises ValueError where x is no row of a table."""
        if shapes.columns is None:
            raise ValueError("the mixed likelihood is for the columns of a table: use likelihood 'gaussian'")
        self.event, self.columns = shapes.x, shapes.columns
        groups: dict[bool, list[int]] = {False: [], True: []}
        for position, column in enumerate(shapes.columns):
            groups[column.categories > 0].append(position)
        members: list[Family] = []
        self.order: Tensor
        for is_category, positions in groups.items():
            if not positions:
                continue
            part = [shapes.columns[position] for position in positions]
            member = CategoryColumns() if is_category else copy.deepcopy(self.numbers) or Gaussian()
            members.append(member.bind(_part_of(shapes, part)))
        self.members = nn.ModuleList(members)
        places = [torch.tensor(positions) for positions in groups.values() if positions]
        for number, place in enumerate(places):
            self.register_buffer(f"place{number}", place, persistent=False)
        self.register_buffer("order", torch.cat(places).argsort(), persistent=False)
        self.sizes = [member.phi.numel() for member in members]
        self.phi = Size([sum(self.sizes)])
        self.has_density = all(member.has_density for member in members)
        return self

    def embedded(self, event: Size) -> Size:
        """(E,): what the members make of their columns, and a flag for each column."""
        return Size([sum(member.embedded(member.event).numel() for member in self._members) + event.numel()])

    def embed(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Members' own, then 1 for each hidden column."""
        seen = torch.ones_like(x, dtype=torch.bool) if mask is None else mask
        parts = [
            member.embed(x[..., index], seen[..., index]).flatten(x.dim() - 1)
            for member, index in zip(self._members, self._places, strict=True)
        ]
        return torch.cat([*parts, (~seen).to(x.dtype)], -1)

    def dequantize(self, x: Tensor, samples: int, noise: Noise) -> Tensor:
        """Members' own."""
        parts = [
            member.dequantize(x[..., index], samples, noise)
            for member, index in zip(self._members, self._places, strict=True)
        ]
        lead = max((part.shape[:-1] for part in parts), key=len)
        return torch.cat([part.expand(*lead, part.shape[-1]) for part in parts], -1)[..., self.order]

    def prepare(self, x: Tensor, mask: Tensor | None = None) -> None:
        """Members' own."""
        self._each(lambda member, index: member.prepare(x[..., index], None if mask is None else mask[..., index]))

    def responses(self, x: Tensor) -> Tensor:
        """Members' own, side by side."""
        return torch.cat([member.responses(x[..., index]) for member, index in self._linear()], 1)

    def least(self, y: Tensor) -> Tensor:
        """Members' own."""
        return torch.cat([member.least(y[:, part]) for member, part in self._responding(y)])

    @torch.no_grad()
    def begin(self, weight: Tensor, mean: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
        """Members' own."""
        found = [member.begin(weight[part], mean[part], variance[part]) for member, part in self._responding(weight)]
        weights, biases = zip(*found, strict=True)
        return torch.cat(weights), torch.cat(biases)

    def forward(self, phi: Tensor) -> Distribution:
        """Phi (..., P)."""
        parts = phi.split(self.sizes, -1)
        made = [
            member(part.unflatten(-1, member.phi)) for member, part in zip(self._members, parts, strict=True)
        ]
        return MixedColumns(made, self._places, self.order)

    @property
    def _members(self) -> list[Family]:
        return cast("list[Family]", list(self.members))

    @property
    def _places(self) -> list[Tensor]:
        return [getattr(self, f"place{number}") for number in range(len(self.members))]

    def _linear(self) -> list[tuple[Linear, Tensor]]:
        for member in self._members:
            if not isinstance(member, Linear):
                raise ValueError(f"columns under {type(member).__name__} cannot start at a linear model: leave out start")
        return list(zip(cast("list[Linear]", self._members), self._places, strict=True))

    def _responding(self, like: Tensor) -> list[tuple[Linear, slice]]:
        """Which of the responses are of which member."""
        found, at = [], 0
        for member, index in self._linear():
            size = member.responses(like.new_zeros(1, len(index))).shape[1]
            found.append((member, slice(at, at + size)))
            at += size
        return found

    def _each(self, function: Callable[[Family, Tensor], None]) -> None:
        for member, index in zip(self._members, self._places, strict=True):
            function(member, index)


class CategoryColumns(Family, Linear):
    """Unordered values: a logit for each value of each column."""

    places: Tensor

    def bind(self, shapes: Shapes) -> Self:
        """Phi is (Σ C,). Raises ValueError where columns are not categories."""
        sizes = [column.categories for column in shapes.columns or ()]
        if not sizes or min(sizes) < 1:
            raise ValueError("this likelihood is for columns of categories")
        self.event, self.phi = shapes.x, Size([sum(sizes)])
        places = torch.full((len(sizes), max(sizes)), sum(sizes))
        start = 0
        for row, size in zip(places, sizes, strict=True):
            row[:size] = torch.arange(start, start + size)
            start += size
        self.register_buffer("places", places, persistent=False)
        return self

    def embedded(self, event: Size) -> Size:
        """(Σ C,)."""
        return self.phi

    def embed(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """One-hot; zeros where hidden."""
        seen = torch.ones_like(x, dtype=torch.bool) if mask is None else mask
        at = self.places.expand(*x.shape, -1).gather(-1, torch.where(seen, x, 0).round().long().unsqueeze(-1))
        at = torch.where(seen.unsqueeze(-1), at, self.phi.numel()).squeeze(-1)
        hot = x.new_zeros(*x.shape[:-1], self.phi.numel() + 1)
        return hot.scatter_(-1, at, 1.0)[..., :-1]

    def responses(self, x: Tensor) -> Tensor:
        """One-hot; NaN where hidden."""
        hidden = x.isnan().repeat_interleave((self.places < self.phi.numel()).sum(1), -1)
        return torch.where(hidden, torch.nan, self.embed(x, ~x.isnan()))

    @torch.no_grad()
    def begin(self, weight: Tensor, mean: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
        """Logits log μ + (W / μ) z, whose softmax is μ + W z to first order."""
        share = mean.clamp(min=RARE)
        return weight / share.unsqueeze(1), mean.clamp(min=RARE**2).log()

    def forward(self, phi: Tensor) -> Categories:
        """Phi (..., Σ C)."""
        return Categories(pad_logits(phi, self.places))


def _part_of(shapes: Shapes, columns: list[Support]) -> Shapes:
    """The shapes that a member sees of its columns."""
    return Shapes(
        Size([len(columns)]), shapes.c, shapes.latent, shapes.embedded, shapes.examples, Support.join(columns),
        tuple(columns),
    )  # fmt: skip
