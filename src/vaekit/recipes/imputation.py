"""Missing cells of a table filled in by a few models of it, with intervals that hold what they promise."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vaekit import tasks
from vaekit.data import Dataset, Table, TableSchema
from vaekit.data.cells import fill_cells, hide_cells
from vaekit.models import GaussianTable
from vaekit.tasks.impute import Imputation
from vaekit.training import Reporter
from vaekit.training.feed import stream

from .assemble import supports
from .presets import preset
from .request import TrainRequest, altered
from .run import Run, train

HIDDEN = 0.05  # share of the observed cells that each model does not see, and is judged by
MARGINS = ({"name": "gaussian"}, {"name": "discretized", "kernel": "normal"})  # of the members' numbers, in turn
HIDING = 7  # the named stream of random numbers that says which
ENOUGH = 100  # hidden cells of a column for a margin of its own
STILL = 1e-9  # learning rate of a model that is to stay as it starts
ROWS_SEEN = 200_000  # of a member's training, repeats included, in 10 to 40 epochs


@dataclass(frozen=True)
class Errors:
    """On cells that were hidden for the purpose: ``numbers``, the root mean squared error in standard deviations, and
    ``categories``, the share that is wrong; NaN where there are none.
    """

    numbers: float
    categories: float


@dataclass(frozen=True, eq=False)
class Imputer:
    """Trained ``runs`` of one schema; ``widening`` (D,) are the parts of their width by which intervals of probability
    ``level`` are moved out at both ends; ``errors`` by method, the model's own and the baselines'.
    """

    runs: tuple[Run, ...]
    widening: Tensor
    level: float
    errors: dict[str, Errors] = field(default_factory=dict)

    @property
    def schema(self) -> TableSchema:
        """That of all runs."""
        return _table_schema(self.runs[0])


@dataclass(frozen=True, eq=False)
class Completed:
    """A table without missing cells: ``table``; ``draws`` of it; the ends ``low`` and ``high`` of each cell's interval,
    the cell itself where it was observed; and ``missing`` (N, D), which cells of the model's columns were not.
    """

    table: Table
    draws: tuple[Table, ...]
    low: Table
    high: Table
    missing: np.ndarray


def train_imputer(
    table: Table,
    choices: Mapping[str, Any] | None = None,
    *,
    members: int = 2,
    level: float = 0.9,
    reporter: Reporter | None = None,
) -> Imputer:
    """Train ``members`` models on a table with missing cells, a twentieth of the observed ones hidden from each, others
    each time: a delete-a-group jackknife over cells (Shao and Wu, 1989).

    The models differ by seed, by what they do not see, and by whether numbers are taken as they are or as normal
    scores. Each imputes what was hidden from it, which says how wide intervals have to be (conformalized quantile
    regression; Romano et al., 2019) and whether training made the linear model any better that it began at: if not, it
    is kept as it was. ``choices`` are fields of :class:`TrainRequest` that differ from the preset ``imputation``.
    """
    if members < 1 or not 0 < level < 1:
        raise ValueError(f"expected at least 1 member and a level between 0 and 1, got {members} and {level}")
    request = TrainRequest.parse(altered(preset("imputation"), choices))
    schema = TableSchema.infer(table, choices=request.columns)
    x = torch.from_numpy(schema.normalize(table))
    runs, misses, found = [], [], {}
    for member in range(members):
        hidden = _hidden(x, request.seed + member)
        run, imputed = _member(request, member, schema, table, x, hidden, level, reporter)
        runs.append(run)
        misses.append(torch.where(hidden, _miss(x, imputed), torch.nan))
        for name, errors in {
            "vae": _errors(schema, x, imputed.values, hidden),
            **_baselines(schema, x, hidden),
        }.items():
            found.setdefault(name, []).append(errors)
    errors = {name: _mean(parts) for name, parts in found.items()}
    return Imputer(tuple(runs), _widening(torch.cat(misses), level), level, errors)


def impute_table(imputer: Imputer, table: Table, *, draws: int = 0, samples: int = 64, seed: int = 0) -> Completed:
    """Fill in the missing cells of a table with the imputer's columns: observed cells stay as they are, to the bit, and
    columns that the models do not have too, but for constants.
    """
    schema, table = imputer.schema, Table.read(table)
    feed = imputer.runs[0].feed(table)
    models = [run.model for run in imputer.runs]
    found = tasks.impute(models, feed, draws=draws, samples=samples, level=imputer.level, seed=seed)
    width = (found.high - found.low) * imputer.widening
    if schema.native == "numpy" and len(table.columns) == len(schema.order):
        table = table.renamed(schema.order)

    def filled(x: Tensor) -> Table:
        constants = np.zeros((len(x), len(schema.constants)))
        return fill_cells(table, (*schema.table, *schema.constants), np.column_stack([x.double().numpy(), constants]))

    return Completed(
        filled(found.values), tuple(map(filled, found.draws)), filled(found.low - width), filled(found.high + width),
        feed.x.isnan().numpy(),
    )  # fmt: skip


def _member(
    request: TrainRequest, member: int, schema: TableSchema, table: Table, x: Tensor, hidden: Tensor, level: float,
    reporter: Reporter | None,
) -> tuple[Run, Imputation]:  # fmt: skip
    """The model as it starts or as it ends, whichever fills in better what is hidden from it."""
    width = sum(len(column.values) or 1 for column in schema.table)
    own: dict[str, Any] = {
        "seed": request.seed + member,
        "latent_dim": request.latent_dim or max(1, min(20, width - 1)),
    }
    own["epochs"] = request.epochs or min(40, max(10, ROWS_SEEN // len(table)))
    if request.likelihood is None:
        own["likelihood"] = {"name": "mixed", "numbers": MARGINS[member % len(MARGINS)]}
    data = Dataset("rows", hide_cells(table, schema.columns, hidden.numpy()))
    seen = torch.where(hidden, torch.nan, x)
    best: tuple[float, Run, Imputation] | None = None
    for changes in ({"epochs": 1, "lr": STILL, "patience": None}, {}):
        run = train(request.model_copy(update={**own, **changes}), dataset=data, schema=schema, reporter=reporter)
        imputed = tasks.impute(run.model, seen, level=level, seed=request.seed)
        errors = _errors(schema, x, imputed.values, hidden)
        error = np.nansum([errors.numbers**2, errors.categories])
        if best is None or error < best[0]:
            best = error, run, imputed
    assert best is not None
    return best[1:]


def _hidden(x: Tensor, seed: int) -> Tensor:
    """A twentieth of the observed cells, no row's last one."""
    generator = torch.Generator().manual_seed(stream(seed, HIDING))
    hidden = ~x.isnan() & (torch.rand(x.shape, generator=generator) < HIDDEN)
    return hidden & ((~x.isnan() & ~hidden).any(1, keepdim=True))


def _errors(schema: TableSchema, x: Tensor, values: Tensor, hidden: Tensor) -> Errors:
    """In model units, where numbers have variance 1."""
    category = torch.tensor([column.is_category for column in schema.table])
    numbers = (values - x)[hidden & ~category].square().mean().sqrt().item()
    return Errors(numbers, (values.round() != x)[hidden & category].double().mean().item())


def _baselines(schema: TableSchema, x: Tensor, hidden: Tensor) -> dict[str, Errors]:
    """The full-covariance normal and its copula, by EM on the same cells."""
    columns, seen = supports(schema), torch.where(hidden, torch.nan, x)
    return {
        name: _errors(schema, x, GaussianTable.fit(seen, columns, copula=copula).impute(seen).float(), hidden)
        for name, copula in (("gaussian EM", False), ("copula EM", True))
    }


def _mean(found: list[Errors]) -> Errors:
    return Errors(*(float(np.mean([getattr(one, name) for one in found])) for name in ("numbers", "categories")))


def _miss(x: Tensor, found: Imputation) -> Tensor:
    """How far each value is outside of its interval, below 0 if inside, as a part of its width."""
    width = (found.high - found.low).clamp(min=1e-6)
    return torch.maximum(found.low - x, x - found.high) / width


def _widening(misses: Tensor, level: float) -> Tensor:
    """The quantile of each column's misses that makes intervals cover ``level``, or of all where a column has few."""

    def quantile(values: Tensor) -> Tensor:
        values = values[~values.isnan()].double()
        if not len(values):
            return torch.zeros(())
        rank = min(len(values), math.ceil((len(values) + 1) * level))
        return values.kthvalue(rank).values.clamp(min=-0.5).float()

    overall = quantile(misses.flatten())
    return torch.stack([quantile(one) if (~one.isnan()).sum() >= ENOUGH else overall for one in misses.T])


def _table_schema(run: Run) -> TableSchema:
    """The run's schema. Raises ValueError unless it is of a table."""
    if not isinstance(run.schema, TableSchema):
        raise ValueError(f"missing cells are those of tables, but this run was trained on {run.schema.words}")
    return run.schema
