"""Likelihood of the rows of a table, each column by its kind."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Self, cast

import torch
from torch import Size, Tensor, nn
from torch.distributions import Distribution

from vaekit.core import Family, Shapes, Support, lazy
from vaekit.distributions import MixedColumns
from vaekit.distributions.columns import divided, joined
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
        self.places: Tensor
        self.order: Tensor
        places = torch.tensor([position for positions in groups.values() for position in positions])
        self.register_buffer("places", places, persistent=False)
        self.register_buffer("order", places.argsort(), persistent=False)
        self.widths = [len(positions) for positions in groups.values()]
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
        each = zip(self._members, self._divided(x), self._divided(seen), strict=True)
        parts = [member.embed(values, known).flatten(x.dim() - 1) for member, values, known in each]
        return torch.cat([*parts, (~seen).to(x.dtype)], -1)

    def dequantize(self, x: Tensor, samples: int, noise: Noise) -> Tensor:
        """Members' own."""
        pairs = zip(self._members, self._divided(x), strict=True)
        parts = [member.dequantize(values, samples, noise) for member, values in pairs]
        lead = max((part.shape[:-1] for part in parts), key=len)
        return joined([part.expand(*lead, part.shape[-1]) for part in parts], self.order)

    def prepare(self, x: Tensor, mask: Tensor | None = None) -> None:
        """Members' own."""
        seen = [None] * len(self._members) if mask is None else self._divided(mask)
        for member, values, known in zip(self._members, self._divided(x), seen, strict=True):
            member.prepare(values, known)

    def responses(self, x: Tensor) -> Tensor:
        """Members' own, side by side."""
        pairs = zip(self._linear(), self._divided(x), strict=True)
        return torch.cat([member.responses(values) for member, values in pairs], 1)

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
        return MixedColumns(made, self.places, self.order)

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

    def _divided(self, x: Tensor) -> Sequence[Tensor]:
        """The columns (..., D) of each member."""
        return divided(x, self.places, self.widths)

    def _linear(self) -> list[Linear]:
        for member in self._members:
            if not isinstance(member, Linear):
                raise ValueError(f"{type(member).__name__} columns cannot start at a linear model: leave out start")
        return cast("list[Linear]", self._members)

    def _responding(self, like: Tensor) -> list[tuple[Linear, slice]]:
        """Which of the responses are of which member."""
        found, at = [], 0
        for member in self._linear():
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
