"""The data of a run in its latent space: encoded part by part, and the axes along which they are looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from vaekit import tasks
from vaekit.core import LatentModel
from vaekit.evaluation.latent import kl_each
from vaekit.evaluation.subsets import subset
from vaekit.recipes import Run
from vaekit.training import Feed

PART = 256  # examples encoded at a time, so that other requests come in between
DRAWS = 2000  # of the prior, which say how far it reaches
SAMPLE = 1000  # examples by which axes are judged
DIRECTIONS = 8  # principal ones at most
REACH = 0.002  # share of the prior's draws left out at both ends


class Encoding:
    """The posterior means ``z`` (N, D) of the examples of a feed, of which the first ``done`` are known."""

    def __init__(self, model: LatentModel, feed: Feed):
        self._model, self._feed = model, feed
        self.z = np.empty((len(feed), tasks.latent_size(model)), np.float32)
        self.done = 0

    def __len__(self) -> int:
        return len(self.z)

    def advance(self, beyond: int) -> int:
        """Encode a part more, unless more than ``beyond`` are known already; how many are known now."""
        if self.done <= beyond < len(self):
            stop = min(self.done + PART, len(self))
            self.z[self.done : stop] = tasks.encode(self._model, self._feed.select(np.arange(self.done, stop))).numpy()
            self.done = stop
        return self.done

    def finish(self) -> np.ndarray:
        """All of them."""
        while self.done < len(self):
            self.advance(self.done)
        return self.z


@dataclass(frozen=True, eq=False)
class Axes:
    """The latent dimensions, ``order`` by how much each matters, and the principal directions of the data.

    ``importance`` of each dimension is what ``measure`` says: its ``kl`` in nats, or the ``variance`` of the posterior
    means; None without data. ``center`` (D,) is the origin of the principal ``directions`` (k, D), which hold the
    ``shares`` of the variance and along which the data reach to both ``ends`` (k, 2); ``low`` and ``high`` (D,) are how
    far the prior reaches.
    """

    order: list[int]
    importance: list[float] | None
    measure: str | None
    center: np.ndarray
    directions: np.ndarray
    shares: list[float]
    ends: np.ndarray
    low: np.ndarray
    high: np.ndarray

    @classmethod
    def of(cls, run: Run, feed: Feed | None) -> Axes:
        """Judged by some of the examples, or without them by the prior alone."""
        drawn = tasks.sample_latents(run.model, DRAWS, run.context(DRAWS)).numpy()
        low, high = np.quantile(drawn, [REACH, 1 - REACH], axis=0)
        importance, measure = None, None
        if feed is not None:
            chosen = feed.select(subset(len(feed), SAMPLE))
            drawn = tasks.encode(run.model, chosen).numpy()
            importance, measure = kl_each(run.model, chosen), "kl"
            if importance is None:
                importance, measure = drawn.var(0).tolist(), "variance"
        order = list(range(drawn.shape[1])) if importance is None else np.argsort(-np.array(importance)).tolist()
        center = drawn.mean(0)
        directions, shares = _principal(drawn - center)
        ends = np.quantile((drawn - center) @ directions.T, [REACH, 1 - REACH], axis=0).T
        return cls(order, importance, measure, center, directions, shares, ends, low, high)

    def coordinate(self, z: np.ndarray, name: str) -> np.ndarray:
        """Where z (N, D) lie along a dimension, such as ``"3"``, or a principal direction, such as ``"p0"``.

        Raises ValueError if there is none of that name.
        """
        number = name.removeprefix("p")
        known = len(self.directions) if name != number else z.shape[1]
        if not (number.isdecimal() and int(number) < known):
            raise ValueError(
                f"expected a dimension from 0 to {z.shape[1] - 1}, or a principal direction from p0 to "
                f"p{len(self.directions) - 1}, got {name[:20]!r}"
            )
        if name == number:
            return z[:, int(number)]
        return (z - self.center) @ self.directions[int(number)]

    def to_json(self) -> dict[str, Any]:
        """A plain dictionary."""
        return {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in vars(self).items()}


def _principal(centered: np.ndarray) -> tuple[np.ndarray, list[float]]:
    """The directions (k, D) of most variance, each pointing to where its largest entry is positive; their shares."""
    _, size, directions = np.linalg.svd(centered.astype(np.float64), full_matrices=False)
    directions = directions[:DIRECTIONS]
    largest = np.take_along_axis(directions, np.abs(directions).argmax(1, keepdims=True), 1)
    shares = size**2 / max(float((size**2).sum()), np.finfo(float).tiny)
    return (directions * np.sign(largest)).astype(np.float32), shares[: len(directions)].tolist()


def decode(run: Run, z: np.ndarray, label: str | None = None) -> torch.Tensor:
    """Latents (N, D) ↦ what the model makes of them, in model units; told the label if the model is conditional."""
    c = run.context(1, None if label is None else [label])
    return tasks.decode(run.model, torch.from_numpy(np.array(z, np.float32)), c)
