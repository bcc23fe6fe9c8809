"""Where a point of the latent space lies among the data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from vaekit import tasks
from vaekit.evaluation.subsets import subset

from .depends import GivenRun, GivenWorker
from .encoding import Encoding
from .errors import RefusedError
from .hosting import Hosted
from .plane import Plane
from .worker import Worker

router = APIRouter()
MOST = 6000  # examples that a point is placed among
NEIGHBORS = 12


class Place(BaseModel):
    """A point of the latent space."""

    model_config = ConfigDict(extra="forbid")

    z: list[FiniteFloat] = Field(min_length=1)


@dataclass(frozen=True, eq=False)
class Crowd:
    """Some of the examples, by their positions ``index``, with their latents and, if there is one, the plane that shows
    most of them.
    """

    index: np.ndarray
    encoding: Encoding
    plane: Plane | None

    @classmethod
    def of(cls, hosted: Hosted) -> Self:
        """A run's, the same at every call."""
        feed, axes = hosted.feed(), hosted.axes()
        index = subset(len(feed), MOST)
        plane = Plane.of(axes) if len(axes.directions) > 1 else None
        return cls(index.numpy(), Encoding(hosted.run.model, feed.select(index)), plane)


@router.get("/map")
async def map_(hosted: GivenRun, worker: GivenWorker) -> dict[str, Any]:
    """Some of the examples by ``index``, and where they lie on the plane, ``points`` (N, 2); None in one dimension."""
    crowd = await _crowd(hosted, worker)
    points = None if crowd.plane is None else crowd.plane.coordinates(crowd.encoding.z).round(4).tolist()
    return {"index": crowd.index.tolist(), "points": points}


@router.post("/place")
async def place(hosted: GivenRun, worker: GivenWorker, given: Place) -> dict[str, Any]:
    """Where a point lies ``at`` on the plane, and the nearest of these examples, by ``index`` and ``distance``."""
    size = tasks.latent_size(hosted.run.model)
    if len(given.z) != size:
        raise RefusedError(422, f"expected a z of {size} numbers, got {len(given.z)}")
    crowd, z = await _crowd(hosted, worker), np.array(given.z, np.float32)
    distance = np.linalg.norm(crowd.encoding.z - z, axis=1)
    nearest = np.argsort(distance, kind="stable")[:NEIGHBORS]
    at = None if crowd.plane is None else crowd.plane.coordinates(z[None])[0].tolist()
    return {"at": at, "index": crowd.index[nearest].tolist(), "distance": distance[nearest].tolist()}


async def _crowd(hosted: Hosted, worker: Worker) -> Crowd:
    """All encoded, a part at a time so that other requests come in between."""
    crowd = await worker.run(hosted.fact, "crowd", lambda: Crowd.of(hosted))
    while crowd.encoding.done < len(crowd.encoding):
        await worker.run(crowd.encoding.advance, crowd.encoding.done)
    return crowd
