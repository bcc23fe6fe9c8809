"""Tasks of a run on the worker: large requests part by part, small ones of several clients together."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch

from vaekit import tasks
from vaekit.data import Table
from vaekit.recipes import Run
from vaekit.training import Feed

from .errors import RefusedError
from .hosting import Hosted
from .rows import items_of, recorded
from .settings import Settings
from .worker import Worker

ROWS = 512  # of a part
SCORED = 2**14  # rows times importance samples of a part
COLUMNS = ("log_likelihood", "elbo", "reconstruction", "kl", "ess")

Rows = tuple[np.ndarray, ...]  # what a task treats row by row: items in model units, or latents, and the context if any


@dataclass(frozen=True)
class Operator:
    """The tasks of a run as it is now."""

    hosted: Hosted
    run: Run
    worker: Worker
    settings: Settings

    @classmethod
    def of(cls, hosted: Hosted, worker: Worker, settings: Settings) -> Operator:
        """For one request."""
        return cls(hosted, hosted.run, worker, settings)

    @property
    def is_table(self) -> bool:
        """Whether items are the rows of a table."""
        return self.run.schema.kind == "table"

    async def raw(self, x: Any, *, hidden: bool = False) -> Table | np.ndarray:
        """What a request gives as raw items, ``hidden`` values of which are NaN. Raises RefusedError for too many,
        ValueError for others than the run's.
        """
        if isinstance(x, bytes):
            return await self.worker.run(items_of, self.run.schema, x)
        found = items_of(self.run.schema, x)
        self.check(len(found))
        return found if isinstance(found, Table) or hidden else recorded(self.run.schema, found)

    async def items(self, x: Any, label: Any = None) -> Rows:
        """Items in model units (N, *event), and their context. Raises ValueError for others than the run's."""
        raw, schema = await self.raw(x), self.run.schema
        if schema.binarized:  # drawn from grey values as for every other task

            def drawn() -> np.ndarray:
                return self.run.feed(raw).batch(slice(None)).x.numpy()

            inside = await self.worker.run(drawn)
        else:
            inside = schema.normalize(raw)
        return self.told(inside, label)

    def told(self, rows: np.ndarray, label: Any) -> Rows:
        """Rows with what a conditional model is told of each."""
        y = label if label is None or isinstance(label, list) else [label]
        c = self.run.context(len(rows), y)
        return (rows,) if c is None else (rows, c.numpy())

    def check(self, n: int, samples: int = 1) -> None:
        """Raise RefusedError where that is nothing, or more than one request may ask for."""
        if n < 1:
            raise RefusedError(422, "expected at least one item, got none")
        if n > self.settings.items:
            raise RefusedError(413, f"a request has at most {self.settings.items:,} items, this one {n:,}")
        if samples > self.settings.samples:
            raise RefusedError(422, f"at most {self.settings.samples:,} importance samples are taken, not {samples:,}")

    async def encode(self, rows: Rows) -> np.ndarray:
        """Posterior means (N, D)."""
        return await self._each("encode", lambda *part: tasks.encode(self.run.model, _feed(*part)), rows)

    async def decode(self, rows: Rows, *, draw: bool = False, seed: int = 0) -> np.ndarray:
        """Latents ↦ items in model units."""
        task = partial(_decode, self.run, draw=draw, seed=seed)
        if draw:
            return (await self.worker.run(task, *rows)).numpy()
        return await self._each("decode", task, rows)

    async def reconstruct(self, rows: Rows) -> np.ndarray:
        """Items ↦ what is left of them, in model units."""
        return await self._each("reconstruct", lambda *part: tasks.reconstruct(self.run.model, _feed(*part)), rows)

    async def score(self, rows: Rows, samples: int, seed: int) -> np.ndarray:
        """(N, 5), the columns as ``COLUMNS`` names them."""

        def task(*part: np.ndarray) -> torch.Tensor:
            found = tasks.importance(self.run.model, _feed(*part), samples, seed=seed)
            return torch.stack([getattr(found, name) for name in COLUMNS], 1)

        self.check(len(rows[0]), samples)
        return await self._each(("score", samples, seed), task, rows, max(1, SCORED // samples))

    async def _each(
        self, key: Hashable, task: Callable[..., torch.Tensor], rows: Rows, at_once: int = ROWS
    ) -> np.ndarray:
        """A task that treats each row by itself: in parts, between which others come, joined with theirs."""
        key = (key, id(self.run), self.run.model, *(part.shape[1:] for part in rows))

        def numbers(*part: np.ndarray) -> np.ndarray:
            return task(*part).numpy()

        parts = [[part[at : at + at_once] for part in rows] for at in range(0, len(rows[0]), at_once)]
        found = [await self.worker.batched(key, numbers, *part) for part in parts]
        return found[0] if len(found) == 1 else np.concatenate(found)


def _feed(x: np.ndarray, c: np.ndarray | None = None) -> Feed:
    return Feed(_tensor(x), c=None if c is None else _tensor(c))


def _decode(run: Run, z: np.ndarray, c: np.ndarray | None = None, *, draw: bool, seed: int) -> torch.Tensor:
    return tasks.decode(run.model, _tensor(z), None if c is None else _tensor(c), draw=draw, seed=seed)


def _tensor(values: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(values if values.flags.writeable and values.flags.c_contiguous else np.array(values))
