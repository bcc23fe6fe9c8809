"""Columns of a table as numbers that are jointly about normal, and back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import torch
import torch.nn.functional as F
from torch import Tensor

from vaekit.core import Support

KNOTS = 2000  # of the map from values to normal scores, at most
NODES = 32  # of the quadrature
SMALLEST = 1e-6  # share of a category, which a normal may give less than none


@dataclass(frozen=True)
class Scores:
    """A numeric column's values ↦ normal scores, y = Φ⁻¹(F(x)), by linear interpolation between ``knots`` (K,) of the
    empirical F and ``scores`` (K,); ties have the rank of their middle.
    """

    knots: Tensor
    scores: Tensor

    @classmethod
    def of(cls, x: Tensor) -> Scores:
        """From a column (N,), NaN where hidden."""
        values, counts = torch.unique(x[~x.isnan()].double(), return_counts=True)
        if not len(values):
            values, counts = torch.zeros(1, dtype=torch.float64), torch.ones(1)
        middle = (counts.cumsum(0) - 0.5 * counts) / counts.sum()
        kept = torch.linspace(0, len(values) - 1, min(len(values), KNOTS)).round().long()
        return cls(values[kept], math.sqrt(2) * torch.erfinv(2 * middle[kept].double() - 1))

    def to_scores(self, x: Tensor) -> Tensor:
        """(N,); beyond the observed range the ends of it."""
        return _interpolate(x, self.knots, self.scores)

    def to_values(self, y: Tensor) -> Tensor:
        """The inverse, of any shape."""
        return _interpolate(y, self.scores, self.knots)


@dataclass(frozen=True)
class Margins:
    """Rows (N, D) ↦ (N, E): a number as it is or as its normal score, a category as one-hot columns.

    ``categories`` has the number of values of each column, 0 for numbers; ``scores`` the maps of the numbers, or
    nothing where they stay as they are.
    """

    categories: tuple[int, ...]
    scores: tuple[Scores, ...] = ()

    @classmethod
    def of(cls, x: Tensor, columns: Sequence[Support] | None = None, *, normal_scores: bool) -> Margins:
        """``columns`` say which are categories; none are where they are None."""
        sizes = tuple(column.categories for column in columns) if columns else (0,) * x.shape[1]
        numbers = [x[:, at] for at, size in enumerate(sizes) if not size]
        return cls(sizes, tuple(Scores.of(column) for column in numbers) if normal_scores else ())

    @property
    def width(self) -> int:
        """E."""
        return sum(size or 1 for size in self.categories)

    @property
    def blocks(self) -> list[slice]:
        """Where each column is in E."""
        sizes = [size or 1 for size in self.categories]
        return [slice(end - size, end) for size, end in zip(sizes, accumulate(sizes), strict=True)]

    def forward(self, x: Tensor) -> Tensor:
        """(N, E), float64, NaN where hidden."""
        found, scores = [], iter(self.scores)
        for column, size in zip(x.double().unbind(1), self.categories, strict=True):
            if size:
                hot = F.one_hot(column.nan_to_num().round().long(), size).double()
                found.append(torch.where(column.isnan().unsqueeze(1), math.nan, hot))
            else:
                found.append((next(scores).to_scores(column) if self.scores else column).unsqueeze(1))
        return torch.cat(found, 1)

    def expected(self, mean: Tensor, variance: Tensor) -> Tensor:
        """E[x] of numbers and the shares of categories, (N, E), where y has independent N(mean, variance), (N, E)."""
        found, scores = [], iter(self.scores)
        for part, spread, size in self._split(mean, variance):
            if size:
                share = part.clamp(min=SMALLEST)
                found.append(share / share.sum(1, keepdim=True))
            elif self.scores:
                found.append(_expectation(next(scores), part.squeeze(1), spread.squeeze(1).sqrt()).unsqueeze(1))
            else:
                found.append(part)
        return torch.cat(found, 1)

    def decided(self, expected: Tensor) -> Tensor:
        """Rows (N, D) of numbers and shares (N, E): the largest share's category."""
        sizes = [size or 1 for size in self.categories]
        parts = zip(expected.split(sizes, 1), self.categories, strict=True)
        return torch.stack([part.argmax(1).to(part) if size else part.squeeze(1) for part, size in parts], 1)

    def quantile(self, mean: Tensor, variance: Tensor, level: float) -> Tensor:
        """The quantile of each number, (N, D); of categories the likeliest."""
        at = float(torch.special.ndtri(torch.tensor(level)))
        found, scores = [], iter(self.scores)
        for part, spread, size in self._split(mean, variance):
            y = (part + at * spread.sqrt()).squeeze(1) if not size else part.argmax(1).double()
            found.append(next(scores).to_values(y) if self.scores and not size else y)
        return torch.stack(found, 1)

    def inverse(self, y: Tensor) -> Tensor:
        """Draws (N, E) ↦ rows (N, D); the category of the largest number."""
        return self.decided(self.expected(y, torch.zeros_like(y)))

    def _split(self, mean: Tensor, variance: Tensor) -> list[tuple[Tensor, Tensor, int]]:
        sizes = [size or 1 for size in self.categories]
        return list(zip(mean.split(sizes, 1), variance.split(sizes, 1), self.categories, strict=True))


def _interpolate(x: Tensor, knots: Tensor, values: Tensor) -> Tensor:
    """Piecewise linear through (knots, values), constant beyond; NaN stays NaN."""
    if len(knots) == 1:
        return torch.where(x.isnan(), x, values[0])
    right = torch.searchsorted(knots, x.contiguous()).clamp(1, len(knots) - 1)
    share = ((x - knots[right - 1]) / (knots[right] - knots[right - 1])).clamp(0, 1)
    return torch.lerp(values[right - 1], values[right], share)


def _expectation(scores: Scores, mean: Tensor, deviation: Tensor) -> Tensor:
    """E[x] where the score has N(mean, deviation²), by midpoints of equal probability."""
    nodes = torch.special.ndtri((torch.arange(NODES, dtype=torch.float64) + 0.5) / NODES)
    return scores.to_values(mean + deviation * nodes.unsqueeze(1)).mean(0)
