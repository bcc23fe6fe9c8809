"""Positive parameters of a likelihood, such as σ: how many there are and where they come from."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Size, nn


@dataclass(frozen=True)
class Scale:
    """One value for all elements, or one for ``each``; learned or not; with or without ``outputs`` of the network.

    A network's output is added to the logarithm.
    """

    each: bool = False
    learned: bool = True
    outputs: int = 0

    def logarithm(self, event: Size, value: float) -> nn.Parameter | nn.Buffer:
        """Log ``value``, as a parameter if it is learned, else as a buffer."""
        if not value > 0:
            raise ValueError(f"a scale must be above 0, got {value:g}")
        start = torch.full(event if self.each else (), value).log()
        return nn.Parameter(start) if self.learned else nn.Buffer(start)


SCALES = {
    "shared": Scale(),
    "elementwise": Scale(each=True),
    "output": Scale(learned=False, outputs=1),
    "fixed": Scale(learned=False),
}


def choose(what: str, name: str, valid: Mapping[str, Scale]) -> Scale:
    """The scale of that name. Raises ValueError with the nearest valid name."""
    if name not in valid:
        near = difflib.get_close_matches(name, valid, 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"{what} is one of {', '.join(map(repr, valid))}, got {name!r}{hint}")
    return valid[name]
