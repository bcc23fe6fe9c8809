"""Synthetic rows of Adult: ours and simple generators, on one split with real rows held out, judged alike.

Four fifths of the rows train, the last fifth judges; as many rows are drawn as trained. Trends are against the
training rows, as published tables have them, and against the held-out rows; all else is against the held-out ones.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.peers import synthesizers
from vaekit.data import Table, TableSchema
from vaekit.evaluation import Fidelity, assess_fidelity
from vaekit.recipes import synthesize, train_synthesizer
from vaekit.recipes.assemble import supports
from vaekit.training import default_reporter

TEST = 0.2
GOALS = {"detection": 0.86, "trend": 0.986, "auc_gap": 0.01, "seconds": 900, "relative_copies": 1}
PUBLISHED = {  # trend, detection, AUC of a classifier trained on the rows, seconds; other splits, from the papers
    "TabSyn": (0.980, 0.794, 0.910, 3083),
    "TabDiff": (0.985, 0.841, 0.913, 11605),
    "TabPC": (0.986, 0.855, 0.916, 272),
    "shallow mixture": (None, 0.773, 0.902, 60),
}
MIXED = {"likelihood": "mixed", "latent_dim": 16, "network": {"name": "mlp", "hidden": [256, 256]}, "refit": "flow"}
Draw = Callable[[Table, int, int], Table]


def _simple(generator: Callable[..., torch.Tensor]) -> Draw:
    def draw(train: Table, n: int, seed: int) -> Table:
        schema = TableSchema.infer(train)
        x = torch.from_numpy(schema.normalize(train))
        columns = supports(schema)
        return Table.read(schema.restore(generator(x, columns, n, seed).numpy()))

    return draw


def _ours(choices: dict[str, Any]) -> Draw:
    def draw(train: Table, n: int, seed: int) -> Table:
        run = train_synthesizer(train, {**choices, "seed": seed, "device": "cpu"}, reporter=default_reporter())
        return Table.read(synthesize(run, n, seed=seed + 1))

    return draw


ENTRANTS: dict[str, Draw] = {
    "independent columns": _simple(synthesizers.independent),
    "Gaussian copula": _simple(synthesizers.copula),
    "latent classes": _simple(synthesizers.latent_classes),
    "VAE, mixed, flow prior": _ours(MIXED),
    "vaekit": _ours({}),
}


def measure(seeds: int, only: str = "", rows: int | None = None) -> dict[str, Any]:
    """All entrants whose names begin with ``only``, on the first ``rows`` rows if given."""
    table = Table.read(Path(os.environ["VAEKIT_DATA_DIR"]) / "adult" / "adult.csv")
    order = np.random.default_rng(0).permutation(len(table))[:rows]
    cut = round(TEST * len(order))
    test, train = table[order[:cut]], table[order[cut:]]
    schema = TableSchema.infer(table)
    found: dict[str, Any] = {}
    for name, draw in ENTRANTS.items():
        if not name.startswith(only):
            continue
        results = []
        for seed in range(seeds):
            results.append(_judged(schema, draw, train, test, seed))
            print(name, "seed", seed, results[-1], flush=True)
        found[name] = {key: statistics.mean(result[key] for result in results) for key in results[0]}
        if seeds > 1:
            found[name]["spread"] = {key: statistics.stdev(result[key] for result in results) for key in results[0]}
        print(name, found[name], flush=True)
    return {"train": len(train), "test": len(test), "seeds": seeds, "threads": torch.get_num_threads(),
            "entrants": found, "goals": GOALS, "published": PUBLISHED}  # fmt: skip


def _judged(schema: TableSchema, draw: Draw, train: Table, test: Table, seed: int) -> dict[str, float]:
    """One generator with one seed."""
    start = time.perf_counter()
    rows = draw(train, len(train), seed)
    seconds = time.perf_counter() - start
    report = assess_fidelity(schema, rows, test, train, target="income", seed=seed)
    return {**_numbers(report), "seconds": round(seconds, 1)}


def _numbers(report: Fidelity) -> dict[str, float]:
    ours, floor, check = report.quality, report.floor, report.memorisation
    assert ours.usefulness is not None
    assert floor.usefulness is not None
    return {
        "shape": ours.shape,
        "shape_floor": floor.shape,
        "trend": report.trend_train,
        "trend_held_out": ours.trend,
        "trend_held_out_floor": floor.trend,
        "detection": ours.detection,
        "detection_floor": floor.detection,
        "auc": ours.usefulness,
        "auc_real": floor.usefulness,
        "auc_gap": floor.usefulness - ours.usefulness,
        "copies": check.copies,
        "copies_floor": check.copies_floor,
        "relative_copies": check.relative_copies,
        "closer_to_train": check.closer_to_train,
        "membership_auc": check.membership_auc,
    }


def table(result: dict[str, Any]) -> str:
    """The result as text, published figures below."""
    columns = ("trend", "detection", "auc", "auc_gap", "relative_copies", "membership_auc", "seconds")
    lines = [f"{'':<24}" + "".join(f"{name:>17}" for name in columns)]
    for name, numbers in result["entrants"].items():
        lines.append(f"{name:<24}" + "".join(f"{numbers[column]:>17.3f}" for column in columns))
    for name, (trend, detection, auc, seconds) in result["published"].items():
        shown = {"trend": trend, "detection": detection, "auc": auc, "seconds": seconds}
        lines.append(f"{name + ' *':<24}" + "".join(
            f"{'' if shown.get(column) is None else shown[column]:>17}" for column in columns))  # fmt: skip
    return "\n".join([*lines, "* published, on other splits"])
