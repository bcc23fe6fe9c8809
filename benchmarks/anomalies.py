"""Anomalies in 22 tables of ADBench, and in images, against peers on the same splits.

    python -m benchmarks anomalies [--seeds 5] [--rows 50000] [--only vaekit knn]   # tables
    python -m benchmarks anomalies --images                                         # Fashion-MNIST

Tables, standardised columns. *Semi*: train on half of the normal rows, test on the rest and all anomalies.
*Unsupervised*: train on everything, test on the same rows; neighbours of a row are others than itself. vaekit has one
configuration for all tables, :class:`vaekit.VAEDetector`'s defaults, told in the first setting that training rows are
normal (``trim=0``). It was chosen on the 11 tables at even positions in alphabetical order, "chosen"; the other 11,
"unseen", are reported beside. Every measurement is kept as soon as it is made, so that a rerun makes what is missing.
PyOD's peers are measured where PyOD is installed.
"""

from __future__ import annotations

import json
import os
import time
import warnings
from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np

from benchmarks.peers.outliers import PEERS

SETTINGS = ("semi", "unsupervised")
Scorer = Callable[[np.ndarray, np.ndarray, bool, int], np.ndarray]


def vaekit(train: np.ndarray, test: np.ndarray, same: bool, seed: int) -> np.ndarray:
    """Ours, with its defaults."""
    from vaekit import VAEDetector

    detector = VAEDetector(seed=seed, verbose=False) if same else VAEDetector(trim=0.0, seed=seed, verbose=False)
    return -detector.fit(train).score_samples(test)


def untold(train: np.ndarray, test: np.ndarray, same: bool, seed: int) -> np.ndarray:
    """Ours, not told that training rows are normal."""
    from vaekit import VAEDetector

    return -VAEDetector(seed=seed, verbose=False).fit(train).score_samples(test)


METHODS: dict[str, Scorer] = {"vaekit": vaekit, "vaekit-untold": untold, **PEERS}


def tables() -> dict[str, Path]:
    """ADBench's files by name, in alphabetical order."""
    folder = Path(os.environ["VAEKIT_DATA_DIR"]) / "adbench"
    found = {path.stem.split("_", 1)[1]: path for path in folder.glob("*.npz")}
    return {name: found[name] for name in sorted(found, key=str.lower)}


def split(path: Path, setting: str, rows: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Training rows, test rows, and which of these are anomalies; at most ``rows`` rows in all."""
    content, rng = np.load(path, allow_pickle=False), np.random.default_rng(seed)
    order = rng.permutation(len(content["y"]))[:rows]
    x, y = content["X"][order].astype(np.float64), content["y"][order].astype(int)
    if setting == "semi":
        normal = np.flatnonzero(y == 0)
        train, test = normal[: len(normal) // 2], np.concatenate([normal[len(normal) // 2 :], np.flatnonzero(y)])
    else:
        train = test = np.arange(len(y))
    mean, scale = x[train].mean(0), x[train].std(0)
    x = (x - mean) / np.where(scale > 0, scale, 1)
    return x[train], x[test], y[test]


def measure(cache: Path, methods: list[str], seeds: int, rows: int) -> dict[str, dict[str, float]]:
    """AUROC and seconds of every method, setting, table and seed, from the cache where known."""
    from sklearn.metrics import roc_auc_score

    known = json.loads(cache.read_text()) if cache.exists() else {}
    for seed, setting, (name, path), method in product(range(seeds), SETTINGS, tables().items(), methods):
        key = f"{rows}/{setting}/{name}/{seed}/{method}"
        if key in known:
            continue
        train, test, y = split(path, setting, rows, seed)
        start = time.perf_counter()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                score = METHODS[method](train, test, setting == "unsupervised", seed)
        except ImportError as problem:
            print(f"{method} is not measured: {problem}", flush=True)
            methods = [other for other in methods if other != method]
            continue
        auc = 100 * roc_auc_score(y, np.nan_to_num(score, posinf=1e300, neginf=-1e300))
        known[key] = {"auroc": round(auc, 3), "seconds": round(time.perf_counter() - start, 3)}
        print(f"{key}: {auc:.2f}, {known[key]['seconds']:.1f} s", flush=True)
        cache.parent.mkdir(exist_ok=True, parents=True)
        cache.write_text(json.dumps(known))
    return known


def summary(known: dict[str, dict[str, float]], methods: list[str], seeds: int, rows: int) -> dict[str, object]:
    """Mean AUROC over tables and seeds of every method, and how far ours is above it, with a 95 % interval over the
    tables by bootstrap of the paired differences.
    """
    names = list(tables())
    groups = {"all": names, "chosen": names[1::2], "unseen": names[::2]}
    found: dict[str, object] = {}
    for setting in SETTINGS:
        rows_of = {
            (m, n): [known.get(f"{rows}/{setting}/{n}/{seed}/{m}") for seed in range(seeds)]
            for m in methods
            for n in names
        }
        complete = [m for m in methods if all(row for n in names for row in rows_of[m, n])]
        table = {m: {n: float(np.mean([row["auroc"] for row in rows_of[m, n]])) for n in names} for m in complete}
        seconds = {m: float(np.median([row["seconds"] for n in names for row in rows_of[m, n]])) for m in complete}
        means = {group: {m: round(float(np.mean([row[n] for n in of])), 2) for m, row in table.items()}
                 for group, of in groups.items()}  # fmt: skip
        above = {m: _interval(np.array([table["vaekit"][n] - row[n] for n in names]))
                 for m, row in table.items() if "vaekit" in table and m != "vaekit"}  # fmt: skip
        found[setting] = {"mean_auroc": means, "ours_above": above, "median_seconds": seconds, "by_table": table}
    return found


def _interval(differences: np.ndarray) -> list[float]:
    """The mean, and its 95 % interval by bootstrap."""
    rng = np.random.default_rng(0)
    means = differences[rng.integers(len(differences), size=(10_000, len(differences)))].mean(1)
    return [round(float(value), 2) for value in (differences.mean(), *np.quantile(means, [0.025, 0.975]))]


def main(seeds: int, rows: int, only: list[str], cache: Path) -> dict[str, object]:
    """Measure what is missing and sum up."""
    measure(cache, only or list(METHODS), seeds, rows)
    known = json.loads(cache.read_text())
    return {"seeds": seeds, "rows": rows, **summary(known, list(METHODS), seeds, rows)}
