"""Numbers that repeat more often than chance would have it, as they are pushed on a stack."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from .cells import Coded
from .stack import Stack


class Repeats(Coded):
    """Numbers 0, …, ``width`` - 1, each in one of several ``contexts`` (n,): a Pitman-Yor process for each context.

    A number that was there m times among the n before it in its context, of which K are different, has probability
    (m - discount) / (n + strength), a new one (strength + K · discount) / (n + strength) / width (Teh, 2006). Nothing
    is known of them beforehand, and no table is stored.
    """

    def __init__(self, contexts: Tensor, width: int, discount: float, strength: float):
        self.contexts, self.width, self.discount, self.strength = contexts.tolist(), width, discount, strength

    def push(self, stack: Stack, symbols: Tensor, keep: Tensor | None = None) -> None:
        """One by one, from the last to the first; what was before each is found by taking them away again."""
        rows = _kept_rows(len(self.contexts), keep)
        values, known = symbols.tolist(), [_Seen() for _ in range(max(self.contexts, default=-1) + 1)]
        for row in rows:
            known[self.contexts[row]].add(values[row])
        for row in reversed(rows):
            seen = known[self.contexts[row]]
            place = seen.remove(values[row])
            if place == len(seen.counts):
                stack.push_uniform(torch.tensor([values[row]]), self.width)
            if seen.counts:
                stack.push(torch.tensor([place]), self._masses(seen))

    def pop(self, stack: Stack, keep: Tensor | None = None) -> Tensor:
        """One by one, from the first to the last."""
        found = torch.zeros(len(self.contexts), dtype=torch.long)
        known = [_Seen() for _ in range(max(self.contexts, default=-1) + 1)]
        for row in _kept_rows(len(self.contexts), keep):
            seen = known[self.contexts[row]]
            place = int(stack.pop(self._masses(seen))) if seen.counts else 0
            is_new = place == len(seen.counts)
            value = int(stack.pop_uniform(1, self.width)) if is_new else seen.values[place]
            seen.add(value)
            found[row] = value
        return found

    def bits(self, symbols: Tensor) -> float:
        """What pushing costs."""
        known, total = [_Seen() for _ in range(max(self.contexts, default=-1) + 1)], 0.0
        for context, value in zip(self.contexts, symbols.tolist(), strict=True):
            seen = known[context]
            place, different = seen.places.get(value), len(seen.counts)
            if place is None:
                p = (self.strength + self.discount * different) / self.width
            else:
                p = seen.counts[place] - self.discount
            total -= math.log2(p / (seen.total + self.strength))
            seen.add(value)
        return total

    def _masses(self, seen: _Seen) -> Tensor:
        counts = np.array([*seen.counts, 0.0]) - self.discount
        counts[-1] = self.strength + self.discount * len(seen.counts)
        return torch.from_numpy(counts).unsqueeze(0)


class _Seen:
    """The different values so far, in the order of their first appearance, and how often each was there."""

    def __init__(self) -> None:
        self.values: list[int] = []
        self.counts: list[int] = []
        self.places: dict[int, int] = {}
        self.total = 0

    def add(self, value: int) -> None:
        """Once more."""
        place = self.places.setdefault(value, len(self.values))
        if place == len(self.values):
            self.values.append(value)
            self.counts.append(0)
        self.counts[place] += 1
        self.total += 1

    def remove(self, value: int) -> int:
        """Once less, the last one to be added: its place, which after the last is that of a new value."""
        place = self.places[value]
        self.counts[place] -= 1
        self.total -= 1
        if not self.counts[place]:
            del self.counts[place], self.values[place], self.places[value]
        return place


def _kept_rows(count: int, keep: Tensor | None) -> list[int]:
    return list(range(count)) if keep is None else torch.nonzero(keep).flatten().tolist()
