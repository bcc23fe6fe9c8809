"""Runs that are hosted by name, and what is known of each, computed when first asked for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch

from vaekit import tasks
from vaekit.recipes import Run
from vaekit.recipes.examples import Examples, choose_examples
from vaekit.store import RunFolder
from vaekit.training import Feed

from .encoding import Axes, Encoding, decode

T = TypeVar("T")
LOOK = 1.0  # seconds between two looks whether a run has trained on


class Hosted:
    """A run with its name, its folder if it has one, and facts about it.

    Everything but ``name``, ``path`` and :meth:`stale` is for the worker's thread. Facts are kept until the run is read
    again, because it was trained on.
    """

    def __init__(self, name: str, path: Path | None = None, run: Run | None = None, device: str = "auto"):
        self.name, self.path, self.device = name, path, device
        self._run = run
        self._facts: dict[Any, Any] = {}
        self._version = self._stamp()
        self._looked = time.monotonic()

    @property
    def run(self) -> Run:
        """The run, read when first asked for. Raises OSError or ValueError with one sentence if it cannot be."""
        if self._run is None:
            assert self.path is not None
            self._version = self._stamp()
            self._run = Run.load(self.path, self.device)
        return self._run

    def warm(self) -> None:
        """Read the run, look at its axes and decode once, so that nobody waits for what is set up at first use."""
        run = self.run
        decode(run, np.zeros((64, tasks.latent_size(run.model)), np.float32))
        self.axes()

    @property
    def loaded(self) -> bool:
        """Whether the run is in memory."""
        return self._run is not None

    def fact(self, key: Any, compute: Callable[[], T]) -> T:
        """What ``compute`` gives, computed once for each state of the run; ``key`` is hashable."""
        if key not in self._facts:
            self._facts[key] = compute()
        return self._facts[key]

    def stale(self) -> bool:
        """Whether the folder holds newer weights than those that are loaded; looks at most once a second."""
        if self.path is None or self._run is None or time.monotonic() - self._looked < LOOK:
            return False
        self._looked = time.monotonic()
        return self._stamp() != self._version

    def refresh(self) -> None:
        """Read the run again and forget the facts."""
        if self.path is not None:
            self._version = self._stamp()
            self._run = Run.load(self.path, self.device)
            self._facts.clear()

    def examples(self) -> Examples:
        """The data that say most about the run, see :func:`vaekit.recipes.choose_examples`.

        Raises ValueError or OSError with one sentence where they are not known or not found.
        """
        return self.fact("examples", lambda: choose_examples(self.run))

    def feed(self) -> Feed:
        """The same for tasks."""
        examples = self.examples()
        return self.fact("feed", lambda: self.run.feed(examples.x, examples.y))

    def encoding(self) -> Encoding:
        """Their posterior means, as far as they are computed."""
        return self.fact("encoding", lambda: Encoding(self.run.model, self.feed()))

    def latents(self) -> torch.Tensor:
        """Their posterior means, (N, D)."""
        return torch.from_numpy(self.encoding().finish())

    def axes(self) -> Axes:
        """The axes of the latent space, of more than two those that matter most first."""
        return self.fact("axes", lambda: Axes.of(self.run, self._judging_feed()))

    def _judging_feed(self) -> Feed | None:
        if tasks.latent_size(self.run.model) <= 2:
            return None
        try:
            return self.feed()
        except (OSError, ValueError):
            return None

    def _stamp(self) -> tuple[int, int] | None:
        if self.path is None:
            return None
        try:
            found = RunFolder(self.path).model.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size


class UnknownRunError(KeyError):
    """There is no run of that name; its argument says which there are."""


class Host:
    """Hosted runs by name, in order; the first is meant where none is named."""

    def __init__(self, hosted: Iterable[Hosted]):
        self._hosted = {one.name: one for one in hosted}
        if not self._hosted:
            raise ValueError("expected at least one run to serve, got none")

    @classmethod
    def open(cls, folders: Iterable[str | Path], device: str = "auto") -> Host:
        """The runs in these folders, such as :func:`vaekit.store.runs_in` finds, each read when first asked for."""
        found: dict[str, Hosted] = {}
        for path in map(Path, folders):
            name = _free_name(path, found)
            found[name] = Hosted(name, path, device=device)
        return cls(found.values())

    @classmethod
    def of(cls, runs: Mapping[str, Run]) -> Host:
        """Runs that are loaded already."""
        return cls(Hosted(name, run.path, run) for name, run in runs.items())

    @property
    def names(self) -> list[str]:
        """The names, in order."""
        return list(self._hosted)

    def get(self, name: str | None = None) -> Hosted:
        """The run of that name, or the first. Raises UnknownRunError if there is none."""
        if name is None:
            return next(iter(self._hosted.values()))
        if name not in self._hosted:
            raise UnknownRunError(f"there is no run {name[:80]!r}; there are: {', '.join(self._hosted)}")
        return self._hosted[name]


def _free_name(path: Path, taken: Mapping[str, Any]) -> str:
    """The folder's name, with that of the folder above or a number where it is taken."""
    name = path.resolve().name
    candidates = [name, f"{path.resolve().parent.name}-{name}", *(f"{name}-{count}" for count in range(2, 10_000))]
    return next(candidate for candidate in candidates if candidate not in taken)
