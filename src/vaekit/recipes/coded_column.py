"""A column of a file as it is compressed: what of its cells a model codes, and what is told by how they repeat."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vaekit.coding import Repeats
from vaekit.data import Column
from vaekit.data.spelling import CODED, Spelling

MANY = 4096  # different values from which on the low digits of a column are coded by how they repeat
WIDTHS = (64, 256, 1024, 4096, 2**16, 2**20)  # of those digits
PROCESSES = ((0.0, 10.0), (0.5, 30.0), (0.7, 10.0))  # discounts and strengths
EVEN = 64  # intervals, at least, of the middle nine tenths: within one, numbers are about even
WIDEST = 2**24  # values that the model codes at most
TRIED = 2**16  # cells by which the processes are compared


@dataclass(frozen=True)
class CodedColumn:
    """A column that the model codes: the ``at``-th that it sees, the ``place``-th of the file.

    Where ``width`` is above 1, it codes only which interval of so many values a number is in, and the rest is coded by
    how it repeats there (see :class:`vaekit.coding.Repeats`).
    """

    at: int
    place: int
    column: Column
    spelling: Spelling
    width: int = 1
    discount: float = 0.0
    strength: float = 1.0

    @classmethod
    def learn(cls, at: int, place: int, column: Column, texts: Sequence[str]) -> CodedColumn | None:
        """From all cells; None where they are not to be coded."""
        spelling = Spelling.learn(column, texts)
        if spelling is None:
            return None
        numbers, states = spelling.read(column, texts)
        numbers = numbers[states == CODED]
        found = cls(at, place, column, spelling)
        if len(np.unique(numbers)) <= MANY and spelling.count <= WIDEST:
            return found
        low, high = np.quantile(numbers, [0.05, 0.95])
        wide = [width for width in WIDTHS if spelling.count <= WIDEST * width]
        even = [width for width in wide if EVEN * width <= high - low] or wide[:1]
        tried = [replace(found, width=width, discount=d, strength=s) for width in even for d, s in PROCESSES]
        best = min(tried, key=lambda each: each._excess(torch.from_numpy(numbers[:TRIED])))
        is_needed = spelling.count > WIDEST
        return best if is_needed or best._excess(torch.from_numpy(numbers[:TRIED])) < 0 else found

    @classmethod
    def from_json(cls, at: int, place: int, column: Column, content: Mapping[str, Any]) -> CodedColumn:
        """What ``to_json`` gave. Raises ValueError where it makes no sense."""
        content = dict(content)
        width, discount, strength = content.pop("repeats", (1, 0.0, 1.0))
        if type(width) is not int or not (1 <= width <= WIDTHS[-1] and 0 <= discount < 1 and 0 < strength < 1e9):
            raise ValueError(f"the low digits of column {column.name!r} are not described")
        return cls(at, place, column, Spelling.from_json(column, content), width, discount, strength)

    def to_json(self) -> dict[str, Any]:
        """Its spelling, and how its low digits repeat."""
        repeats = {"repeats": [self.width, self.discount, self.strength]} if self.width > 1 else {}
        return self.spelling.to_json() | repeats

    def low(self, high: Tensor) -> Repeats:
        """The code of the low digits, given the high ones."""
        contexts = torch.unique(high, return_inverse=True)[1]
        return Repeats(contexts, self.width, self.discount, self.strength)

    @property
    def grid(self) -> tuple[float, float, int]:
        """What the model codes, in its units: the first value, the distance of the next, and how many there are."""
        step, middle = (self.column.step or 1.0) / self.column.scale, (self.width - 1) / 2
        first = (self.spelling.low - self.column.offset) / self.column.scale
        return first + middle * step, step * self.width, -(-self.spelling.count // self.width)

    def _excess(self, numbers: Tensor) -> float:
        """Bits beyond those of even low digits."""
        low = numbers % self.width
        return self.low(numbers // self.width).bits(low) - len(low) * math.log2(self.width)
