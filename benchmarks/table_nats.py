"""Held-out rows of tables under the default model and under linear ones: ``python -m benchmarks table-nats``.

Four fifths of the rows train, the last fifth judges: mean nats of a row as recorded, masses of precision intervals and
of categories, densities per unit of continuous columns. The VAE is what ``vaekit train FILE`` makes, its likelihood
importance-weighted with 200 samples; the full-covariance normal and the Gaussian copula are fitted by EM
(:class:`GaussianCopula`). The columns are found in all rows, for all alike. Differences are paired, with intervals of
95 %.
"""

from __future__ import annotations

import math
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.anomalies import tables as adbench
from benchmarks.imputation import hi_vae
from vaekit.data import Dataset, Table, TableSchema
from vaekit.models import GaussianCopula
from vaekit.recipes import TrainRequest, train
from vaekit.recipes.assemble import supports
from vaekit.tasks import importance

TEST, SAMPLES = 0.2, 200
BASELINES = {"Gaussian EM": True, "copula EM": False}  # whether margins are normal
TABLES = ("Breast", "Wine", "glass", "Pima", "vowels", "cardio", "pendigits", "Adult")


def load(name: str, seed: int) -> Table:
    """The rows in random order."""
    if name == "Adult":
        table = Table.read(Path(os.environ["VAEKIT_DATA_DIR"]) / "adult" / "adult.csv")
    else:
        table = Table.read(np.load(adbench()[name])["X"] if name in adbench() else hi_vae(name, "10_1").whole)
    return table[np.random.default_rng(seed).permutation(len(table))]


def measure(seeds: int, only: str, choices: dict[str, Any] | None = None) -> dict[str, Any]:
    """Of tables whose names begin with ``only``: rows, nats, differences and seconds."""
    found = {}
    for name in TABLES:
        if name.startswith(only):
            found[name] = _judged(name, seeds, choices or {})
            print(name, found[name], flush=True)
    return {"seeds": seeds, "tables": found}


def _judged(name: str, seeds: int, choices: dict[str, Any]) -> dict[str, Any]:
    each: dict[str, list[Tensor]] = {who: [] for who in ("VAE", *BASELINES)}
    rows, columns, seconds = 0, 0, 0.0
    for seed in range(seeds):
        whole = load(name, seed)
        cut = round(TEST * len(whole))
        schema, seen, unseen = TableSchema.infer(whole), whole[cut:], whole[:cut]
        x, y = (torch.from_numpy(schema.normalize(part)) for part in (seen, unseen))
        started = time.process_time()
        request = TrainRequest.parse({"seed": seed, "device": "cpu", **choices})
        run = train(request, dataset=Dataset(name, seen), schema=schema)
        rows, columns, seconds = len(seen), len(schema.table), seconds + time.process_time() - started
        each["VAE"].append(importance(run.model, run.feed(unseen), SAMPLES, common=False).log_likelihood)
        for who, normal in BASELINES.items():
            each[who].append(GaussianCopula.fit(x, supports(schema), normal=normal).log_prob(y))
    nats = {who: torch.cat(values) for who, values in each.items()}
    gains = {f"VAE - {who}": nats["VAE"] - nats[who] for who in BASELINES}
    means = {who: round(values.mean().item(), 3) for who, values in nats.items()}
    halves = {who: [round(gain.mean().item(), 3), round(1.96 * gain.std().item() / math.sqrt(len(gain)), 3)]
              for who, gain in gains.items()}  # fmt: skip
    return {"rows": rows, "columns": columns, **means, **halves, "training_s": round(seconds / seeds, 1)}


def table(result: dict[str, Any]) -> str:
    """The result as text."""
    columns = ("rows", "VAE", *BASELINES, "training_s")
    lines = [f"{'':<12}" + "".join(f"{name:>14}" for name in columns)]
    for name, found in result["tables"].items():
        lines.append(f"{name:<12}" + "".join(f"{found[column]:>14}" for column in columns))
    return "\n".join(lines)
