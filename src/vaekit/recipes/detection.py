"""Detectors of anomalies: a few small models of the rows that a table, or a set of images, is most surely made of."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from numbers import Number
from typing import Any, TypeGuard

import numpy as np
import torch

from vaekit import tasks
from vaekit.core import Support
from vaekit.data import Dataset, Schema, Table, TableSchema
from vaekit.models import FullGaussian, GaussianTable
from vaekit.models.concentration import concentrate
from vaekit.models.margins import Margins
from vaekit.training import Feed, Reporter

from .assemble import supports
from .items import divide
from .learning import train
from .presets import preset
from .request import TrainRequest, altered
from .run import Run

FILE = "detector.json"  # in the folder of a detector
STEPS = 100  # of a member's training
FEW = 10  # epochs, at least
PLENTY = 20_000  # rows for the baseline


@dataclass(frozen=True, eq=False)
class Members:
    """Trained runs, the ``weights`` of their surprises, which add up to 1, the positions ``held`` of rows that none of
    them has seen, and, of tables of up to a thousand columns, the full-covariance normal of the core's rows: the
    baseline.
    """

    runs: tuple[Run, ...]
    weights: tuple[float, ...]
    held: np.ndarray
    baseline: GaussianTable | None


@dataclass(frozen=True)
class Cause:
    """What makes a row surprising: the cell of a ``column``, with its ``value`` and what the row's other cells let
    expect, in the interval from ``low`` to ``high`` if it is a number.

    ``nats`` is -log p(cell | other cells), what the cell adds to the surprise; ``part`` its part in the sum.
    """

    row: int
    column: str
    nats: float
    part: float
    value: Any
    expected: Any
    low: Any = None
    high: Any = None

    def __str__(self) -> str:
        number = isinstance(self.value, Number) and not isinstance(self.value, (bool, np.bool_))
        value, expected = (f"{x:,.6g}" if number else str(x) for x in (self.value, self.expected))
        return f"{self.column}: {value}, expected {'about ' if number else ''}{expected}; {self.nats:,.1f} nats"


@dataclass(frozen=True, eq=False)
class Explanation:
    """``surprise`` (N,) = ``cells`` (N, *item) summed + ``latent`` (N,) - ``complexity`` (N,), nats, float64.

    Of a table ``added`` (N, D) is what each cell adds, -log p(cell | other cells); ``columns`` (D,) name the cells;
    ``causes`` are the cells that add most to each row's surprise, row by
    row. Where many latents are far from what they usually are, most of a surprise is the latent part: the model can say
    how the row came about, but not that it would; what a cell adds, given the others, then says more than its part.
    """

    surprise: np.ndarray
    cells: np.ndarray
    latent: np.ndarray
    complexity: np.ndarray
    added: np.ndarray | None
    columns: tuple[str, ...]
    causes: tuple[Cause, ...]

    def to_records(self) -> list[dict[str, Any]]:
        """The causes as dictionaries, from which data frames are made."""
        return [asdict(cause) for cause in self.causes]


def train_detector(
    x: Table | np.ndarray,
    choices: Mapping[str, Any] | None = None,
    *,
    members: int = 1,
    trim: float = 0.0,
    robustness: float = 0.0,
    reporter: Reporter | None = None,
) -> Members:
    """Train ``members`` models with seeds of their own on the rows of a table, or on images, that are not held out.

    ``choices`` are fields of :class:`TrainRequest` that differ from the defaults, for tables from those of the preset
    ``detection``. The core of a table are its rows without the share ``trim`` that fits the others least, which may be
    the anomalies (see :func:`vaekit.models.concentration.concentrate`). As many models again learn from the core alone;
    theirs is the share ``robustness`` of the surprise, -(1 - r) log p(x) - r log p_core(x).
    """
    request = TrainRequest.parse(altered(preset("detection") if isinstance(x, Table) else {}, choices))
    schema = _schema(x, request)
    kept, held = divide(request, len(x), None)
    parts, baseline = [(kept, 1.0)], None
    if is_table(schema):
        rows, columns = torch.from_numpy(schema.normalize(x[kept])), supports(schema)
        core = concentrate(rows, columns, 1 - trim)
        baseline = linear_baseline(rows[core], columns)
        parts = [(kept[core.numpy()], robustness), (kept, 1 - robustness)] if len(core) < len(kept) else parts
        parts = [(part, weight) for part, weight in parts if weight > 0]
    runs = [
        train(
            _of_member(request, member, len(part), is_table(schema)),
            dataset=Dataset("rows", x[part]),
            schema=schema,
            reporter=reporter,
        )
        for part, _ in parts
        for member in range(members)
    ]
    weights = tuple(weight / members for _, weight in parts for _ in range(members))
    return Members(tuple(runs), weights, held, baseline)


def _of_member(request: TrainRequest, member: int, rows: int, table: bool) -> TrainRequest:
    """Few steps for each, as members begin at the linear model of a table."""
    changes: dict[str, Any] = {"held_out": 0.0, "seed": request.seed + member}
    if table:
        batch = request.batch_size or min(128, max(1, rows // 4))
        epochs = request.epochs or max(FEW, math.ceil(STEPS * batch / rows))
        changes |= {"batch_size": batch, "epochs": epochs}
    return request.model_copy(update=changes)


def surprises(
    runs: Sequence[Run], weights: Sequence[float], x: Table | np.ndarray, samples: int = 8, *, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """The weighted mean over the runs of -log p(x), of images less their complexity unless the likelihood's noise has a
    floor, and of the effective sample size: float64 (N,) each.

    A category that the training data did not have counts as one more observation would, -log 1/(N + 1).
    """
    schema = runs[0].schema
    feed = _feed(runs[0], x)
    found = [tasks.surprise(run.model, feed, samples, seed=seed) for run in runs]
    score, ess = (_mean([getattr(one, name) for one in found], weights) for name in ("score", "ess"))
    if is_table(schema):
        return score + _unseen(runs[0], schema, Table.read(x)).sum(1), ess
    return score - _complexity(runs[0], x), ess


def _complexity(run: Run, x: Table | np.ndarray) -> np.ndarray:
    """That of images, where the noise of their likelihood has no floor: below one, detail costs next to nothing. The
    bytes of other numbers say more of how they were written than of what they are.
    """
    counts = run.schema.kind == "image" and not getattr(run.model.likelihood, "floor", 0)
    return tasks.complexity(np.asarray(x)) if counts else np.zeros(len(x))


def explain(
    runs: Sequence[Run],
    weights: Sequence[float],
    x: Table | np.ndarray,
    samples: int = 8,
    *,
    top: int = 5,
    level: float = 0.9,
    seed: int = 0,
) -> Explanation:
    """The parts of :func:`surprises`, and the ``top`` cells of each row that add most to it, with what the first run
    expects of them when they are hidden and the central interval of probability ``level``.
    """
    first, schema = runs[0], runs[0].schema
    feed = _feed(first, x)
    found = [tasks.causes(run.model, feed, samples, seed=seed) for run in runs]
    names = ("score", "cells", "latent")
    surprise, cells, latent = (_mean([getattr(one, name) for one in found], weights) for name in names)
    if not is_table(schema):
        complexity = _complexity(first, x)
        return Explanation(surprise - complexity, cells, latent, complexity, None, (), ())
    table = schema.read(x)
    unseen = _unseen(first, schema, table)
    surprise, cells = surprise + unseen.sum(1), cells + unseen
    added = unseen + _mean([tasks.added(run.model, feed.x, samples, seed=seed) for run in runs], weights)
    order = np.argsort(-added, 1, kind="stable")[:, :top]
    rows, columns = (torch.from_numpy(at.reshape(-1)) for at in (np.indices(order.shape)[0], order))
    told = tasks.expected(first.model, feed.x, rows, columns, level=level, seed=seed)
    causes = _causes(schema, table, zip(rows.tolist(), columns.tolist(), strict=True), told, added, cells)
    return Explanation(surprise, cells, latent, np.zeros_like(latent), added, schema.columns, causes)


def linear_baseline(rows: torch.Tensor, columns: Sequence[Support]) -> GaussianTable | None:
    """The full-covariance normal of the first 20,000 rows (N, D); None where there are too many columns."""
    return GaussianTable.fit(rows[:PLENTY], columns) if GaussianTable.suits(columns) else None


def baseline_surprises(baseline: GaussianTable, schema: TableSchema, x: Table) -> np.ndarray:
    """-log p(x) under the full-covariance normal, (N,), categories as one-hot columns."""
    return -baseline.log_likelihood(torch.from_numpy(schema.normalize(x, unknown="missing"))).numpy()


def baseline_of(schema: TableSchema, stored: Mapping[str, np.ndarray]) -> GaussianTable:
    """The normal of a stored mean and covariance."""
    margins = Margins.of(torch.empty(0, len(schema.table)), supports(schema), normal_scores=False)
    return GaussianTable(margins, FullGaussian(*(torch.tensor(stored[name]) for name in FullGaussian._fields)))


def is_table(schema: Schema | TableSchema) -> TypeGuard[TableSchema]:
    """Whether a run is of the rows of a table."""
    return isinstance(schema, TableSchema)


def _schema(x: Table | np.ndarray, request: TrainRequest) -> Schema | TableSchema:
    """Columns that are constant stay, as new rows may differ in them."""
    return TableSchema.infer(x, choices=request.columns, constants=True) if isinstance(x, Table) else Schema.infer(x)


def _feed(run: Run, x: Table | np.ndarray) -> Feed:
    if is_table(run.schema):
        return Feed(torch.from_numpy(run.schema.normalize(x, unknown="missing")))
    return run.feed(x)


def _mean(values: Sequence[torch.Tensor], weights: Sequence[float]) -> np.ndarray:
    return sum(weight * value for weight, value in zip(weights, values, strict=True)).numpy()  # pyright: ignore


def _unseen(run: Run, schema: TableSchema, x: Table) -> np.ndarray:
    """Nats of the cells (N, D) that hold a category which the training data did not have; 0 of all others."""
    return schema.unseen(x) * math.log(run.model.shapes.examples + 1)


def _causes(
    schema: TableSchema,
    table: Table,
    cells: Iterable[tuple[int, int]],
    told: tasks.Expectation,
    added: np.ndarray,
    parts: np.ndarray,
) -> tuple[Cause, ...]:
    """Of each of the cells (row, column), what it is and what was expected there, in the table's own units."""
    causes: list[Cause] = []
    for at, (row, position) in enumerate(cells):
        column = schema.table[position]
        value, *interval = (column.decode(part[at : at + 1].numpy())[0] for part in (told.value, told.low, told.high))
        nats, part = float(added[row, position]), float(parts[row, position])
        ends = () if column.values else interval
        causes.append(Cause(row, column.name, nats, part, table.columns[column.name][row], value, *ends))
    return tuple(causes)
