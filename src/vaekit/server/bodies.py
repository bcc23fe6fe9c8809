"""Bodies of requests and answers: JSON, .npy and PNG, chosen by Content-Type and Accept."""

from __future__ import annotations

import asyncio
import io
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from fastapi import Request, Response
from PIL import Image
from pydantic_core import from_json

from vaekit.data.arrayfiles import parse_npy
from vaekit.evaluation.sheets import on_a_sheet

from .errors import RefusedError

JSON, NPY, PNG, VAE = "application/json", "application/x-npy", "image/png", "application/x-vae"
LARGE = 2**18  # bytes beyond which a body is read or written on a thread, so that others are answered meanwhile
MOST_PIXELS = 2**24  # of a picture, read or written
SIGNATURE = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class Result:
    """What a task found: as a ``document`` of JSON and, where there are such, as an ``array``, the ``pixels`` of
    pictures (N, H, W, C), or the bytes of a ``file``. Each is made when it is asked for; ``size`` is about its bytes.
    """

    document: Callable[[], Mapping[str, Any]]
    array: Callable[[], np.ndarray] | None = None
    pixels: Callable[[], np.ndarray] | None = None
    file: Callable[[], bytes] | None = None
    size: int = 0


async def read(request: Request, accepted: Sequence[str]) -> tuple[str, Any]:
    """A body's type, and its content: parsed JSON, an array, or bytes. Raises RefusedError with 415 for other types
    than are ``accepted`` and with 422 for what is not of its type.
    """
    kind = content_type(request)
    if kind not in accepted:
        raise RefusedError(415, f"expected a Content-Type of {', '.join(accepted)}, got {kind[:80] or 'none'}")
    body = await request.body()
    parse = {JSON: parse_json, NPY: parse_array, PNG: check_png}.get(kind, bytes)
    return kind, await asyncio.to_thread(parse, body) if len(body) > LARGE else parse(body)


def content_type(request: Request) -> str:
    """The type of a request's body, without its parameters; "" if it does not say."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def wanted(request: Request, offered: Sequence[str]) -> str:
    """What of the ``offered`` types the client would rather have; the first where it does not mind. Raises RefusedError
    with 406 where it takes none of them.
    """
    accept = request.headers.get("accept", "*/*")
    scores = [(_quality(accept, kind), -at, kind) for at, kind in enumerate(offered)]
    best, _, kind = max(scores)
    if best <= 0:
        raise RefusedError(406, f"the answer is {' or '.join(offered)}, but Accept asks for {accept[:80]}")
    return kind


async def write(kind: str, result: Result) -> Response:
    """The answer as what is wanted."""
    return await asyncio.to_thread(_written, kind, result) if result.size > LARGE else _written(kind, result)


def parse_json(body: bytes) -> Any:
    """JSON, without NaN and infinity. Raises RefusedError."""
    try:
        return from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise RefusedError(422, f"the body is no JSON: {error}") from error


def parse_array(body: bytes) -> np.ndarray:
    """A .npy file; nothing is unpickled, and no more memory is taken than the body has bytes. Raises RefusedError."""
    try:
        return parse_npy(body, "the body")
    except ValueError as error:
        raise RefusedError(422, str(error)) from error


def check_png(body: bytes) -> bytes:
    """A PNG file, as far as its header says. Raises RefusedError for what is none, or too large."""
    if not body.startswith(SIGNATURE) or len(body) < 24:
        raise RefusedError(422, "the body is no PNG picture")
    width, height = (int.from_bytes(body[at : at + 4]) for at in (16, 20))
    if not 0 < width * height <= MOST_PIXELS:
        raise RefusedError(413, f"a picture has at most {MOST_PIXELS:,} pixels, this one {width:,} × {height:,}")
    return body


def npy(array: np.ndarray) -> bytes:
    """An array as a .npy file."""
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=False)
    return stream.getvalue()


def png(pixels: np.ndarray) -> bytes:
    """Pictures (N, H, W, C), side by side. Raises RefusedError for too many."""
    if math.prod(pixels.shape[:3]) > MOST_PIXELS:
        raise RefusedError(422, f"{len(pixels):,} pictures are too many for one; ask for fewer, or for {NPY}")
    sheet = pixels[0] if len(pixels) == 1 else on_a_sheet(pixels)
    stream = io.BytesIO()
    Image.fromarray(sheet[..., 0] if sheet.shape[-1] == 1 else sheet).save(stream, "PNG", compress_level=3)
    return stream.getvalue()


def numbers(values: np.ndarray) -> Any:
    """Nested lists for JSON: numbers with as many digits as their type holds, None for those that are not finite."""
    if values.dtype.kind != "f":
        return values.tolist()
    digits = {2: 5, 4: 9}.get(values.dtype.itemsize)
    finite = np.isfinite(values)
    if digits is not None:
        wide = np.where(finite, values, 0).astype(np.float64)
        with np.errstate(divide="ignore"):
            unit = 10.0 ** (digits - 1 - np.floor(np.log10(np.abs(wide))))
        unit = np.where(np.isfinite(unit), unit, 1.0)
        values = np.where(finite, np.rint(wide * unit) / unit, values)
    return values.tolist() if finite.all() else np.where(finite, values.astype(object), np.array(None)).tolist()


def _written(kind: str, result: Result) -> Response:
    if kind == NPY and result.array is not None:
        return Response(npy(result.array()), media_type=NPY)
    if kind == PNG and result.pixels is not None:
        return Response(png(result.pixels()), media_type=PNG)
    if kind == VAE and result.file is not None:
        return Response(result.file(), media_type=VAE)
    text = json.dumps(result.document(), separators=(",", ":"), allow_nan=False, ensure_ascii=False)
    return Response(text, media_type=JSON)


def _quality(accept: str, kind: str) -> float:
    """The weight that an Accept header gives to a type, by its most specific range."""
    found, specific = 0.0, -1
    for part in accept.split(","):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        ranges = ("*/*", f"{kind.partition('/')[0]}/*", kind)
        if name in ranges and ranges.index(name) > specific:
            specific = ranges.index(name)
            found = next((_number(piece[2:]) for piece in parameters if piece.startswith("q=")), 1.0)
    return found


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
