"""Detectors of anomalies: a few small models of the rows that a table, or a set of images, is most surely made of."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from vaekit.data import Dataset, Schema, Table, TableSchema
from vaekit.models.concentration import concentrate
from vaekit.training import Reporter

from .assemble import column_support
from .presets import preset
from .request import TrainRequest, merged
from .run import Run, divide, train

STEPS = 200  # of a member's training
FEW = 10  # epochs, at least


@dataclass(frozen=True, eq=False)
class Members:
    """Trained runs whose surprises are averaged, and the positions ``held`` of rows that none of them has seen."""

    runs: tuple[Run, ...]
    held: np.ndarray


def train_detector(
    x: Table | np.ndarray,
    choices: Mapping[str, Any] | None = None,
    *,
    members: int = 2,
    trim: float = 0.0,
    reporter: Reporter | None = None,
) -> Members:
    """Train ``members`` models with seeds of their own on the rows of a table, or on images, that are not held out.

    ``choices`` are fields of :class:`TrainRequest` that differ from the defaults, for tables from those of the preset
    ``detection``. The share ``trim`` of a table's rows that fits the others least is not learned from, as it may be the
    anomalies (see :func:`vaekit.models.concentration.concentrate`).
    """
    is_table = isinstance(x, Table)
    options = preset("detection") if is_table else {}
    for name, value in (choices or {}).items():
        options[name] = merged(name, options.get(name), value)
    request = TrainRequest.parse(options)
    schema = TableSchema.infer(x, choices=request.schema, constants=True) if is_table else Schema.infer(x)
    kept, held = divide(request, len(x), None)
    if isinstance(schema, TableSchema) and trim:
        rows = torch.from_numpy(schema.normalize(x[kept]))
        kept = kept[concentrate(rows, [column_support(column) for column in schema.table], 1 - trim).numpy()]
    batch = request.batch_size or min(128, max(1, len(kept) // 4))
    epochs = request.epochs or (max(FEW, math.ceil(STEPS * batch / len(kept))) if is_table else None)
    fixed = {"held_out": 0.0, "batch_size": batch, "epochs": epochs}
    runs = [
        train(
            request.model_copy(update={**fixed, "seed": request.seed + member}),
            dataset=Dataset("rows", x[kept]),
            schema=schema,
            reporter=reporter,
        )
        for member in range(members)
    ]
    return Members(tuple(runs), held)
