"""Items as .vae files, and back."""

from __future__ import annotations

import base64
import binascii
import io
from typing import Any

import numpy as np

from vaekit.container import Reader
from vaekit.data import Schema
from vaekit.data.pictures import as_pixels
from vaekit.recipes import codec, codec_files

from .bodies import Result
from .errors import RefusedError
from .operations import Operator
from .schemas import CompressRequest

MOST = 1000  # items of a request: the model codes them one after the other, and nothing comes in between
MOST_CHUNKS = 100  # of a file, each of which may unpack to a few MiB


async def compressed(op: Operator, asked: CompressRequest) -> Result:
    """Items ↦ a file."""
    _schema(op)
    raw = await op.raw(asked.x)
    if len(raw) > MOST:
        raise RefusedError(413, f"a request compresses at most {MOST:,} items, this one has {len(raw):,}")
    x = np.asarray(raw)
    stream = io.BytesIO()

    def task() -> codec.Compressed:
        return codec.compress(op.run, codec_files.of_array(op.run, x), stream, quality=asked.quality)

    found = await op.worker.run(task)

    def document() -> dict[str, Any]:
        data = base64.b64encode(stream.getvalue()).decode()
        return {"data": data, "size": found.size, "content": found.content, "packed": found.packed}

    return Result(document, file=stream.getvalue, size=found.size)


async def decompressed(op: Operator, data: str | bytes) -> Result:
    """A file ↦ the items, by the run itself: a model that a file carries is not used."""
    schema = _schema(op)
    reader = _reader(data)
    found = await op.worker.run(lambda: codec_files.array(codec.decompress(op.run, reader)))
    return Result(
        lambda: {"x": found.tolist()},
        lambda: found,
        lambda: as_pixels(schema, schema.normalize(found)),
        size=found.nbytes,
    )


def _reader(data: str | bytes) -> Reader:
    """A file whose items take no more memory than they may. Raises RefusedError for others."""
    try:
        reader = Reader(base64.b64decode(data, validate=True) if isinstance(data, str) else data)
    except binascii.Error as error:
        raise RefusedError(422, f"data is no base64: {error}") from error
    if reader.header.get("form") != "array" or any(chunk.kind not in codec.ITEMS for chunk in reader.chunks):
        raise RefusedError(422, "only arrays of items come back here; use vaekit decompress for other files")
    items = sum(chunk.items for chunk in reader.chunks)
    if items > MOST or len(reader.chunks) > MOST_CHUNKS:
        raise RefusedError(413, f"a request decompresses at most {MOST:,} items, this file has {items:,}")
    return reader


def _schema(op: Operator) -> Schema:
    if not isinstance(op.run.schema, Schema):
        raise RefusedError(422, f"only images and vectors are compressed here, but the run is of {op.run.schema.words}")
    return op.run.schema
