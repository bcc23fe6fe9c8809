"""Kernels on the intervals that recorded values stand for, with point masses at frequent values."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Size, Tensor
from torch.distributions import constraints
from torch.types import _size

from .columns import Columns, choose
from .density import NONE
from .kernels import KERNELS
from .warped import Warp

NODES, WEIGHTS = (0.5 * part for part in np.polynomial.legendre.leggauss(8))  # of the quantiles, for the mean
NEAR = 1e-6  # of a spike in a column without a grid
SHORT = 1e-4  # steps whose ends are too near for float32


@dataclass(frozen=True, eq=False)
class Cells:
    """What values of D columns stand for: ``step`` (0 where continuous), ``unit`` and the ends ``low`` and ``high``,
    all (D,); ``spikes`` (D, S), NaN where a column has fewer; and the ``warp`` under which the kernels lie, if any.
    """

    low: Tensor
    high: Tensor
    step: Tensor
    unit: Tensor
    spikes: Tensor
    warp: Warp | None = None
    gridded: Tensor = field(init=False)
    any_gridded: bool = True
    all_gridded: bool = False
    any_ends: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "gridded", self.step > 0)

    def at(self, columns: slice) -> Cells:
        """Those of some of the columns."""
        constants = {name: getattr(self, name)[columns] for name in ("low", "high", "step", "unit", "spikes")}
        warp = None if self.warp is None else Warp(*(each[columns] for each in self.warp))
        return replace(self, **constants, warp=warp)

    def interval(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The upper end and the length of the values' intervals, warped; of continuous ones x and slope · unit."""
        gridded = self.gridded
        if self.warp is None:
            return x + self.step / 2, torch.where(gridded, self.step, self.unit)
        if not self.any_gridded:
            center, slope = self.warp.forward(x)
            return center, slope * self.unit
        half = self.step / 2
        (upper, lower), (slope, _) = self.warp.forward(torch.stack([x + half, x - half]))
        short = slope * torch.where(gridded, self.step, self.unit)
        return upper, torch.where(self.step > SHORT, upper - lower, short)

    def range(self) -> tuple[Tensor, Tensor]:
        """Both ends, half a step further out, warped; far out where there is none."""
        lower, upper = (self.low - self.step / 2).clamp(min=-1e6), (self.high + self.step / 2).clamp(max=1e6)
        return (lower, upper) if self.warp is None else (self.warp.forward(lower)[0], self.warp.forward(upper)[0])

    def at_spikes(self, x: Tensor) -> Tensor:
        """Which spike each value is, (..., D, S)."""
        near = torch.where(self.gridded, self.step / 2, NEAR * (1 + x.abs()))
        return (x.unsqueeze(-1) - self.spikes).abs() < near.unsqueeze(-1)

    def values(self, t: Tensor) -> Tensor:
        """The values nearest to warped numbers, where they are on a grid of known position."""
        x = t if self.warp is None else self.warp.inverse(t)
        known = (self.step > 0) & self.low.isfinite()
        low, step = torch.where(known, self.low, 0), torch.where(known, self.step, 1)
        return torch.where(known, low + ((x - low) / step).round() * step, x).clamp(self.low, self.high)


class Discretized(Columns):
    """Elementwise over columns: P(x) = π₀ Σ wₘ [F((x + δ/2 - μₘ) / σₘ) - F((x - δ/2 - μₘ) / σₘ)] / Zₘ + Σ πₛ [x = s].

    F is the ``kernel``'s distribution function, δ the step, Zₘ what it has between the column's ends: masses sum to
    one. Where there is no step, the mass of a short interval, in units: density · unit; a spike is then its πₛ alone.
    ``log_weights`` w, ``loc`` μ and ``scale`` σ are (..., M, D), ``log_spikes`` (..., D, 1 + S) with π₀ first, or None.
    """

    def __init__(
        self, log_weights: Tensor, loc: Tensor, scale: Tensor, cells: Cells, kernel: str, log_spikes: Tensor | None
    ):
        super().__init__(Size([*loc.shape[:-2], loc.shape[-1]]))
        self.log_weights, self.loc, self.scale, self.cells = log_weights, loc, scale, cells
        self.name, self.kernel, self.log_spikes = kernel, KERNELS[kernel], log_spikes
        self.filler = torch.zeros_like(cells.step).clamp(cells.low, cells.high)

    @property
    def support(self) -> constraints.Constraint:
        """From each column's lower to its upper end."""
        return constraints.interval(self.cells.low, self.cells.high)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-mass, or where a column is continuous log-density per unit; stable in float32 for any x and step."""
        upper, length = (each.unsqueeze(-2) for each in self.cells.interval(value))
        inside = self._inside((upper - self.loc) / self.scale, length / self.scale) - self._log_range
        log_p = inside.squeeze(-2) if inside.shape[-2] == 1 else (self.log_weights + inside).logsumexp(-2)
        if self.log_spikes is None:
            return log_p
        log_p, spiked = log_p + self.log_spikes[..., 0], self.cells.at_spikes(value)
        log_spike = self.log_spikes[..., 1:].masked_fill(~spiked, -torch.inf).amax(-1)
        alone = spiked.any(-1) & ~self.cells.gridded
        return torch.where(alone, log_spike, torch.logaddexp(log_p, log_spike))

    def sample(self, sample_shape: _size = NONE) -> Tensor:
        """A draw."""
        with torch.no_grad():
            shape = Size([*sample_shape, *self.batch_shape])
            components = choose(self.log_weights.mT, sample_shape).unsqueeze(-2)
            loc, scale, low, high = (
                each.expand(*sample_shape, *self.loc.shape).gather(-2, components).squeeze(-2)
                for each in (self.loc, self.scale, *self._uniform_range)
            )
            u = low + (high - low) * torch.rand(shape, device=loc.device)
            x = self.cells.values(loc + scale * self.kernel.quantile(u.clamp(1e-7, 1 - 1e-7)))
            if self.log_spikes is None:
                return x
            at = choose(self.log_spikes, sample_shape)
            spikes = self.cells.spikes.expand(*shape, -1).gather(-1, (at - 1).clamp(min=0).unsqueeze(-1)).squeeze(-1)
            return torch.where(at > 0, spikes, x)

    def at(self, columns: slice) -> Discretized:
        """That of some of the columns."""
        weights, loc, scale = (each[..., columns] for each in (self.log_weights, self.loc, self.scale))
        log_spikes = None if self.log_spikes is None else self.log_spikes[..., columns, :]
        return Discretized(weights, loc, scale, self.cells.at(columns), self.name, log_spikes)

    @property
    def mean(self) -> Tensor:
        """The integral of the quantiles; within a step of the masses' own."""
        low, high = self._uniform_range
        u, weight = (torch.tensor(part).to(low).view(-1, *[1] * low.dim()) for part in (0.5 + NODES, WEIGHTS))
        t = self.loc + self.scale * self.kernel.quantile((low + (high - low) * u).clamp(1e-7, 1 - 1e-7))
        x = t if self.cells.warp is None else self.cells.warp.inverse(t)
        inside = (weight * x.clamp(self.cells.low, self.cells.high)).sum(0)
        mean = (self.log_weights.exp() * inside).sum(-2)
        if self.log_spikes is None:
            return mean
        weights = self.log_spikes.exp()
        return weights[..., 0] * mean + (weights[..., 1:] * self.cells.spikes.nan_to_num()).sum(-1)

    @property
    def _uniform_range(self) -> tuple[Tensor, Tensor]:
        low, high = ((end - self.loc) / self.scale for end in self.cells.range())
        return self.kernel.cdf(low), self.kernel.cdf(high)

    @property
    def _log_range(self) -> Tensor | float:
        """Log Z, the mass between the ends."""
        if not self.cells.any_ends:
            return 0.0
        low, high = self.cells.range()
        upper, lower = (high - self.loc) / self.scale, (low - self.loc) / self.scale
        return self.kernel.log_mass(upper, lower, upper - lower)

    def _inside(self, upper: Tensor, length: Tensor) -> Tensor:
        """Log-mass of intervals, in deviations; where there is no grid, log-density · length."""
        if self.cells.all_gridded:
            return self.kernel.log_mass(upper, upper - length, length)
        density = self.kernel.log_density(upper) + length.log()
        if not self.cells.any_gridded:
            return density
        return torch.where(self.cells.gridded, self.kernel.log_mass(upper, upper - length, length), density)
