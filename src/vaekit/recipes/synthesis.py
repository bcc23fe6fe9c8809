"""Synthetic rows of a table: a training that also learns which cells are missing, and draws in the table's types."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vaekit import tasks
from vaekit.data import Dataset, Table, TableSchema, blank, fixed_cells, mark_missing
from vaekit.evaluation.fidelity import Fidelity, assess_fidelity
from vaekit.models import GaussianTable
from vaekit.training import Reporter

from .assemble import supports
from .items import infer_schema, tell
from .learning import train
from .presets import preset
from .request import TrainRequest, altered
from .run import Run

Where = Mapping[str, Any]
SYNTHETIC = "synthetic rows are of tables"
PLENTY = 50_000  # rows for the baseline
FEW = 1000  # rows, which are learned by heart before the last epoch


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
    tell(schema, table, reporter)
    return train(request, out, dataset=dataset, schema=schema, overwrite=overwrite, reporter=reporter)


def _suited(rows: int) -> dict[str, Any]:
    """The batch size, and which weights to keep."""
    return {"batch_size": min(256, max(1, rows // 20)), **({"keep": "best"} if rows < FEW else {})}


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


def assess(run: Run, rows: Any, real: Any, train: Table, *, target: str | None = None, seed: int = 0) -> Fidelity:
    """How close synthetic rows are to real ones that were not trained on, beside training rows and as many rows of a
    Gaussian copula by EM (see :func:`vaekit.evaluation.fidelity.assess_fidelity`).
    """
    rows, schema = Table.read(rows), run.table_schema(SYNTHETIC)
    baseline, columns = None, supports(schema)
    if GaussianTable.suits(columns):
        x = torch.from_numpy(schema.normalize(train[:PLENTY], unknown="missing"))
        copula = GaussianTable.fit(x, columns, copula=True)
        drawn = copula.draw(torch.full((len(rows), len(columns)), torch.nan, dtype=torch.float64), seed=seed)
        plain, cells = blank(schema, drawn.numpy())
        baseline = plain.restore(cells)
    return assess_fidelity(plain_schema(run), rows, real, train, baseline=baseline, target=target, seed=seed)


def plain_schema(run: Run) -> TableSchema:
    """The schema of the rows as they came, without the columns that say what is missing."""
    schema = run.table_schema(SYNTHETIC)
    return blank(schema, np.empty((0, *schema.shape)))[0]
