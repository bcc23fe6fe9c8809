"""Randomness as an argument: draws that can be sliced, shared or seeded, and torch's global state left as it was."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Self

import torch
from torch import Size, Tensor


class Noise:
    """Independent standard draws of shape (K, B, *event) from torch's generator (see :func:`isolated_rng`).

    ``start`` and ``total`` place the B rows in a larger batch, whose noise is drawn whole and sliced: several processes
    that share a batch then draw what one process would have drawn.
    """

    def __init__(self, start: int = 0, total: int | None = None):
        self.start, self.total = start, total

    def normal(self, k: int, b: int, event: Size, like: Tensor) -> Tensor:
        """Draw from N(0, 1)."""
        return self._rows(torch.randn, k, b, event, like)

    def uniform(self, k: int, b: int, event: Size, like: Tensor) -> Tensor:
        """Draw from U(0, 1)."""
        return self._rows(torch.rand, k, b, event, like)

    def _rows(self, draw: Callable[..., Tensor], k: int, b: int, event: Size, like: Tensor) -> Tensor:
        if self.total is None:
            return draw(k, b, *event, device=like.device)
        return draw(k, self.total, *event, device=like.device)[:, self.start : self.start + b]


class AntitheticNoise(Noise):
    """Normal draws in pairs ε and -ε, so that averages of what is linear in them are exact with few draws (Hammersley
    and Morton, 1956).
    """

    def normal(self, k: int, b: int, event: Size, like: Tensor) -> Tensor:
        """Draw from N(0, 1)."""
        half = super().normal((k + 1) // 2, b, event, like)
        return torch.cat([half, -half])[:k]


class CommonNoise(Noise):
    """The same (K, 1, *event) table for every row, so that a row's score depends on nothing but the row.

    ``samples`` is K over all chunks; :meth:`chunk` chooses which samples the next pass uses. The tables are drawn on
    the CPU, hence equal on every device.
    """

    def __init__(self, samples: int, seed: int):
        super().__init__()
        self.samples, self.generator = samples, torch.Generator().manual_seed(seed)
        self.tables: list[Tensor] = []
        self.at = self.asked = 0

    def chunk(self, at: int) -> Self:
        """Start a pass that uses samples ``at`` and following."""
        self.at, self.asked = at, 0
        return self

    def _rows(self, draw: Callable[..., Tensor], k: int, b: int, event: Size, like: Tensor) -> Tensor:
        if self.asked == len(self.tables):
            self.tables.append(draw(self.samples, 1, *event, generator=self.generator).to(like.device))
        table = self.tables[self.asked]
        self.asked += 1
        return table[self.at : self.at + k].expand(k, b, *event)


_RNG = threading.RLock()


@contextmanager
def isolated_rng(seed: int) -> Iterator[None]:
    """Draw from a stream of one's own: seeded inside, torch's global state afterwards as it was before.

    The state is the process's, so threads take turns. Where there is no accelerator the processor's generator alone is
    seeded, as ``torch.manual_seed`` also formats a stack trace for each kind of device that is not there.
    """
    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else []
    with _RNG, torch.random.fork_rng(devices):
        (torch.manual_seed if torch.accelerator.is_available() else torch.default_generator.manual_seed)(seed)
        yield
