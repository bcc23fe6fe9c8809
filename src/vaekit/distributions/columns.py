"""Distributions of the columns of a table, side by side."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Size, Tensor
from torch.distributions import Distribution
from torch.types import _size

from .density import NONE, Density, Steps


class Columns(Density, ABC):
    """A distribution of columns that are independent and differ in the values that they take."""

    @abstractmethod
    def at(self, columns: slice) -> Distribution:
        """That of some of the columns."""

    def steps(self, mask: Tensor | None = None) -> Steps:
        """Column by column."""
        found = []
        for column in range(self.batch_shape[-1]):
            columns = slice(column, column + 1)
            found.append((yield (..., columns), self.at(columns)))
        return torch.cat(found, -1)


class Categories(Columns):
    """Values low + step · k with k = 0, …, Cⱼ - 1 in each column j: logits (..., D, C), -∞ beyond the column's own Cⱼ.

    Those of columns that are not ``ordered`` have no mean.
    """

    def __init__(
        self, logits: Tensor, low: Tensor | float = 0.0, step: Tensor | float = 1.0, ordered: Tensor | None = None
    ):
        super().__init__(logits.shape[:-1])
        self.log_mass = logits.log_softmax(-1)
        self.low, self.step, self.ordered, self.filler = low, step, ordered, low

    @property
    def mean(self) -> Tensor:
        """The expectation where values are ordered, else the likeliest."""
        likeliest = self.log_mass.argmax(-1).to(self.log_mass.dtype)
        if self.ordered is None:
            return self._values(likeliest)
        numbers = torch.arange(self.log_mass.shape[-1], device=self.log_mass.device, dtype=self.log_mass.dtype)
        return self._values(torch.where(self.ordered, self.log_mass.exp() @ numbers, likeliest))

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-mass of the value."""
        number = ((value - self.low) / self.step).round().long()
        return log_mass_at(self.log_mass, number.clamp(0, self.log_mass.shape[-1] - 1))

    def sample(self, sample_shape: _size = NONE) -> Tensor:
        """A draw."""
        with torch.no_grad():
            return self._values(choose(self.log_mass, sample_shape))

    def at(self, columns: slice) -> Categories:
        """Those of some of the columns."""
        low, step, ordered = (
            each[columns] if isinstance(each, Tensor) else each for each in (self.low, self.step, self.ordered)
        )
        return Categories(self.log_mass[..., columns, :], low, step, ordered)  # pyright: ignore[reportArgumentType]

    def _values(self, numbers: Tensor) -> Tensor:
        return self.low + self.step * numbers.to(self.log_mass.dtype)


def log_mass_at(log_mass: Tensor, index: Tensor) -> Tensor:
    """The entries of (..., C) at indices (...); both broadcast."""
    lead = torch.broadcast_shapes(index.shape, log_mass.shape[:-1])
    return log_mass.expand(*lead, -1).gather(-1, index.expand(lead).unsqueeze(-1)).squeeze(-1)


def choose(log_p: Tensor, sample_shape: _size) -> Tensor:
    """Draws of an index of the last axis, by Gumbel noise."""
    log_p = log_p.expand(*sample_shape, *log_p.shape)
    return (log_p - torch.empty_like(log_p).exponential_().log()).argmax(-1)


class MixedColumns(Density):
    """Elementwise over columns, each a column of one of the ``parts``: those of the first part are at the first of the
    ``places`` (D,), and so on; ``order`` (D,) are the places of the places.
    """

    def __init__(self, parts: Sequence[Distribution], places: Tensor, order: Tensor):
        super().__init__(Size([*parts[0].batch_shape[:-1], len(places)]))
        self.parts, self.places, self.order = list(parts), places, order
        self.sizes = [part.batch_shape[-1] for part in parts]

    @property
    def filler(self) -> Tensor:
        """A value inside the support of each column."""
        given = (torch.as_tensor(getattr(part, "filler", 0.0), device=self.places.device) for part in self.parts)
        return joined([each.expand(size) for each, size in zip(given, self.sizes, strict=True)], self.order)

    @property
    def mean(self) -> Tensor:
        """Of categories the likeliest value."""
        return joined([part.mean for part in self.parts], self.order)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-mass, or log-density where a column is continuous, of each column."""
        pairs = zip(self.parts, divided(value, self.places, self.sizes), strict=True)
        return joined([part.log_prob(own) for part, own in pairs], self.order)

    def sample(self, sample_shape: _size = NONE) -> Tensor:
        """A draw."""
        with torch.no_grad():
            return joined([part.sample(Size(sample_shape)) for part in self.parts], self.order)

    def steps(self, mask: Tensor | None = None) -> Steps:
        """Part by part, and column by column where they differ."""
        x = self.filler.expand(self.batch_shape).clone()
        for part, places in zip(self.parts, self.places.split(self.sizes), strict=True):
            width = 1 if isinstance(part, Columns) else len(places)
            for start in range(0, len(places), width):
                columns = slice(start, start + width)
                place = ..., places[columns]
                x[place] = yield place, part.at(columns) if isinstance(part, Columns) else part
        return x


def divided(x: Tensor, places: Tensor, sizes: Sequence[int]) -> Sequence[Tensor]:
    """Columns (..., D) ↦ those at the first of the ``places`` (D,), at the next ones and so on, in parts of ``sizes``.
    One part is all columns, in their order.
    """
    return x.index_select(-1, places).split(sizes, -1) if len(sizes) > 1 else [x]


def joined(parts: Sequence[Tensor], order: Tensor) -> Tensor:
    """The inverse of :func:`divided`, ``order`` being that of its places, ``places.argsort()``."""
    return torch.cat(list(parts), -1).index_select(-1, order) if len(parts) > 1 else parts[0]


def places_of(sizes: Sequence[int]) -> Tensor:
    """The positions (D, C) of the logits of D columns in a row of all, ΣC where a column has fewer than C."""
    places = torch.full((len(sizes), max(sizes)), sum(sizes))
    start = 0
    for own, size in zip(places, sizes, strict=True):
        own[:size] = torch.arange(start, start + size)
        start += size
    return places


def pad_logits(logits: Tensor, places: Tensor) -> Tensor:
    """Logits of all columns in a row (..., ΣC) ↦ (..., D, C), -∞ beyond a column's own, by :func:`places_of`."""
    padded = F.pad(logits, (0, 1), value=-torch.inf)
    return padded.index_select(-1, places.flatten()).unflatten(-1, places.shape)
