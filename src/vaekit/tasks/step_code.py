"""Latents rounded to grids of given steps, as they are pushed on a stack of bits under their prior."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from vaekit.coding import Cells, Stack
from vaekit.distributions import DiagonalNormal, NormalMixture

REACH = 10.0  # standard deviations of the prior that a grid spans to both sides
LEAST = 1e-30  # mass of a cell


class Part(NamedTuple):
    """Latents that are coded at once, (n,) in a row: ``each`` gives the probability under each component (M, k, n) of
    what is below the edges (k, n) of cells.
    """

    columns: slice
    cells: Cells
    each: Callable[[Tensor], Tensor]


class StepCode:
    """Latents (B, *event) at the prior's mean + ``step`` · s, under a prior narrowed about its mean by ``spread``.

    The prior, a normal distribution or a mixture of M, is one for all rows; ``step`` and ``spread`` (D,) are those of
    the D dimensions. Under a normal distribution these are independent. Under a mixture they are coded in order, the
    weights of the components being what the earlier dimensions make of them, so that z costs its mass.
    """

    def __init__(self, p: DiagonalNormal | NormalMixture, rows: int, step: Tensor, spread: Tensor):
        loc, variance = p.loc.double().flatten(-p.dims), p.log_var.double().exp().flatten(-p.dims)
        logits = p.logits.double() if isinstance(p, NormalMixture) else loc.new_zeros(1)
        loc, variance, weights = loc.view(len(logits), -1), variance.view(len(logits), -1), logits.softmax(0)
        self.rows, self.event, self.step = rows, p.event_shape, step
        self.mean = weights @ loc
        self.variance = weights @ (variance + (loc - self.mean).square())
        self.half = (REACH * self.variance.sqrt() / step).ceil().long()
        self.loc, self.scale = spread * (loc - self.mean), spread * variance.sqrt()
        self.log_weights = logits.log_softmax(0).unsqueeze(1).expand(-1, rows)

    def nearest(self, q: Any) -> Tensor:
        """The points nearest to the posterior's mean."""
        at = (q.mean.double().reshape(self.rows, -1) - self.mean) / self.step
        self.symbols = torch.minimum(at.round().long().clamp(min=-self.half), self.half) + self.half
        return self._values()

    def push_prior(self, stack: Stack) -> None:
        """z by the prior."""
        steps: list[tuple[Cells, Tensor]] = []

        def see(part: Part) -> Tensor:
            steps.append((part.cells, self.symbols[:, part.columns].flatten()))
            return steps[-1][1]

        self._in_order(see)
        for cells, symbols in reversed(steps):
            cells.push(stack, symbols)

    def pop_prior(self, stack: Stack) -> Tensor:
        """The reverse."""
        self.symbols = self._in_order(lambda part: part.cells.pop(stack))
        return self._values()

    def _in_order(self, choose: Callable[[Part], Tensor]) -> Tensor:
        """The cells (B, D) that ``choose`` gives, dimension by dimension where these depend on each other."""
        size, log_weights, found = len(self.step), self.log_weights, []
        parts = [slice(0, size)] if len(log_weights) == 1 else [slice(at, at + 1) for at in range(size)]
        for columns in parts:
            part = self._part(columns, log_weights.softmax(0))
            symbols = choose(part)
            found.append(symbols.view(self.rows, -1))
            if len(parts) > 1:
                inside = part.each(torch.stack([symbols, symbols + 1])).diff(dim=1).squeeze(1)
                log_weights = log_weights + inside.clamp(min=LEAST).log()
        return torch.cat(found, 1)

    def _part(self, columns: slice, weights: Tensor) -> Part:
        def in_a_row(values: Tensor) -> Tensor:
            """(..., D) ↦ (..., B · columns)."""
            own = values[..., columns].unsqueeze(-2)
            return own.expand(*own.shape[:-2], self.rows, -1).flatten(-2)

        half, step, loc, scale = map(in_a_row, (self.half, self.step, self.loc, self.scale))
        weights = weights.repeat_interleave(columns.stop - columns.start, 1)

        def each(edges: Tensor, half: Tensor, step: Tensor, loc: Tensor, scale: Tensor) -> Tensor:
            z = (edges - half - 0.5) * step
            return torch.special.ndtr((z - loc.unsqueeze(1)) / scale.unsqueeze(1))

        def below(edges: Tensor, weights: Tensor, *given: Tensor) -> Tensor:
            return (weights.unsqueeze(1) * each(edges, *given)).sum(0)

        given = half, step, loc, scale
        return Part(columns, Cells(below, (weights, *given), 2 * half + 1), lambda edges: each(edges, *given))

    def _values(self) -> Tensor:
        z = self.mean + self.step * (self.symbols - self.half)
        return z.float().view(self.rows, *self.event)
