"""Likelihood of the rows of a table, each column by its kind."""

from __future__ import annotations

import copy
from typing import Self, cast

import torch
from torch import Size, Tensor, nn
from torch.distributions import Distribution

from vaekit.core import Family, Shapes, Support, lazy
from vaekit.distributions import MixedColumns
from vaekit.noise import Noise

from .category_columns import CategoryColumns
from .discretized import Discretized
from .kinds import COUNTS, kind_of
from .linear import Linear

FEW = 32  # values that an ordinal column takes at most


class Mixed(Family, Linear):
    """Log p(x|z) = Σ over columns, each under the member for its kind: ``category-columns`` for categories; ``counts``
    for grids with a lower end alone and ``ordinals`` for those of at most 32 values, where they are given; ``numbers``,
    by default ``discretized``, for all others.

    A network takes what the members make of their columns, and for each column whether it is hidden. Given z the
    columns are independent.
    """

    def __init__(self, numbers: Family | None = None, counts: Family | None = None, ordinals: Family | None = None):
        super().__init__()
        self.numbers, self.counts, self.ordinals = numbers, counts, ordinals

    def bind(self, shapes: Shapes) -> Self:
        """Phi is (P,), all parameters in a row. Raises ValueError where x is no row of a table."""
        if shapes.columns is None:
            raise ValueError("the mixed likelihood is for the columns of a table: use likelihood 'gaussian'")
        self.event, self.columns = shapes.x, shapes.columns
        groups: dict[Family, list[int]] = {}
        for position, column in enumerate(shapes.columns):
            groups.setdefault(self._kinds[self._kind(column)], []).append(position)
        members = [
            copy.deepcopy(member).bind(_part_of(shapes, [shapes.columns[position] for position in positions]))
            for member, positions in groups.items()
        ]
        self.members = nn.ModuleList(members)
        self.order: Tensor
        places = [torch.tensor(positions) for positions in groups.values()]
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
        for member, index in zip(self._members, self._places, strict=True):
            member.prepare(x[..., index], None if mask is None else mask[..., index])

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
        made = [member(part.unflatten(-1, member.phi)) for member, part in zip(self._members, parts, strict=True)]
        return MixedColumns(made, self._places, self.order)

    @lazy
    def _kinds(self) -> dict[str, Family]:
        """The member for each kind of columns."""
        numbers = self.numbers or Discretized()
        return {
            "numbers": numbers,
            "counts": self.counts or numbers,
            "ordinals": self.ordinals or numbers,
            "categories": CategoryColumns(),
        }

    def _kind(self, column: Support) -> str:
        if column.categories:
            return "categories"
        if column.levels is not None and column.levels <= FEW:
            return "ordinals"
        return "counts" if kind_of(column) is COUNTS else "numbers"

    @property
    def _members(self) -> list[Family]:
        return cast("list[Family]", list(self.members))

    @property
    def _places(self) -> list[Tensor | slice]:
        if len(self.members) == 1:
            return [slice(None)]
        return [getattr(self, f"place{number}") for number in range(len(self.members))]

    def _linear(self) -> list[tuple[Linear, Tensor | slice]]:
        for member in self._members:
            if not isinstance(member, Linear):
                raise ValueError(f"{type(member).__name__} columns cannot start at a linear model: leave out start")
        return list(zip(cast("list[Linear]", self._members), self._places, strict=True))

    def _responding(self, like: Tensor) -> list[tuple[Linear, slice]]:
        """Which of the responses are of which member."""
        found, at = [], 0
        for member, _ in self._linear():
            size = member.responses(like.new_zeros(1, cast("Family", member).event.numel())).shape[1]
            found.append((member, slice(at, at + size)))
            at += size
        return found


def _part_of(shapes: Shapes, columns: list[Support]) -> Shapes:
    """The shapes that a member sees of its columns."""
    return Shapes(
        Size([len(columns)]), shapes.c, shapes.latent, shapes.embedded, shapes.examples, Support.join(columns),
        tuple(columns),
    )  # fmt: skip
