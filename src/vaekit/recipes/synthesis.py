"""Synthetic rows of a table: a training that also learns which cells are missing, and draws in the table's types."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vaekit import tasks
from vaekit.data import Dataset, Table, TableSchema, blank, fixed_cells, mark_missing
from vaekit.training import Reporter

from .items import infer_schema
from .learning import train
from .presets import preset
from .request import TrainRequest, altered
from .run import Run

Where = Mapping[str, Any]
SYNTHETIC = "synthetic rows are of tables"
SEEN = 180_000  # rows that a training should see, repeats included


def train_synthesizer(
    rows: Any,
    choices: Mapping[str, Any] | None = None,
    out: str | Path | None = None,
    *,
    where: Where | None = None,
    overwrite: bool = False,
    reporter: Reporter | None = None,
) -> Run:
    """Train a model of the rows of a table, a data frame, array or file, which is to draw rows like them.

    ``choices`` are fields of :class:`TrainRequest` that differ from those of the preset ``synthesis``. Whether a cell
    is missing becomes a column that the model learns (see :func:`vaekit.data.mark_missing`).
    Raises ValueError, before it trains, for values in ``where`` (see :func:`synthesize`) that the rows do not have.
    """
    table = mark_missing(Table.read(rows))
    options = altered({**preset("synthesis"), **_suited(len(table))}, choices)
    data = {"data": str(rows)} if isinstance(rows, (str, Path)) else {}
    request, dataset = TrainRequest.parse({**options, **data}), Dataset("table", table)
    schema = infer_schema(request, dataset, table, None)
    if where and isinstance(schema, TableSchema):
        fixed_cells(schema, where)
    return train(request, out, dataset=dataset, schema=schema, overwrite=overwrite, reporter=reporter)


def _suited(rows: int) -> dict[str, int]:
    """Epochs and batch size: columns in order learn quickly, and then learn the rows by heart."""
    return {"epochs": min(100, max(5, round(SEEN / rows))), "batch_size": min(256, max(1, rows // 20))}


def synthesize(run: Run, n: int, where: Where | None = None, *, seed: int = 0) -> Any:
    """N new rows as the run's table came in, with its types, orders and missing cells; with ``where`` those with the
    given values of some columns.

    Raises ValueError for a run that is not on a table, and for columns and values that its data do not have.
    """
    schema = run.table_schema(SYNTHETIC)
    fixed = None if not where else torch.from_numpy(fixed_cells(schema, where))
    x = tasks.synthesize(run.model, n, fixed, run.context(1), seed=seed)
    schema, cells = blank(schema, x.numpy())
    return schema.restore(cells)


def plain_schema(run: Run) -> TableSchema:
    """The schema of the rows as they came, without the columns that say what is missing."""
    schema = run.table_schema(SYNTHETIC)
    return blank(schema, np.empty((0, *schema.shape)))[0]
