"""Examples in memory, sliced by index on the training device."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vaekit.core import Batch
from vaekit.data import Schema, TableSchema
from vaekit.noise import Noise

BINARIZATION = 1  # the seed with which examples are binarized once
FORGOTTEN = 0.1  # share of the labels hidden at a training step, so that a conditional model knows the unconditional


class Feed:
    """All examples as one tensor on the device in the data's own dtype; scaled to model units batch by batch.

    Slicing permuted indices costs microseconds where a DataLoader costs milliseconds a step. ``varying`` examples are
    drawn anew in each batch, as training wants them: binarized ones from their grey values, and a tenth of the
    contexts c replaced by ``unknown``. NaN stands for what was not observed: such batches come with a mask.
    """

    def __init__(
        self,
        x: Tensor,
        offset: float = 0.0,
        scale: float = 1.0,
        c: Tensor | None = None,
        *,
        binarized: bool = False,
        unknown: Tensor | None = None,
        varying: bool = False,
    ):
        self.x, self.c = x, c
        self.offset, self.scale = offset, scale
        self.binarized, self.unknown, self.varying = binarized, unknown, varying
        self.has_missing = x.is_floating_point() and bool(x.isnan().any())

    @classmethod
    def from_raw(
        cls,
        schema: Schema | TableSchema,
        raw: Any,
        device: torch.device | str = "cpu",
        *,
        y: Any = None,
        varying: bool = False,
    ) -> Feed:
        """Raw items, checked against the schema. Images keep their dtype; columns are scaled once, in float64.

        ``y`` are labels or covariates for models that are told of them. Unless ``varying``, binarized examples are
        drawn once, with a fixed seed.
        """
        if schema.kind == "image":
            x, (offset,), (scale,) = schema.arrange(raw), schema.offset, schema.scale
        else:
            x, offset, scale = schema.normalize(raw), 0.0, 1.0
        if x.dtype in (np.uint16, np.uint32, np.uint64):
            x = x.astype(np.int64 if x.dtype != np.uint16 else np.int32)
        if not (x.flags.writeable and x.flags.c_contiguous):
            x = np.array(x, order="C")
        c = unknown = None
        if schema.context is not None:
            c = torch.from_numpy(schema.context.encode(y, len(x))).to(device)
            unknown = torch.from_numpy(schema.context.encode(None, 1)).to(device)
        feed = cls(
            torch.from_numpy(x).to(device),
            float(offset),
            float(scale),
            c,
            binarized=schema.binarized,
            unknown=unknown,
            varying=True,
        )
        return feed if varying else feed.fixed()

    def __len__(self) -> int:
        return len(self.x)

    def select(self, index: np.ndarray | Tensor) -> Feed:
        """The examples at the given positions, as a feed of their own."""
        at = torch.as_tensor(index, device=self.x.device)
        return self._like(self.x[at], None if self.c is None else self.c[at])

    def fixed(self) -> Feed:
        """The same examples, the same at every look: binarized once, every context as it is."""
        feed = self._like(self.x, self.c)
        feed.varying = False
        if self.binarized and self.varying:
            grey = self._scaled(self.x).cpu().numpy()
            drawn = np.random.default_rng(BINARIZATION).random(grey.shape, np.float32) < grey
            feed.x, feed.offset, feed.scale = torch.from_numpy(drawn).to(self.x.device), 0.0, 1.0
        return feed

    def batch(self, index: Tensor | slice, noise: Noise | None = None) -> Batch:
        """Examples in model units, float32; varying ones drawn by ``noise``."""
        x, c = self._scaled(self.x[index]), None if self.c is None else self.c[index]
        mask = ~x.isnan() if self.has_missing else None
        if not self.varying:
            return Batch(x, c, mask)
        noise = noise or Noise()
        if self.binarized:
            x = (noise.uniform(1, len(x), x.shape[1:], x)[0] < x).float()
        if c is not None and self.unknown is not None:
            forgotten = noise.uniform(1, len(c), torch.Size([1]), c)[0] < FORGOTTEN
            c = torch.where(forgotten, self.unknown, c)
        return Batch(x, c, mask)

    def chunks(self, size: int) -> Iterator[Batch]:
        """All examples in order, ``size`` at a time."""
        for start in range(0, len(self), size):
            yield self.batch(slice(start, start + size))

    def _scaled(self, x: Tensor) -> Tensor:
        x = x - self.offset if self.offset else x
        x = x / self.scale if self.scale != 1 else x
        return x.float()

    def _like(self, x: Tensor, c: Tensor | None) -> Feed:
        return Feed(x, self.offset, self.scale, c, binarized=self.binarized, unknown=self.unknown, varying=self.varying)


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
