"""New items for the page: drawn from the prior, and on the way from one item of the data to another."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from fastapi import APIRouter, Query, Response
from torch import Tensor

from vaekit import tasks

from . import items
from .depends import GivenRun, GivenWorker
from .page_plane import Label
from .page_points import positions

router = APIRouter()

Count = Annotated[int, Query(ge=1, le=256, description="how many")]
Temperature = Annotated[float, Query(gt=0, le=4, description="spread of the latents, in units of the prior's")]
Seed = Annotated[int, Query(ge=0, lt=2**31)]


@router.get("/samples")
async def samples(
    hosted: GivenRun,
    worker: GivenWorker,
    n: Count = 64,
    temperature: Temperature = 1.0,
    seed: Seed = 0,
    label: Label = None,
    draw: Annotated[bool, Query(description="draw values too, not their mean given the latents")] = False,
) -> Response:
    """New items, see :func:`vaekit.tasks.generate`; the same seed gives the same ones."""
    run = hosted.run

    def generate() -> np.ndarray:
        c = run.context(n, None if label is None else [label])
        return tasks.generate(run.model, n, c, draw=draw, temperature=temperature, seed=seed).numpy()

    return items.response(run.schema, await worker.run(generate))


@router.get("/walk")
async def walk(
    hosted: GivenRun,
    worker: GivenWorker,
    start: int,
    end: int,
    steps: Annotated[int, Query(ge=2, le=256)] = 60,
    path: Literal["linear", "spherical"] = "linear",
    label: Label = None,
) -> Response:
    """What the way from one example's latents to another's decodes to, see :func:`vaekit.tasks.interpolate`."""
    run = hosted.run
    examples = await worker.run(hosted.examples)
    ends = positions(f"{start},{end}", len(examples))

    def decoded() -> Tensor:
        z = tasks.encode(run.model, hosted.feed().select(ends))
        c = run.context(1, None if label is None else [label])
        return tasks.interpolate(run.model, z[:1], z[1:], steps, c, path=path)[0]

    return items.response(run.schema, (await worker.run(decoded)).numpy())
