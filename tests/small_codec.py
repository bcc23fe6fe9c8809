"""A small model as a codec, and what tests of compression do with it."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from vaekit.container import Reader
from vaekit.core import Batch
from vaekit.data import Context, Schema
from vaekit.noise import isolated_rng
from vaekit.recipes import Run, TrainRequest, build_model
from vaekit.recipes.codec import compress, decompress
from vaekit.recipes.codec_files import array, of_array
from vaekit.recipes.codec_items import Source

CHOICES = {
    "data": "x.npy",
    "network": {"name": "mlp", "hidden": [8]},
    "likelihood": "logistic-mixture",
    "prior": "standard-normal",
    "posterior": "diagonal-normal",
    "latent_dim": 2,
}
SHAPE = (4, 5)


def pictures(n: int, *shape: int, seed: int = 0) -> np.ndarray:
    """Random 8-bit pictures, dark for the most part."""
    return np.random.default_rng(seed).integers(-300, 256, (n, *(shape or SHAPE))).clip(0).astype(np.uint8)


def run_on(x: np.ndarray, y: np.ndarray | None = None, **choices: object) -> Run:
    """A run that has not been trained, started from the pictures; with labels a conditional one."""
    request, schema = TrainRequest.parse(CHOICES | choices), Schema.infer(x)
    context = None if y is None else Context.infer(y)
    schema = replace(schema, context=context)
    model = build_model(request, schema, len(x))
    c = None if context is None else torch.from_numpy(context.encode(y, len(x)))
    with isolated_rng(0):
        model.prepare(Batch(torch.from_numpy(schema.normalize(x)), c))
    return Run(request, schema, model)


def blob_of(run: Run, source: Any, **options: Any) -> bytes:
    """The file of an array or a source."""
    stream = io.BytesIO()
    compress(run, source if isinstance(source, Source) else of_array(run, source), stream, **options)
    return stream.getvalue()


def back(run: Run | None, blob: bytes, *rows: int | None, **options: Any) -> np.ndarray:
    """The array of a file, or some of its rows."""
    return array(decompress(run, Reader(blob), slice(*rows) if rows else None, **options))


def same(one: np.ndarray, other: np.ndarray) -> bool:
    """Equal to the bit, and of the same type."""
    return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
