"""What the page asks for, below /page: JSON, or raw numbers (float32 little-endian, uint8)."""

from __future__ import annotations

from typing import Any

import numpy as np
from fastapi import APIRouter

from vaekit import tasks
from vaekit.data import Schema, TableSchema

from . import page_item, page_place, page_plane, page_points, page_samples, page_selection, page_training
from .depends import GivenHost, GivenRun
from .hosting import Hosted

COMMON = 0.25  # share of the whole range that the entries of a vector take if they share a scale
USUAL = 2.5  # standard deviations

router = APIRouter(prefix="/page", include_in_schema=False)
router.include_router(page_item.router)
router.include_router(page_place.router)
router.include_router(page_plane.router)
router.include_router(page_points.router)
router.include_router(page_samples.router)
router.include_router(page_selection.router)
router.include_router(page_training.router)


@router.get("/runs")
async def runs(host: GivenHost) -> dict[str, Any]:
    """The names of the runs, the first of which is meant where none is named."""
    return {"runs": [{"name": name} for name in host.names]}


@router.get("/run")
async def run(hosted: GivenRun) -> dict[str, Any]:
    """What the page must know of a run before it shows anything: what items are, and what the latent space is."""
    return facts(hosted)


def facts(hosted: Hosted) -> dict[str, Any]:
    """``kind`` of the items (image, vector, table), ``item`` [height, width, channels] of images, ``columns`` of
    tables, of vectors ``low`` and ``high``, the ends of each entry's scale; the number of ``latents``, whether they are
    ``discrete``; the ``labels`` a conditional model can be told.
    """
    run = hosted.run
    schema, context = run.schema, run.schema.context
    shape = tuple(schema.shape)
    return {
        "name": hosted.name,
        "data": run.request.data,
        "words": schema.words,
        "kind": schema.kind,
        "item": [shape[1], shape[2], 1 if shape[0] == 1 else 3] if schema.kind == "image" else None,
        "columns": columns(schema),
        **(_scales(schema) if isinstance(schema, Schema) and schema.kind == "vector" else {}),
        "latents": tasks.latent_size(run.model),
        "discrete": run.model.discrete,
        "labels": list(context.names) if context is not None and context.kind == "labels" else None,
        "epochs": len(run.history),
    }


def _scales(schema: Schema) -> dict[str, list[float]]:
    """What most of the data lie between: one scale for all entries, or where most of them would take but a small part
    of it, one for each.
    """
    offset, reach = np.array(schema.offset), USUAL * np.array(schema.scale)
    ends = (offset - reach, offset + reach) if schema.step is None else (schema.low, schema.high)
    low, high = (np.broadcast_to(np.array(end, float), schema.shape) for end in ends)
    if np.median(high - low) > COMMON * (high.max() - low.min()):
        low, high = np.full_like(low, low.min()), np.full_like(high, high.max())
    return {"low": low.tolist(), "high": high.tolist()}


def columns(schema: Schema | TableSchema) -> list[dict[str, Any]] | None:
    """The columns of a table: ``values`` by name, or None and the range of numbers, in words too; None without."""
    if not isinstance(schema, TableSchema):
        return None
    return [
        {
            "name": column.name,
            "kind": column.kind,
            "values": [str(value) for value in column.values] or None,
            "low": column.low,
            "high": column.high,
            "extent": None if column.values else column.extent,
        }
        for column in schema.table
    ]
