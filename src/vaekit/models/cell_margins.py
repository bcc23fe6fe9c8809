"""The cells of a table's columns as intervals of standard normals."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Size, Tensor

from vaekit.core import Shapes, Support
from vaekit.distributions.discretized import NEAR
from vaekit.likelihoods import Histogram
from vaekit.likelihoods.histogram import SPIKE_WIDTH

FAR = 1e4  # deviations, where there is no end
SMALLEST = 1e-6  # deviation of a column that never varies


class Intervals(NamedTuple):
    """Of standard normals, (N, D) each: ``lower`` and ``upper`` ends, ∓``FAR`` for hidden cells and equal for points;
    and of points the ``slope`` log dΦ⁻¹(F(x))/dx per unit of the column, else 0.
    """

    lower: Tensor
    upper: Tensor
    slope: Tensor

    def ordered(self, columns: Tensor) -> Intervals:
        """With the columns in that order."""
        return Intervals(*(part[:, columns] for part in self))

    def split(self, rows: int) -> Iterator[Intervals]:
        """So many rows at a time."""
        yield from (Intervals(*parts) for parts in zip(*(part.split(rows) for part in self), strict=True))


@dataclass(frozen=True, eq=False)
class CellMargins:
    """A recorded value x of column j ↦ the interval from Φ⁻¹(Fⱼ(x - δ/2)) to Φ⁻¹(Fⱼ(x + δ/2)), a point where the column
    is continuous, for distribution functions Fⱼ that give every possible value a mass.

    They are those of the column's ``histogram`` or, where ``normal`` (D,) says so, of a normal with ``mean`` and
    ``deviation`` (D,). Categories are numbered by their ``ranks`` along the first principal component of all columns.
    """

    columns: tuple[Support, ...]
    histogram: Histogram
    ranks: tuple[Tensor, ...]
    normal: Tensor
    mean: Tensor
    deviation: Tensor

    @classmethod
    def of(cls, x: Tensor, columns: Sequence[Support], *, normal: bool) -> CellMargins:
        """From rows (N, D) in model units, NaN where hidden; with ``normal`` numbers have normal margins."""
        x, ranks = x.double(), _ranks(x.double(), columns)
        histogram = Histogram().bind(Shapes(Size(x.shape[1:]), examples=len(x), columns=tuple(columns))).double()
        mean = x.nanmean(0).nan_to_num()
        deviation = (x - mean).square().nanmean(0).sqrt().nan_to_num().clamp(min=SMALLEST)
        numbers = torch.tensor([not column.categories for column in columns])
        found = cls(tuple(columns), histogram, ranks, numbers & normal, mean, deviation)
        histogram.prepare(found._ranked(x))
        return found

    def cells(self, x: Tensor) -> Intervals:
        """The intervals of rows (N, D) in model units, NaN where hidden."""
        x = self._ranked(x.double())
        hidden, half = x.isnan(), self._halves(x)
        point, x = (half == 0) & ~hidden, x.nan_to_num()
        law = self.histogram(torch.zeros(1, *self.histogram.phi, dtype=x.dtype))
        ends = []
        for at, end in ((x - half, -FAR), (x + half, FAR)):
            below, above = law.tails(at)
            score = torch.where(below < 0.5, torch.special.ndtri(below), -torch.special.ndtri(above))
            score = torch.where(self.normal, (at - self.mean) / self.deviation, score)
            ends.append(torch.where(hidden, end, score.clamp(-FAR, FAR)))
        unit = torch.tensor([float(column.unit) for column in self.columns])  # pyright: ignore[reportArgumentType]
        slope = law.log_prob(x) + 0.5 * (ends[0].square() + math.log(2 * math.pi))
        slope = torch.where(self.normal, (unit / self.deviation).log(), slope)
        return Intervals(ends[0], ends[1], torch.where(point, slope, 0))

    def _halves(self, x: Tensor) -> Tensor:
        """Half the length of each value's interval; of a continuous column, 0 but for its spikes."""
        half = x.new_tensor([float(column.step or 0) / 2 for column in self.columns])  # pyright: ignore
        half = half.expand_as(x).clone()
        for at, column in enumerate(self.columns):
            if column.step is None and column.spikes:
                spikes = x.new_tensor(column.spikes)
                spiked = ((x[:, at].unsqueeze(1) - spikes).abs() < NEAR * (1 + spikes.abs())).any(1)
                half[spiked, at] = SPIKE_WIDTH / 2 * float(column.unit)  # pyright: ignore[reportArgumentType]
        return half

    def _ranked(self, x: Tensor) -> Tensor:
        """With the categories' numbers in their order."""
        found = x.clone()
        for at, (column, rank) in enumerate(zip(self.columns, self.ranks, strict=True)):
            if column.categories:
                found[:, at] = torch.where(x[:, at].isnan(), torch.nan, rank[x[:, at].nan_to_num().round().long()])
        return found


def _ranks(x: Tensor, columns: Sequence[Support]) -> tuple[Tensor, ...]:
    """The place of each category of each column; nothing for numbers."""
    parts = []
    for column, values in zip(columns, x.unbind(1), strict=True):
        hot = F.one_hot(values.nan_to_num().round().long(), column.categories) if column.categories else values[:, None]
        parts.append(torch.where(values.isnan().unsqueeze(1), torch.nan, hot.double()))
    whole = torch.cat(parts, 1)
    whole = (whole - whole.nanmean(0)).nan_to_num() / len(x) ** 0.5
    whole = whole / whole.square().sum(0).sqrt().clamp(min=SMALLEST)
    component = torch.svd_lowrank(whole, 1)[0][:, 0]
    found = []
    for part, column in zip(parts, columns, strict=True):
        weight = part.nan_to_num()
        place = (weight * component.unsqueeze(1)).sum(0) / weight.sum(0).clamp(min=1)
        found.append(place.argsort().argsort().to(x.dtype) if column.categories else place[:0])
    return tuple(found)
