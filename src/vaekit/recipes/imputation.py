"""Missing cells of a table filled in by a few models of it, with intervals that hold what they promise."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from torch import Tensor

from vaekit import tasks
from vaekit.core import LatentModel
from vaekit.data import Dataset, Table, TableSchema
from vaekit.data.cells import fill_cells, hide_cells
from vaekit.models import GaussianTable
from vaekit.models.margins import Margins
from vaekit.training import Reporter
from vaekit.training.feed import stream

from .assemble import supports
from .items import tell
from .learning import train
from .presets import preset
from .request import TrainRequest, altered
from .run import Run
from .stacking import shares

HIDDEN = 0.1  # share of the observed cells that a member does not see, and is judged by, in
JUDGED = 1500  # rows at most
HIDING = 7  # the named stream of random numbers that says which
ENOUGH = 100  # hidden cells of a column for a margin of its own
ROWS_SEEN = 100_000  # of a member's training, repeats included, in 5 to 20 epochs
MEMBERS, FEWER = 4, 2
FASTER: dict[range, dict[str, Any]] = {  # rows of which fewer members learn more, at a higher rate
    range(1000, 4000): {"lr": 1e-2},
    range(4000, 10_000): {"lr": 1.2e-2, "batch_size": 256, "epochs": 15},
}
LINEAR = {"gaussian EM": False, "copula EM": True}  # the linear models, and whether they see normal scores
LINEAR_ROWS = 10_000  # that these are fitted to, at most
WIDEST = 128  # numbers and categories' values up to which they are fitted


@dataclass(frozen=True)
class Errors:
    """On cells that were hidden for the purpose: ``numbers``, the root mean squared error in standard deviations, and
    ``categories``, the share that is wrong; NaN where there are none.
    """

    numbers: float
    categories: float


@dataclass(frozen=True, eq=False)
class Imputer:
    """An ensemble: trained ``runs`` of one schema, which count as one model, and the linear-Gaussian ``tables``.
    ``shares`` (1 + tables, D) are how much each of these counts in each column; ``widening`` (D,) the parts of their
    width by which intervals of probability ``level`` are moved out at both ends; ``errors`` are by method.
    """

    runs: tuple[Run, ...]
    widening: Tensor
    level: float
    tables: tuple[GaussianTable, ...] = ()
    shares: Tensor | None = None
    errors: dict[str, Errors] = field(default_factory=dict)

    @property
    def schema(self) -> TableSchema:
        """That of all runs."""
        return self.runs[0].table_schema("missing cells are those of tables")


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


class _Predicted(NamedTuple):
    """What K models expect of N rows: ``expected`` (K, N, E), categories as shares side by side, and both ends of
    intervals, (K, N, D).
    """

    expected: Tensor
    low: Tensor
    high: Tensor

    @classmethod
    def by(
        cls, models: Sequence[LatentModel], tables: Sequence[GaussianTable], x: Tensor, level: float | None, seed: int,
        samples: int = 32,
    ) -> Self:  # fmt: skip
        """The VAEs together, then each linear model, for rows x (N, D); without a ``level`` ends mean nothing."""
        found = tasks.impute(models, x, samples=samples, level=level, seed=seed)
        parts = [(found.expected, found.low, found.high)]
        for table in tables:
            low, high = (x, x) if level is None else table.interval(x, level)
            parts.append((table.expected(x).float(), low.float(), high.float()))
        return cls(*(torch.stack(part) for part in zip(*parts, strict=True)))

    def blended(self, shares: Tensor, margins: Margins) -> Self:
        """The one model that K models with ``shares`` (K, D) are."""
        sizes = torch.tensor([size or 1 for size in margins.categories])
        wide = shares.repeat_interleave(sizes, 1).unsqueeze(1) * self.expected
        ends = (shares.unsqueeze(1) * end for end in (self.low, self.high))
        return type(self)(wide.sum(0), *(end.sum(0) for end in ends))

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Of the rows of all."""
        return cls(*(torch.cat(part, 1) for part in zip(*parts, strict=True)))


def train_imputer(
    table: Table,
    choices: Mapping[str, Any] | None = None,
    *,
    members: int | None = None,
    level: float = 0.9,
    reporter: Reporter | None = None,
) -> Imputer:
    """Train ``members`` models, by default four, of 1,000 to 10,000 rows two, on a table with missing cells, a tenth of
    the observed ones (of 1500 rows at most) hidden from each, others each time: a delete-a-group jackknife over cells
    (Shao and Wu, 1989).

    Each imputes what was hidden from it, and so do the full-covariance Gaussian and its copula, fitted to the same
    cells. That says how much each counts in the ensemble (:func:`shares`) and how wide intervals have to be
    (conformalized quantile regression; Romano et al., 2019). The linear models are then fitted again, to all cells.
    ``choices`` are fields of :class:`TrainRequest` that differ from the preset ``imputation``.
    """
    faster = next((options for rows, options in FASTER.items() if len(table) in rows), {})
    if members is None:
        members = FEWER if faster else MEMBERS
    if members < 1 or not 0 < level < 1:
        raise ValueError(f"expected at least 1 member and a level between 0 and 1, got {members} and {level}")
    request = TrainRequest.parse(altered({**preset("imputation"), **faster}, choices))
    schema = TableSchema.infer(table, choices=request.columns)
    tell(schema, table, reporter)
    x, margins = torch.from_numpy(schema.normalize(table)), _margins(schema)
    runs, truths, found = [], [], []
    for member in range(members):
        hidden = _hidden(x, request.seed + member)
        runs.append(_member(request, member, schema, table, hidden, reporter))
        seen, rows = torch.where(hidden, torch.nan, x), hidden.any(1)
        rows[0] |= not rows.any()  # of a table too small to hide anything
        linear = _linear(schema, seen, request.seed)
        found.append(_Predicted.by([runs[-1].model], linear, seen[rows], level, request.seed))
        truths.append(torch.where(hidden, x, torch.nan)[rows])
    truth, predicted = torch.cat(truths), _Predicted.joined(found)
    kinds = [size > 0 for size in margins.categories]
    share = shares(predicted.expected, margins.forward(truth), margins.blocks, kinds)
    one = predicted.blended(share, margins)
    methods = dict(zip(("vae", *LINEAR), predicted.expected, strict=False))
    errors = {name: _errors(margins, truth, value) for name, value in {"ensemble": one.expected, **methods}.items()}
    steps = torch.tensor([0 if column.step is None else column.step / column.scale for column in schema.table])
    widening = _widening(_miss(truth, one, steps), level)
    return Imputer(tuple(runs), widening, level, tuple(_linear(schema, x, request.seed)), share, errors)


def impute_table(
    imputer: Imputer, table: Table, *, draws: int = 0, samples: int = 32, intervals: bool = True, seed: int = 0
) -> Completed:
    """Fill in the missing cells of a table with the imputer's columns: observed cells stay as they are, to the bit, and
    columns that the models do not have too, but for constants. Without ``intervals``, which take as long as all else,
    both their ends are the cells' values.
    """
    schema, table, models = imputer.schema, Table.read(table), [run.model for run in imputer.runs]
    x, margins = imputer.runs[0].feed(table).batch(slice(None)).x, _margins(schema)
    share = torch.ones(1, x.shape[1]) if imputer.shares is None else imputer.shares
    level = imputer.level if intervals else None
    found = _Predicted.by(models, imputer.tables, x, level, seed, samples).blended(share, margins)
    width = (found.high - found.low) * imputer.widening
    if "numpy" in (schema.native, table.native) and len(table.columns) == len(schema.order):
        table = table.renamed(schema.order)

    def filled(x: Tensor) -> Table:
        constants = np.zeros((len(x), len(schema.constants)))
        return fill_cells(table, (*schema.table, *schema.constants), np.column_stack([x.double().numpy(), constants]))

    values = margins.decided(found.expected)
    completed, drawn = filled(values), _drawn(models, imputer.tables, share, x, draws, samples, seed)
    low = high = completed
    if intervals:
        numbers = torch.tensor(margins.categories) == 0
        ends = (torch.where(numbers, end, values) for end in (found.low - width, found.high + width))
        low, high = map(filled, ends)
    return Completed(completed, tuple(map(filled, drawn)), low, high, x.isnan().numpy())


def _drawn(
    models: Sequence[LatentModel], tables: Sequence[GaussianTable], share: Tensor, x: Tensor, draws: int, samples: int,
    seed: int,
) -> Tensor:  # fmt: skip
    """Complete rows (draws, N, D), each by a model chosen in proportion to its shares."""
    if not draws:
        return x.new_zeros(0, *x.shape)
    found = [tasks.impute(models, x, samples=samples, draws=draws, seed=seed).draws]
    for table in tables:
        found.append(torch.stack([table.draw(x, seed=stream(seed, draw)).float() for draw in range(draws)]))
    generator = torch.Generator().manual_seed(stream(seed, HIDING))
    chosen = torch.multinomial(share.mean(1), draws * len(x), replacement=True, generator=generator)
    return torch.stack(found).flatten(1, 2)[chosen, torch.arange(draws * len(x))].view(draws, *x.shape)


def _member(
    request: TrainRequest, member: int, schema: TableSchema, table: Table, hidden: Tensor, reporter: Reporter | None
) -> Run:
    """A model trained without the hidden cells."""
    width = sum(len(column.values) or 1 for column in schema.table)
    own: dict[str, Any] = {
        "seed": request.seed + member,
        "latent_dim": request.latent_dim or max(1, min(8, width - 1)),
        "epochs": request.epochs or min(20, max(5, ROWS_SEEN // len(table))),
    }
    data = Dataset("rows", hide_cells(table, schema.columns, hidden.numpy()))
    return train(request.model_copy(update=own), dataset=data, schema=schema, reporter=reporter)


def _linear(schema: TableSchema, x: Tensor, seed: int) -> list[GaussianTable]:
    """The full-covariance normal and its copula, by EM; none where there are too many columns."""
    if _margins(schema).width > WIDEST:
        return []
    rows = torch.randperm(len(x), generator=torch.Generator().manual_seed(stream(seed, HIDING)))[:LINEAR_ROWS]
    return [GaussianTable.fit(x[rows], supports(schema), copula=copula) for copula in LINEAR.values()]


def _margins(schema: TableSchema) -> Margins:
    return Margins(tuple(column.categories for column in supports(schema)))


def _hidden(x: Tensor, seed: int) -> Tensor:
    """A tenth of the observed cells of some rows, no row's last one."""
    generator = torch.Generator().manual_seed(stream(seed, HIDING))
    hidden = ~x.isnan() & (torch.rand(x.shape, generator=generator) < HIDDEN)
    hidden[torch.randperm(len(x), generator=generator)[JUDGED:]] = False
    return hidden & ((~x.isnan() & ~hidden).any(1, keepdim=True))


def _errors(margins: Margins, truth: Tensor, expected: Tensor) -> Errors:
    """In model units, where numbers have variance 1."""
    category, values = torch.tensor(margins.categories) > 0, margins.decided(expected)
    numbers, kinds = (~truth.isnan() & part for part in (~category, category))
    root = (values - truth)[numbers].square().mean().sqrt().item()
    return Errors(root, (values != truth)[kinds].double().mean().item())


def _miss(truth: Tensor, found: _Predicted, steps: Tensor) -> Tensor:
    """How far each value is outside of its interval, below 0 if inside, as a part of its width. Ends are rounded to the
    columns' grids, which takes in what is within half of a step.
    """
    width = (found.high - found.low).clamp(min=1e-6)
    return (torch.maximum(found.low - truth, truth - found.high) - steps / 2) / width


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
