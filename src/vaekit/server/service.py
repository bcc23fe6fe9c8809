"""The tasks of a run over HTTP: JSON, .npy and PNG both ways."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
import torch
from fastapi import APIRouter, Depends, Response
from starlette.requests import HTTPConnection

from vaekit import tasks
from vaekit.data.pictures import as_pixels

from . import bodies, rows
from .bodies import JSON, NPY, PNG, VAE, Result, numbers
from .depends import GivenRun
from .documents import described
from .errors import RefusedError
from .filling import filled_items, filled_rows
from .judging import Judge, judged
from .operations import COLUMNS, Operator
from .packing import compressed, decompressed
from .parsing import given, gives
from .schemas import (
    Anomalies,
    Compressed,
    CompressRequest,
    Decoded,
    DecodeRequest,
    DecompressRequest,
    DetectRequest,
    EncodeRequest,
    Filled,
    ImputeRequest,
    Latents,
    ReconstructRequest,
    SampleRequest,
    Samples,
    ScoreRequest,
    Scores,
)

router = APIRouter(tags=["tasks"])
ALL = (JSON, NPY, PNG)


async def _operator(connection: HTTPConnection, hosted: GivenRun) -> Operator:
    return Operator.of(hosted, connection.app.state.worker, connection.app.state.settings)


Op = Annotated[Operator, Depends(_operator)]


@router.post("/encode", **described(EncodeRequest, Latents, JSON, NPY))
async def encode(
    op: Op, asked: Annotated[EncodeRequest, given(EncodeRequest)], kind: Annotated[str, gives(JSON, NPY)]
) -> Response:
    """Where items lie in the latent space: their posterior means."""
    z = await op.encode(await op.items(asked.x, asked.label))
    return await bodies.write(kind, Result(lambda: {"z": numbers(z)}, lambda: z, size=z.nbytes))


@router.post("/decode", **described(DecodeRequest, Decoded, *ALL))
async def decode(
    op: Op, asked: Annotated[DecodeRequest, given(DecodeRequest)], kind: Annotated[str, gives(*ALL)]
) -> Response:
    """What points of the latent space stand for: the mean of p(x given z), or a draw from it."""
    z = rows.matrix(asked.z)
    op.check(len(z))
    if z.shape[1] != (size := tasks.latent_size(op.run.model)):
        raise RefusedError(422, f"expected z of shape (N, {size}), got {z.shape}")
    return await _items(op, kind, await op.decode(op.told(z, asked.label), draw=asked.draw, seed=asked.seed))


@router.post("/reconstruct", **described(ReconstructRequest, Decoded, *ALL))
async def reconstruct(
    op: Op, asked: Annotated[ReconstructRequest, given(ReconstructRequest)], kind: Annotated[str, gives(*ALL)]
) -> Response:
    """What is left of items that are encoded and decoded again."""
    return await _items(op, kind, await op.reconstruct(await op.items(asked.x, asked.label)))


@router.post("/sample", **described(SampleRequest, Samples, *ALL))
async def sample(
    op: Op, asked: Annotated[SampleRequest, given(SampleRequest)], kind: Annotated[str, gives(*ALL)]
) -> Response:
    """New items: latents drawn from the prior, and what they stand for."""
    op.check(asked.n)
    _, *context = op.told(np.empty((asked.n, 0)), asked.label)
    c = torch.from_numpy(context[0]) if context else None

    def draw() -> np.ndarray:
        return tasks.sample_latents(op.run.model, asked.n, c, temperature=asked.temperature, seed=asked.seed).numpy()

    z = await op.worker.run(draw)
    x = await op.decode((z, *context), draw=asked.draw, seed=asked.seed + 1)
    return await _items(op, kind, x, z=numbers(z))


@router.post("/score", **described(ScoreRequest, Scores, JSON, NPY))
async def score(
    op: Op, asked: Annotated[ScoreRequest, given(ScoreRequest)], kind: Annotated[str, gives(JSON, NPY)]
) -> Response:
    """How likely items are: log p(x) by importance sampling, and the evidence lower bound, in nats. As .npy the five
    numbers of each item side by side.
    """
    found = await op.score(await op.items(asked.x, asked.label), asked.samples, asked.seed)
    document: dict[str, Any] = dict(zip(COLUMNS, numbers(found.T), strict=True))
    if not op.run.model.has_density:
        document["log_likelihood"] = None
    return await bodies.write(kind, Result(lambda: document, lambda: found, size=found.nbytes))


@router.post("/detect", **described(DetectRequest, Anomalies, JSON, NPY))
async def detect(
    op: Op, asked: Annotated[DetectRequest, given(DetectRequest)], kind: Annotated[str, gives(JSON, NPY)]
) -> Response:
    """How surprising items are, among the run's own. As .npy the surprises alone."""
    judge = await Judge.ready(op.hosted, op.worker)
    surprise, document = await judged(op, judge, await op.raw(asked.x), asked)
    return await bodies.write(kind, Result(lambda: document, lambda: surprise, size=surprise.nbytes))


@router.post("/impute", **described(ImputeRequest, Filled, *ALL))
async def impute(
    op: Op, asked: Annotated[ImputeRequest, given(ImputeRequest)], kind: Annotated[str, gives(*ALL)]
) -> Response:
    """Hidden cells given the others: what the model expects there, and draws. As .npy and PNG the items alone."""
    op.check(1, asked.samples)
    return await bodies.write(kind, await (filled_rows if op.is_table else filled_items)(op, asked))


@router.post("/compress", **described(CompressRequest, Compressed, VAE, JSON))
async def compress(
    op: Op, asked: Annotated[CompressRequest, given(CompressRequest)], kind: Annotated[str, gives(VAE, JSON)]
) -> Response:
    """Items in as few bytes as the model needs: a .vae file, see `vaekit compress`."""
    return await bodies.write(kind, await compressed(op, asked))


@router.post("/decompress", **described(DecompressRequest, Decoded, *ALL))
async def decompress(
    op: Op, asked: Annotated[DecompressRequest, given(DecompressRequest)], kind: Annotated[str, gives(NPY, JSON, PNG)]
) -> Response:
    """The items of a .vae file that the same run compressed."""
    return await bodies.write(kind, await decompressed(op, asked.data))


async def _items(op: Operator, kind: str, x: np.ndarray, **more: Any) -> Response:
    """Items in model units as they are wanted."""
    schema = op.run.schema
    document = lambda: {"x": rows.document(schema, x), **more}  # noqa: E731
    return await bodies.write(
        kind, Result(document, lambda: rows.array(schema, x), lambda: as_pixels(schema, x), size=x.nbytes)
    )
