"""Distributions of whole numbers as they are pushed on a stack and popped from it.

A symbol of many values is coded as digits to the base 4, most significant first, each given those before: the masses of
a digit are computed for many symbols at once, and no table of all values is made. What is computed in order to push is,
array for array, what is computed in order to pop, so that it comes out the same to the bit on one machine.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any

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
    """Symbols 0, …, C - 1 by ``below(edges, *given)``, the probability of symbols smaller than the edges (k, m) of m of
    the n symbols: it must not decrease. ``given`` (..., n) are parameters, which it gets of those symbols (..., m).

    C, the ``counts``, is one number or one for each of the n symbols; what lies beyond the ends belongs to them. What
    lies below ``start`` (n,), if it is given, belongs to no symbol.
    """

    def __init__(
        self,
        below: Callable[..., Tensor],
        given: Sequence[Tensor],
        counts: int | Tensor,
        start: Tensor | None = None,
    ):
        self.below, self.given, self.length = below, given, given[0].shape[-1]
        counts = torch.as_tensor(counts)
        self.counts, most = counts.expand(self.length), int(counts.max())
        self.start = torch.zeros((), dtype=torch.float64).expand(self.length) if start is None else start
        self.strides = [1]
        while self.strides[0] * BASE < most:
            self.strides.insert(0, self.strides[0] * BASE)

    def push(self, stack: Stack, symbols: Tensor, keep: Tensor | None = None) -> None:
        """The last digits first, as they are popped in reverse."""
        kept = _kept(symbols, keep)
        _check((kept >= 0) & (kept < _kept(self.counts, keep)))
        for at in reversed(list(self._blocks(keep))):
            digits = [symbols[at] // stride % BASE for stride in self.strides]
            given = iter(digits)
            steps = list(self._digits(at, lambda _, given=given: next(given)))
            for digit, masses in zip(reversed(digits), reversed(steps), strict=True):
                stack.push(digit, masses)

    def pop(self, stack: Stack, keep: Tensor | None = None) -> Tensor:
        """The first digits first."""
        symbols = torch.zeros(self.length, dtype=torch.long)
        for at in self._blocks(keep):
            digits: list[Tensor] = []
            for _ in self._digits(at, lambda masses, digits=digits: digits.append(stack.pop(masses)) or digits[-1]):
                pass
            symbols[at] = sum(digit * stride for digit, stride in zip(digits, self.strides, strict=True))
        _check(symbols < self.counts)
        return symbols

    def _digits(self, at: Any, choose: Callable[[Tensor], Tensor]) -> Iterator[Tensor]:
        """The masses (m, 4) of each digit of the symbols in a block, given the digits that are chosen before."""
        counts, low, given = self.counts[at], self.start[at], [each[..., at] for each in self.given]
        base, high, steps = torch.zeros_like(counts), torch.ones_like(low), torch.arange(1, BASE).unsqueeze(1)
        for stride in self.strides:
            edges = torch.minimum(base + stride * steps, counts)
            inner = torch.where(edges == counts, 1.0, self.below(edges, *given))
            ends = torch.cat([low.unsqueeze(0), inner, high.unsqueeze(0)])
            masses = ends.diff(dim=0).clamp(min=LEAST).mT
            digit = choose(masses)
            yield masses
            base = base + digit * stride
            low, high = ends.gather(0, torch.stack([digit, digit + 1]))

    def _blocks(self, keep: Tensor | None) -> Iterator[Any]:
        if keep is not None:
            yield from (at for at in keep.nonzero().squeeze(1).split(BLOCK) if len(at))
            return
        for start in range(0, self.length, BLOCK):
            yield slice(start, min(start + BLOCK, self.length))


class Gated(Coded):
    """Symbols of which the 0 has a probability ``zero`` (n,), and which are otherwise 1 more than those that ``rest``
    gives for their places (m,).

    Where most symbols are 0 most of the work is not done.
    """

    def __init__(self, zero: Tensor, rest: Callable[[Tensor], Coded]):
        self.gate, self.rest = Masses(torch.stack([zero, 1 - zero], 1).clamp(min=LEAST)), rest

    def push(self, stack: Stack, symbols: Tensor, keep: Tensor | None = None) -> None:
        """Those that are not 0, then which are."""
        others = symbols != 0
        at = (others if keep is None else others & keep).nonzero().squeeze(1)
        self.rest(at).push(stack, symbols[at] - 1)
        self.gate.push(stack, others.long(), keep)

    def pop(self, stack: Stack, keep: Tensor | None = None) -> Tensor:
        """The reverse."""
        symbols = self.gate.pop(stack, keep)
        at = symbols.nonzero().squeeze(1)
        symbols[at] += self.rest(at).pop(stack)
        return symbols


def _kept(values: Tensor, keep: Tensor | None) -> Tensor:
    return values if keep is None else values[keep]


def _spread(symbols: Tensor, keep: Tensor | None) -> Tensor:
    return symbols if keep is None else torch.zeros(keep.shape, dtype=torch.long).masked_scatter(keep, symbols)


def _check(fine: Tensor) -> None:
    if not fine.all():
        raise ValueError("there is a value outside of the range that the code is made for")
