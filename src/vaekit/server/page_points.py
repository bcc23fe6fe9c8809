"""The encoded data as points: where they lie, how they are coloured, and the items behind them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Query, Response
from fastapi.responses import StreamingResponse

from vaekit import tasks
from vaekit.data import Schema, TableSchema
from vaekit.recipes import Examples

from . import items
from .bodies import JSON
from .depends import GivenRun, GivenWorker
from .errors import RefusedError
from .hosting import Hosted
from .worker import Worker

router = APIRouter()
MOST = 256  # items of one request
MOST_NAMES = 20  # classes with a colour of their own
LABEL = "label"

Index = Annotated[str, Query(description="positions among the examples, such as 3 or 3,17,4")]


@router.get("/data")
async def data(hosted: GivenRun, worker: GivenWorker) -> dict[str, Any]:
    """How many examples there are, which they are, and what they can be coloured by; or ``why`` there are none."""
    try:
        examples = await worker.run(hosted.examples)
    except (OSError, ValueError) as error:
        return no_data(error)
    return data_facts(examples, hosted.run.schema)


@router.get("/points")
async def points(hosted: GivenRun, worker: GivenWorker, first: str = "0", second: str = "1") -> StreamingResponse:
    """Where the examples lie in a plane, float32 (N, 2), as they are encoded; see :meth:`Axes.coordinate`."""
    axes = await worker.run(hosted.axes)
    encoding = await worker.run(hosted.encoding)
    for name in (first, second):
        axes.coordinate(encoding.z[:0], name)  # refuses what there is not before the answer has begun

    async def parts() -> AsyncIterator[bytes]:
        sent = 0
        while sent < len(encoding):
            known = encoding.done
            if known == sent:
                known = await worker.run(encoding.advance, sent)
            z, sent = encoding.z[sent:known], known
            yield np.stack([axes.coordinate(z, first), axes.coordinate(z, second)], 1).astype("<f4").tobytes()

    return StreamingResponse(parts(), media_type=items.BINARY, headers={"Content-Length": str(8 * len(encoding))})


@router.get("/colors")
async def colors(hosted: GivenRun, worker: GivenWorker, by: str = LABEL) -> Response:
    """``values`` of the examples: positions in ``names`` (-1 where unknown), or numbers (null) where names are null."""
    names, values = await worker.run(hosted.fact, ("colors", by), lambda: labels(hosted.examples(), by))
    return Response(json.dumps({"names": names, "values": values}), media_type=JSON)


@router.get("/items")
async def some_items(hosted: GivenRun, worker: GivenWorker, index: Index, reconstructed: bool = False) -> Response:
    """The items at these positions and, if asked for, behind them what the model makes of each."""
    examples = await worker.run(hosted.examples)
    x = await _items(hosted, worker, positions(index, len(examples)), reconstructed)
    return items.response(hosted.run.schema, x)


def no_data(error: Exception) -> dict[str, Any]:
    """What is said of data that cannot be had."""
    return {"count": 0, "why": str(error), "by": []}


def data_facts(examples: Examples, schema: Schema | TableSchema) -> dict[str, Any]:
    """What is said of examples: how many, which they are, and what they can be coloured by."""
    by = [] if examples.y is None else [LABEL]
    by += schema.columns if isinstance(schema, TableSchema) else []
    return {"count": len(examples), "description": examples.description, "by": by}


def positions(text: str, count: int) -> np.ndarray:
    """The positions of examples that a text such as ``3,17,4`` names. Raises :class:`RefusedError`."""
    parts = text.split(",")
    if len(parts) > MOST:
        raise RefusedError(422, f"expected at most {MOST} positions, got {len(parts)}")
    wrong = [part for part in parts if not (part.isascii() and part.isdecimal() and float(part) < count)]
    if wrong:
        raise RefusedError(422, f"expected positions from 0 to {count - 1:,}, got {wrong[0][:20]!r}")
    return np.array([int(part) for part in parts])


async def _items(hosted: Hosted, worker: Worker, index: np.ndarray, reconstructed: bool) -> np.ndarray:
    def read() -> np.ndarray:
        feed = hosted.feed().select(index)
        x = feed.batch(slice(None)).x.numpy()
        return np.concatenate([x, tasks.reconstruct(hosted.run.model, feed).numpy()]) if reconstructed else x

    return await worker.run(read)


def labels(examples: Examples, by: str) -> tuple[list[str] | None, list[Any]]:
    """Names and positions in them, or None and numbers. Of many names the most frequent stay, and "other" the rest."""
    if by == LABEL and examples.y is not None:
        values, known, names = np.asarray(examples.y), np.full(len(examples), True), list(examples.classes)
    else:
        (values, known), names = examples.column(by), []
    if values.dtype.kind == "f":
        return None, [float(f"{value:.6g}") if there else None for value, there in zip(values, known, strict=True)]
    if names and values.dtype.kind in "iu":
        codes = np.where((values >= 0) & (values < len(names)), values, -1)
    else:
        found, codes = np.unique(values[known], return_inverse=True)
        if values.dtype.kind in "iu" and len(found) > MOST_NAMES:
            return None, values.tolist()
        names, spread = [str(name) for name in found], np.full(len(values), -1)
        spread[known] = codes
        codes = spread
    return _most_frequent(names, codes)


def _most_frequent(names: list[str], codes: np.ndarray) -> tuple[list[str], list[int]]:
    if len(names) <= MOST_NAMES:
        return names, codes.tolist()
    count = np.bincount(codes[codes >= 0], minlength=len(names))
    kept = np.sort(np.argsort(-count, kind="stable")[: MOST_NAMES - 1])
    place = np.full(len(names) + 1, MOST_NAMES - 1)
    place[kept], place[-1] = np.arange(len(kept)), -1
    return [*(names[k] for k in kept), f"other ({len(names) - len(kept)})"], place[codes].tolist()
