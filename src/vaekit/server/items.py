"""Items for the page: images as pixels, rows of tables as texts, other vectors as numbers."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np
from fastapi import Response

from vaekit.data import Column, Schema, TableSchema
from vaekit.data.pictures import as_pictures, as_pixels

from .bodies import JSON
from .rows import cell

BINARY = "application/octet-stream"


def pictures(pixels: np.ndarray, id: int = 0) -> bytes:
    """Pixels (N, H, W, C) behind five little-endian uint32: id, N, H, W, C."""
    return struct.pack("<5I", id, *pixels.shape) + pixels.tobytes()


def payload(schema: Schema | TableSchema, x: np.ndarray) -> np.ndarray | dict[str, Any]:
    """Items in model units (N, *event) ↦ pixels of images, texts ``rows`` of a table, or ``values`` of vectors."""
    if isinstance(schema, TableSchema):
        return {"rows": rows(schema, x)}
    if schema.kind == "image":
        return as_pixels(schema, x)
    return {"values": schema.restore(x, round=False).astype(float).round(6).tolist()}


def message(schema: Schema | TableSchema, x: np.ndarray, id: int) -> bytes | str:
    """The same as a message of the live connection."""
    found = payload(schema, x)
    return pictures(found, id) if isinstance(found, np.ndarray) else json.dumps({"id": id, **found})


def response(schema: Schema | TableSchema, x: np.ndarray) -> Response:
    """The same as an answer."""
    found = payload(schema, x)
    if isinstance(found, np.ndarray):
        return Response(pictures(found), media_type=BINARY)
    return Response(json.dumps(found), media_type=JSON)


def numbers(schema: Schema | TableSchema, x: np.ndarray) -> bytes:
    """Items in model units (N, D) as little-endian float32: the columns of tables from 0 to 1, vectors in raw units."""
    values = as_pictures(schema, x) if isinstance(schema, TableSchema) else schema.restore(x, round=False)
    return values.astype("<f4").tobytes()


def rows(schema: TableSchema, x: np.ndarray) -> list[list[str]]:
    """Rows of a table in model units (N, D) as texts, "" where a cell is missing."""
    columns = [[text(column, value) for value in column.decode(x[:, at])] for at, column in enumerate(schema.table)]
    return [list(row) for row in zip(*columns, strict=True)]


def text(column: Column, value: Any) -> str:
    """A cell for people, "" where it is missing."""
    value = cell(value)
    if value is None:
        return ""
    return f"{value:,.6g}" if isinstance(value, float) and not column.values else str(value)
