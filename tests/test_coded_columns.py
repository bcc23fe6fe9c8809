"""Columns of tables on a stack of bits: they come back, and cost their information."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from vaekit.coding import Stack
from vaekit.core import Batch, LatentModel, masked_log_prob_each, terms
from vaekit.data import TableSchema
from vaekit.distributions.coded import Grid, coded
from vaekit.distributions.density import in_steps
from vaekit.noise import isolated_rng
from vaekit.recipes import TrainRequest, build_model
from vaekit.tasks.bits_back import decode_examples, encode_examples

N = 600
LIKELIHOODS: dict[str, Any] = {
    "mixed": "mixed",
    "components, normal": {
        "name": "mixed",
        "numbers": {"name": "discretized", "components": 3, "kernel": "normal", "floor": 1.0},
    },
    "no warp": {"name": "mixed", "numbers": {"name": "discretized", "warp": False, "noise": "output"}},
    "ordinals": {"name": "mixed", "ordinals": "category-columns"},
    "counts": {"name": "mixed", "counts": "negative-binomial"},
    "histogram": "histogram",
    "autoregressive": {"name": "autoregressive", "bins": 64, "features": 4, "width": 8, "embedding": 4},
}


def table(n: int = N) -> pl.DataFrame:
    """Columns of several kinds: categories, a count with a spike at 0, amounts with heavy tails, whole numbers, few."""
    rng = np.random.default_rng(0)
    amounts = np.round(np.exp(rng.normal(4, 1.5, n)), 2)
    return pl.DataFrame(
        {
            "colour": rng.choice(["red", "green", "blue"], n, p=[0.7, 0.2, 0.1]),
            "visits": rng.poisson(6, n) * (rng.random(n) < 0.6),
            "amount": np.where(rng.random(n) < 0.1, 99.99, amounts),
            "weight": rng.integers(10_000, 1_500_000, n),
            "sign": rng.integers(-4, 5, n),
        }
    )


def model_of(likelihood: Any, schema: TableSchema, x: torch.Tensor) -> LatentModel:
    """Untrained, but started from the rows."""
    common = {"data": "x.csv", "likelihood": likelihood, "latent_dim": 2, "network": {"name": "mlp", "hidden": [8]}}
    request = TrainRequest.parse({**common, "prior": "standard-normal", "posterior": "diagonal-normal"})
    model = build_model(request, schema, len(x))
    with isolated_rng(0):
        model.prepare(Batch(x, None, ~x.isnan()))
        for parameter in model.parameters():
            parameter.data += 0.05 * torch.randn_like(parameter)
    return model.eval()


def rows_and_grid(name: str, n: int = N) -> tuple[TableSchema, torch.Tensor, Grid, torch.Tensor]:
    """The schema, symbols (N, D), their grid and the values that a model sees."""
    rows = table().select("colour", "visits", "sign") if name == "counts" else table()
    schema = TableSchema.infer(rows)
    x = schema.normalize(rows[:n]).astype(np.float64)
    step = np.array([(column.step or 1) / column.scale for column in schema.table])
    low = x.min(0)
    symbols = np.rint((x - low) / step).astype(np.int64)
    room = np.array([4 if column.kind in ("count", "positive") else 1 for column in schema.table])
    grid = Grid(*map(torch.from_numpy, (low, step, room * (symbols.max(0) + 1))))
    symbols = torch.from_numpy(symbols)
    return schema, symbols, grid, grid.values(symbols)


def encoded(p: Any, symbols: torch.Tensor, grid: Grid) -> Stack:
    stack, parts = Stack(), []

    def see(part: Any, given: Any) -> torch.Tensor:
        parts.append((coded(given, grid.at(part)), symbols[part]))
        return grid.at(part).values(symbols[part])

    in_steps(p, see)
    for made, values in reversed(parts):
        made.push(stack, values.flatten())
    return stack


@pytest.mark.parametrize("name", LIKELIHOODS)
def test_columns_cost_their_information_and_come_back(name):
    schema, symbols, grid, x = rows_and_grid(name)
    model = model_of(LIKELIHOODS[name], schema, x)
    with torch.no_grad():
        p = model.decode((torch.zeros(1, len(x), 2),))
        information = -masked_log_prob_each(p, x, None)[0].sum(0) / math.log(2)
    wanted, stack = symbols.unsqueeze(0), encoded(p, symbols.unsqueeze(0), grid)
    assert 8 * len(stack.to_bytes()) == pytest.approx(float(information.sum()), rel=3e-3, abs=64)
    found = torch.zeros_like(wanted)

    def look(part: Any, given: Any) -> torch.Tensor:
        found[part] = coded(given, grid.at(part)).pop(stack).view(found[part].shape)
        return grid.at(part).values(found[part])

    in_steps(p, look)
    assert torch.equal(found, wanted)
    assert stack.bits == 0


@pytest.mark.parametrize("name", ["mixed", "autoregressive"])
def test_rows_are_coded_at_the_evidence_bound(name):
    schema, symbols, grid, x = rows_and_grid(name)
    model = model_of(LIKELIHOODS[name], schema, x)
    code = encode_examples(model, symbols, grid)
    assert torch.equal(decode_examples(model, code, grid), symbols)
    with torch.no_grad(), isolated_rng(0):
        trace, log_px = terms(model, Batch(x), 4)
    bound = -float((log_px + trace.log_ratio()).mean(0).sum()) / math.log(2)
    assert 8 * len(code.data) == pytest.approx(bound, rel=1e-2)  # of few rows, whose first are coded without bits back


@pytest.mark.parametrize("name", LIKELIHOODS)
def test_hidden_cells_are_left_out(name):
    schema, symbols, grid, x = rows_and_grid(name, 200)
    model = model_of(LIKELIHOODS[name], schema, x)
    mask = torch.rand(symbols.shape, generator=torch.Generator().manual_seed(0)) > 0.4
    code = encode_examples(model, symbols, grid, mask)
    assert torch.equal(decode_examples(model, code, grid, mask), torch.where(mask, symbols, 0))
    assert len(code.data) < 0.8 * len(encode_examples(model, symbols, grid).data)


@pytest.mark.parametrize("name", ["mixed", "histogram", "autoregressive"])
def test_values_far_outside_of_the_training_range_come_back(name):
    schema, symbols, grid, x = rows_and_grid(name, 50)
    model = model_of(LIKELIHOODS[name], schema, x)
    places = [at for at, column in enumerate(schema.table) if not column.is_category]
    low, counts = grid.low.clone(), grid.counts.clone()
    low[places] -= grid.step[places] * 2**20
    counts[places] = 2**24
    wide, far = Grid(low, grid.step, counts), symbols.clone()
    far[:, places] = torch.randint(0, 2**24, (len(x), len(places)), generator=torch.Generator().manual_seed(0))
    code = encode_examples(model, far, wide)
    assert torch.equal(decode_examples(model, code, wide), far)
