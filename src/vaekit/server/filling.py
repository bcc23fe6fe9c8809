"""Hidden cells of items, given the others."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from vaekit import tasks
from vaekit.data import Schema, Table
from vaekit.data.masks import hidden_part
from vaekit.data.pictures import as_pixels
from vaekit.data.scaling import channel_axis
from vaekit.recipes.imputation import Completed, Imputer, impute_table
from vaekit.training import Feed

from . import rows
from .bodies import Result, numbers
from .errors import RefusedError
from .operations import Operator
from .schemas import ImputeRequest

PART = 128  # items filled in at a time, so that other requests come in between


async def filled_rows(op: Operator, asked: ImputeRequest) -> Result:
    """Rows of a table: observed cells stay as they are."""
    if asked.mask is not None:
        raise RefusedError(422, "mask is for images; of rows the cells that are null or left out are filled in")
    table = await op.raw(asked.x)
    assert isinstance(table, Table)
    imputer = Imputer((op.run,), torch.zeros(len(op.run.schema.columns)), asked.level)

    def task(at: int) -> Completed:
        part, seed = table[at : at + PART], asked.seed + at
        ends = asked.intervals
        return impute_table(imputer, part, draws=asked.draws, samples=asked.samples, intervals=ends, seed=seed)

    found = [await op.worker.run(task, at) for at in range(0, len(table), PART)]

    def joined(tables: list[Table]) -> list[dict[str, Any]]:
        return [row for table in tables for row in rows.table_records(table.columns)]

    def document() -> dict[str, Any]:
        return {
            "x": joined([part.table for part in found]),
            "ess": None,
            "draws": [joined(list(tables)) for tables in zip(*(part.draws for part in found), strict=True)] or None,
            "low": joined([part.low for part in found]) if asked.intervals else None,
            "high": joined([part.high for part in found]) if asked.intervals else None,
        }

    return Result(document, lambda: _numeric(op, [part.table for part in found]), size=len(table) * 1000)


async def filled_items(op: Operator, asked: ImputeRequest) -> Result:
    """Images and vectors."""
    schema = op.run.schema
    assert isinstance(schema, Schema)
    raw = await op.raw(asked.x, hidden=True)
    assert isinstance(raw, np.ndarray)
    x, *context = op.told(hidden_units(schema, raw, asked.mask), asked.label)

    def task(at: int) -> tasks.Imputation:
        c = torch.from_numpy(context[0][at : at + PART]) if context else None
        feed = Feed(torch.from_numpy(x[at : at + PART]), c=c)
        level = asked.level if asked.intervals else None
        return tasks.impute(
            op.run.model, feed, samples=asked.samples, draws=asked.draws, level=level, seed=asked.seed + at
        )

    found = [await op.worker.run(task, at) for at in range(0, len(x), PART)]
    values, low, high = (np.concatenate([getattr(part, name) for part in found]) for name in ("values", "low", "high"))
    draws = np.concatenate([part.draws for part in found], 1)

    def document() -> dict[str, Any]:
        return {
            "x": rows.document(schema, values),
            "ess": numbers(np.concatenate([part.ess for part in found])),
            "draws": [rows.document(schema, drawn) for drawn in draws] or None,
            "low": rows.document(schema, low) if asked.intervals else None,
            "high": rows.document(schema, high) if asked.intervals else None,
        }

    return Result(document, lambda: rows.array(schema, values), lambda: as_pixels(schema, values), size=x.nbytes)


def hidden_units(schema: Schema, raw: np.ndarray, mask: Any = None) -> np.ndarray:
    """Raw items (N, *layout) ↦ model units (N, *shape), NaN where they are NaN or the mask hides them.

    Raises ValueError for a mask of what are no images, and where nothing is hidden.
    """
    hidden = np.isnan(raw) if raw.dtype.kind == "f" else np.zeros(raw.shape, bool)
    x = schema.normalize(np.where(hidden, np.asarray(schema.low, raw.dtype), raw) if hidden.any() else raw)
    if schema.kind == "image":
        axis = channel_axis(schema.layout)
        hidden = hidden[:, None] if axis is None else np.moveaxis(hidden, axis, -3)
    if mask is not None:
        if schema.kind != "image":
            raise ValueError("a mask is for images; of vectors the numbers that are null are filled in")
        hidden = hidden | hidden_part(mask, len(x), (x.shape[-2], x.shape[-1]))
    if not hidden.any():
        raise ValueError("nothing is hidden: give null or NaN for what is, or a mask of images")
    return np.where(hidden, np.float32(np.nan), x)


def _numeric(op: Operator, tables: list[Table]) -> np.ndarray:
    """All cells as numbers. Raises ValueError where some are none."""
    columns = [np.concatenate([table.columns[name] for table in tables]) for name in op.run.schema.columns]
    if any(column.dtype.kind not in "biuf" for column in columns):
        raise ValueError("some columns are not of numbers, so that the rows are no .npy array: ask for JSON")
    return np.column_stack(columns)
