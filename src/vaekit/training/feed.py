"""Examples in memory, sliced by index on the training device."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from vaekit.core import Batch
from vaekit.data.schema import Schema


class Feed:
    """All examples as one tensor on the device in the data's own dtype; scaled to model units batch by batch.

    Slicing permuted indices costs microseconds where a DataLoader costs milliseconds a step.
    """

    def __init__(self, x: Tensor, offset: float = 0.0, scale: float = 1.0, c: Tensor | None = None):
        self.x, self.c = x, c
        self.offset, self.scale = offset, scale

    @classmethod
    def from_raw(cls, schema: Schema, raw: np.ndarray, device: torch.device | str = "cpu") -> Feed:
        """Raw items, checked against the schema. Images keep their dtype; columns are scaled once, in float64."""
        if schema.kind == "image":
            x, (offset,), (scale,) = schema.arrange(raw), schema.offset, schema.scale
        else:
            x, offset, scale = schema.normalize(raw), 0.0, 1.0
        if x.dtype in (np.uint16, np.uint32, np.uint64):
            x = x.astype(np.int64 if x.dtype != np.uint16 else np.int32)
        if not (x.flags.writeable and x.flags.c_contiguous):
            x = np.array(x, order="C")
        return cls(torch.from_numpy(x).to(device), float(offset), float(scale))

    def __len__(self) -> int:
        return len(self.x)

    def select(self, index: np.ndarray | Tensor) -> Feed:
        """The examples at the given positions, as a feed of their own."""
        at = torch.as_tensor(index, device=self.x.device)
        return Feed(self.x[at], self.offset, self.scale, None if self.c is None else self.c[at])

    def batch(self, index: Tensor | slice) -> Batch:
        """Examples in model units, float32."""
        x = self.x[index]
        x = x - self.offset if self.offset else x
        x = x / self.scale if self.scale != 1 else x
        return Batch(x.float(), None if self.c is None else self.c[index])

    def chunks(self, size: int) -> Iterator[Batch]:
        """All examples in order, ``size`` at a time."""
        for start in range(0, len(self), size):
            yield self.batch(slice(start, start + size))


def stream(seed: int, *keys: int) -> int:
    """A well-mixed 64-bit seed for a named stream of random numbers (splitmix64 over the keys).

    Each step of training seeds its own stream, so that a resumed run draws what an unbroken one would have.
    """
    mask = (1 << 64) - 1
    state = seed & mask
    for key in keys:
        state = (state + (key + 1) * 0x9E3779B97F4A7C15) & mask
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & mask
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & mask
        state ^= state >> 31
    return state >> 1


def seed_generator(device: torch.device, seed: int) -> None:
    """Seed the default generator of the device that draws, alone; call inside ``isolated_rng``."""
    if device.type == "cuda":
        torch.cuda.default_generators[device.index or 0].manual_seed(seed)
    elif device.type == "mps":
        torch.mps.manual_seed(seed)
    else:
        torch.default_generator.manual_seed(seed)


def permutation(n: int, seed: int) -> Tensor:
    """A random order of n examples, the same on every device and in every process."""
    return torch.randperm(n, generator=torch.Generator().manual_seed(seed))


def share(n: int, rank: int, world: int) -> tuple[int, int]:
    """The rows [start, stop) of n that a process takes; sizes differ by at most one."""
    return n * rank // world, n * (rank + 1) // world
