"""A plane through the latent space: its axes, and what points of it decode to."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter, Query, Request, Response

from vaekit import tasks

from . import items
from .depends import GivenRun, GivenWorker
from .encoding import decode
from .errors import RefusedError

router = APIRouter()
MOST = 1024  # points decoded by one request

Label = Annotated[str | None, Query(description="what a conditional model is told; unknown if left out")]


@router.get("/axes")
async def axes(hosted: GivenRun, worker: GivenWorker) -> dict[str, Any]:
    """The axes of the latent space, see :class:`vaekit.server.encoding.Axes`."""
    return (await worker.run(hosted.axes)).to_json()


@router.post("/decode")
async def decoded(
    request: Request,
    hosted: GivenRun,
    worker: GivenWorker,
    label: Label = None,
    form: Annotated[Literal["items", "numbers"], Query(alias="as")] = "items",
) -> Response:
    """Points z as little-endian float32 (n, D) ↦ what they decode to.

    ``as=numbers`` gives tables and vectors as :func:`vaekit.server.items.numbers` (n, columns).
    """
    run = hosted.run
    z = _points(await request.body(), tasks.latent_size(run.model))
    x = await worker.batched(("decode", run, label), lambda rows: decode(run, rows, label).numpy(), z)
    if form == "numbers":
        return Response(items.numbers(run.schema, x), media_type=items.BINARY)
    return items.response(run.schema, x)


def _points(body: bytes, size: int) -> np.ndarray:
    if len(body) % (4 * size) or not 0 < len(body) <= 4 * size * MOST:
        raise RefusedError(
            422, f"expected 1 to {MOST:,} points of {size} numbers as float32, {4 * size} bytes each, got {len(body)}"
        )
    z = np.frombuffer(body, "<f4").reshape(-1, size)
    if not np.isfinite(z).all():
        raise RefusedError(422, "expected finite numbers; some are NaN or infinite")
    return z
