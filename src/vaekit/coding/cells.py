"""Distributions of whole numbers as they are pushed on a stack and popped from it.

A symbol of many values is coded as digits to the base 4, most significant first, each given those before: the masses of
a digit are computed for many symbols at once, and no table of all values is made. What is computed in order to push is,
array for array, what is computed in order to pop, so that it comes out the same to the bit on one machine.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from .stack import Stack

BASE = 4
BLOCK = 8192  # symbols at a time, so that what is computed for them stays in a processor's cache
LEAST = 1e-30  # mass of a digit, so that some digit is always possible


class Coded(ABC):
    """n symbols. Where ``keep`` (n,) is given, the others are neither pushed nor popped; those come back as 0."""

    @abstractmethod
    def push(self, stack: Stack, symbols: Tensor, keep: Tensor | None = None) -> None:
        """Put the symbols (n,) on the stack. Raises ValueError for symbols that there are not."""

    @abstractmethod
    def pop(self, stack: Stack, keep: Tensor | None = None) -> Tensor:
        """Take symbols (n,) off the stack. Raises ValueError for symbols that there are not."""


class Masses(Coded):
    """Symbols 0, …, C - 1 with the given ``masses`` (n, C), of which only ratios count."""

    def __init__(self, masses: Tensor):
        self.masses = masses

    def push(self, stack: Stack, symbols: Tensor, keep: Tensor | None = None) -> None:
        """One symbol is one step of the stack."""
        _check((symbols >= 0) & (symbols < self.masses.shape[1]))
        stack.push(_kept(symbols, keep), _kept(self.masses, keep))

    def pop(self, stack: Stack, keep: Tensor | None = None) -> Tensor:
        """One symbol is one step of the stack."""
        return _spread(stack.pop(_kept(self.masses, keep)), keep)


class Cells(Coded):
    """Symbols 0, …, C - 1 by ``below(edges, at)``, the probability of symbols smaller than the edges (k, n) of the
    symbols ``at`` a slice: it must not decrease.

    C, the ``counts``, is one number or one for each of the n symbols; what lies beyond the ends belongs to them.
    """

    def __init__(self, below: Callable[[Tensor, slice], Tensor], length: int, counts: int | Tensor):
        self.below, self.length = below, length
        self.counts = torch.as_tensor(counts).expand(length)
        self.strides = [1]
        while self.strides[0] * BASE < int(self.counts.max()):
            self.strides.insert(0, self.strides[0] * BASE)

    def push(self, stack: Stack, symbols: Tensor, keep: Tensor | None = None) -> None:
        """The last digits first, as they are popped in reverse."""
        _check((symbols >= 0) & (symbols < self.counts))
        for at in reversed(list(self._blocks())):
            kept = None if keep is None else keep[at]
            digits = [symbols[at] // stride % BASE for stride in self.strides]
            given = iter(digits)
            steps = [_kept(masses, kept) for masses in self._digits(at, lambda _, given=given: next(given))]
            for digit, masses in zip(reversed(digits), reversed(steps), strict=True):
                stack.push(_kept(digit, kept), masses)

    def pop(self, stack: Stack, keep: Tensor | None = None) -> Tensor:
        """The first digits first."""
        found = torch.zeros(self.length, dtype=torch.long)
        for at in self._blocks():
            kept = None if keep is None else keep[at]

            def choose(masses: Tensor, at: slice = at, kept: Tensor | None = kept) -> Tensor:
                digit = _spread(stack.pop(_kept(masses, kept)), kept)
                found[at] = found[at] * BASE + digit
                return digit

            for _ in self._digits(at, choose):
                pass
        _check(found < self.counts)
        return found

    def _digits(self, at: slice, choose: Callable[[Tensor], Tensor]) -> Iterator[Tensor]:
        """The masses (n, 4) of each digit of the symbols in a block, given the digits that are chosen before."""
        counts = self.counts[at]
        base, steps = torch.zeros_like(counts), torch.arange(1, BASE).unsqueeze(1)
        low, high = torch.zeros(len(counts), dtype=torch.float64), torch.ones(len(counts), dtype=torch.float64)
        rows = torch.arange(len(counts))
        for stride in self.strides:
            edges = torch.minimum(base + stride * steps, counts)
            inner = torch.where(edges == counts, 1.0, self.below(edges, at))
            ends = torch.cat([low.unsqueeze(0), inner, high.unsqueeze(0)])
            masses = ends.diff(dim=0).clamp(min=LEAST).mT
            digit = choose(masses)
            yield masses
            base = base + digit * stride
            low, high = ends[digit, rows], ends[digit + 1, rows]

    def _blocks(self) -> Iterator[slice]:
        for start in range(0, self.length, BLOCK):
            yield slice(start, min(start + BLOCK, self.length))


def _kept(values: Tensor, keep: Tensor | None) -> Tensor:
    return values if keep is None else values[keep]


def _spread(symbols: Tensor, keep: Tensor | None) -> Tensor:
    return symbols if keep is None else torch.zeros(keep.shape, dtype=torch.long).masked_scatter(keep, symbols)


def _check(fine: Tensor) -> None:
    if not fine.all():
        raise ValueError("there is a value outside of the range that the code is made for")
