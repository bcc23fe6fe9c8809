"""Somebody's own item: an image file, a row of a table or a list of numbers, and what the model makes of it."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import torch
from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, FiniteFloat, ValidationError

from vaekit import tasks
from vaekit.data import Column, Schema, Table, TableSchema
from vaekit.evaluation.subsets import subset
from vaekit.recipes import Run
from vaekit.recipes.detection import Cause
from vaekit.training import Feed

from . import items
from .bodies import JSON, content_type
from .depends import GivenRun, GivenWorker
from .errors import RefusedError, sentence_of
from .hosting import Hosted
from .judging import Judge
from .rows import cell, items_of

router = APIRouter()
UNLIKELY = 3.0  # nats of a category, which less than a twentieth of such rows have
USUAL = 256  # examples whose border says what the background is


class Given(BaseModel):
    """An item: the ``cells`` of a table's row by column, as texts, "" where missing, or the ``values`` of a vector."""

    model_config = ConfigDict(extra="forbid")

    cells: dict[str, str] | None = None
    values: list[FiniteFloat] | None = None


@router.post("/item")
async def item(request: Request, hosted: GivenRun, worker: GivenWorker) -> dict[str, Any]:
    """What the model makes of an item: ``item`` as it sees it, its ``reconstruction``, its place ``z``, and its
    ``surprise``; see :func:`judged`.
    """
    body, kind = await request.body(), content_type(request)

    def judge() -> dict[str, Any]:
        return judged(hosted.run, Judge.of(hosted), _raw(hosted.run.schema, body, kind))

    return await worker.run(judge)


@router.get("/start")
async def start(hosted: GivenRun, worker: GivenWorker, index: int | None = None) -> dict[str, Any]:
    """What an own item starts from: of a table the ``cells`` of the example at ``index``, a random one if left out, of
    vectors its ``values``, of images the ``background`` that most of the data are on, from 0 (black) to 1 (white).
    """
    return await worker.run(_start, hosted, index)


@router.get("/surprises")
async def surprises(hosted: GivenRun, worker: GivenWorker) -> dict[str, Any]:
    """The surprises of examples that the model has not seen, in order: what is usual."""
    judge = await Judge.ready(hosted, worker)
    return {"scores": judge.held.tolist()}


def judged(run: Run, judge: Judge, raw: np.ndarray | Table) -> dict[str, Any]:
    """What the model makes of a raw item (1, *layout), ``item`` and ``reconstruction`` as in an answer of /items.

    ``surprise`` in nats = the sum of ``cells``, of images those of each pixel (H, W), + ``latent`` - ``complexity``;
    ``causes`` say of each cell of a table's row what it adds, given the others, and what these let expect.
    """
    schema, found = run.schema, judge.explain(raw, top=len(run.schema.columns))
    if isinstance(schema, TableSchema):
        feed = Feed(torch.from_numpy(schema.normalize(raw, "missing")))
    else:
        feed = run.feed(raw)
    return {
        "item": packed(schema, feed.batch(slice(None)).x.numpy()),
        "reconstruction": packed(schema, tasks.reconstruct(run.model, feed).numpy()),
        "z": tasks.encode(run.model, feed)[0].tolist(),
        "surprise": float(found.surprise[0]),
        "latent": float(found.latent[0]),
        "complexity": float(found.complexity[0]),
        "cells": (found.cells[0].sum(0) if schema.kind == "image" else found.cells[0]).tolist(),
        "causes": [_cause(schema, cause) for cause in found.causes] if isinstance(schema, TableSchema) else None,
    }


def packed(schema: Schema | TableSchema, x: np.ndarray) -> dict[str, Any]:
    """Items as in an answer of /items, pictures in base64."""
    found = items.payload(schema, x)
    return found if isinstance(found, dict) else {"pictures": base64.b64encode(items.pictures(found)).decode()}


def _cause(schema: TableSchema, cause: Cause) -> dict[str, Any]:
    column = schema.table[schema.columns.index(cause.column)]
    words = {name: getattr(cause, name) for name in ("value", "expected", "low", "high")}
    return {
        "column": cause.column,
        "nats": cause.nats,
        "unexpected": _is_unexpected(column, cause),
        **{name: items.text(column, value) for name, value in words.items()},
    }


def _is_unexpected(column: Column, cause: Cause) -> bool:
    """Whether a number lies outside the interval in which the others let expect it, or a category is unlikely."""
    if cause.low is None:
        return cause.value is not None and cause.nats > UNLIKELY
    value, low, high = column.encode(np.array([cause.value, cause.low, cause.high], object))
    return bool(value < low or value > high)


def _raw(schema: Schema | TableSchema, body: bytes, kind: str) -> np.ndarray | Table:
    """The item that a request's body holds. Raises RefusedError or ValueError if it holds none of the run's kind."""
    if kind.startswith("image/"):
        return np.asarray(items_of(schema, body))
    if kind != JSON:
        raise RefusedError(415, f"expected an image file or {JSON}, got {kind[:80] or 'no content type'!r}")
    try:
        given = Given.model_validate_json(body)
    except ValidationError as error:
        raise RefusedError(422, sentence_of(error.errors())) from error
    if isinstance(schema, TableSchema):
        known = {column.name: column for column in schema.table}
        given_cells = given.cells or {}
        cells = {name: _cell(known[name], text) if name in known else text for name, text in given_cells.items()}
        return items_of(schema, [cells])
    if schema.kind == "image":
        raise RefusedError(422, f"expected an image file, as this run was trained on {schema.words}")
    if given.values is None or len(given.values) != schema.shape[0]:
        raise RefusedError(422, f"expected {schema.shape[0]} numbers, got {len(given.values or [])}")
    return np.array([given.values])


def _cell(column: Column, text: str) -> Any:
    """A cell's value: a known one of that text, else the text itself; None where it is empty."""
    named = {str(value).strip(): value for value in column.values}
    return named.get(text.strip(), text.strip()) if text.strip() else None


def _start(hosted: Hosted, index: int | None) -> dict[str, Any]:
    schema, count = hosted.run.schema, len(hosted.examples())
    if index is not None and not 0 <= index < count:
        raise RefusedError(422, f"expected a position from 0 to {count - 1:,}, got {index}")
    at = int(np.random.default_rng().integers(count)) if index is None else index
    if schema.kind == "image":
        some = hosted.feed().select(subset(count, USUAL)).batch(slice(None)).x
        border = torch.cat([some[..., 0, :], some[..., -1, :], some[..., :, 0], some[..., :, -1]], -1)
        return {"index": at, "background": float(border.median().clamp(0, 1))}
    x = hosted.feed().select(np.array([at])).batch(slice(None)).x.numpy()
    if isinstance(schema, TableSchema):
        cells = {column.name: _typed(column.decode(x[:, place])[0]) for place, column in enumerate(schema.table)}
        return {"index": at, "cells": cells}
    return {"index": at, "values": schema.restore(x, round=False)[0].astype(float).tolist()}


def _typed(value: Any) -> str:
    """A cell as it is typed into a form, "" where it is missing."""
    value = cell(value)
    return "" if value is None else f"{value:.10g}" if isinstance(value, float) else str(value)
