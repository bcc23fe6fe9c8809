"""Anomalies in 22 tables of ADBench, and in images, against peers on the same splits.

    python -m benchmarks anomalies [--seeds 5] [--rows 50000] [--only "vaekit knn"]

Tables, standardised columns. *Semi*: train on half of the normal rows, test on the rest and all anomalies.
*Unsupervised*: train on everything, test on the same rows; neighbours of a row are others than itself. vaekit has one
configuration for all tables and both settings, :class:`vaekit.VAEDetector`'s defaults, chosen on the 11 tables at even
positions in alphabetical order, "chosen"; the other 11, "unseen", are reported beside. Every measurement is kept as
soon as it is made, so that a rerun makes what is missing. PyOD's peers are measured where PyOD is installed.
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

IMAGES, TESTED = 20_000, 1000  # training images, and test images of each side
CHOSEN = 5  # classes of images, the first, by which our configuration was chosen
SHARP = {  # the likelihood of the recorded values
    "likelihood": "discretized-logistic",
    "network": {"name": "mlp", "hidden": [512]},
    "latent_dim": 16,
    "epochs": 10,
    "batch_size": 128,
}
SETTINGS = ("semi", "unsupervised")
Scorer = Callable[[np.ndarray, np.ndarray, bool, int], np.ndarray]


def vaekit(train: np.ndarray, test: np.ndarray, same: bool, seed: int) -> np.ndarray:
    """Ours, with its defaults, whether or not the test rows are those it has learned from."""
    from vaekit import VAEDetector

    return -VAEDetector(seed=seed, verbose=False).fit(train).score_samples(test)


METHODS: dict[str, Scorer] = {"vaekit": vaekit, **PEERS}


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


def measure_tables(cache: Path, methods: list[str], seeds: int, rows: int) -> dict[str, dict[str, float]]:
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
        auc = 100 * roc_auc_score(y, np.nan_to_num(np.asarray(score, np.float64), posinf=1e300, neginf=-1e300))
        known[key] = {"auroc": round(auc, 3), "seconds": round(time.perf_counter() - start, 3)}
        print(f"{key}: {auc:.2f}, {known[key]['seconds']:.1f} s", flush=True)
        cache.parent.mkdir(exist_ok=True, parents=True)
        cache.write_text(json.dumps(known))
    return known


def measure_images(cache: Path) -> dict[str, dict[str, float]]:
    """AUROC of Fashion-MNIST against MNIST, and of a class of it that is held out: in the mean over all classes, over
    those by which the configuration was chosen, and over the others.
    """
    from vaekit.data import load_dataset

    known = json.loads(cache.read_text()) if cache.exists() else {}
    fashion, digits = load_dataset("fashion-mnist"), load_dataset("mnist")
    tests = {"fashion against mnist": (fashion.x, fashion.x_test, digits.x_test)}
    for held, name in enumerate(fashion.classes):
        normal = fashion.y_test != held
        tests[name] = (fashion.x[fashion.y != held], fashion.x_test[normal], fashion.x_test[~normal])
    for name, (train, normal, odd) in tests.items():
        if name not in known:
            known[name] = _of_images(train[:IMAGES], normal[:TESTED], odd[:TESTED])
            print(f"{name}: {known[name]}", flush=True)
            cache.write_text(json.dumps(known))
    held = [known[name] for name in fashion.classes]
    groups = {"a class held out": held, "chosen classes": held[:CHOSEN], "unseen classes": held[CHOSEN:]}
    means = {group: {method: round(float(np.mean([row[method] for row in rows])), 2) for method in held[0]}
             for group, rows in groups.items()}  # fmt: skip
    return {"fashion against mnist": known["fashion against mnist"]} | means | known


def _of_images(train: np.ndarray, normal: np.ndarray, odd: np.ndarray) -> dict[str, float]:
    from sklearn.metrics import roc_auc_score

    from vaekit import VAEDetector, tasks
    from vaekit.recipes import preset

    x, y = np.concatenate([normal, odd]), np.repeat([0, 1], [len(normal), len(odd)])
    ours, less_complexity = (
        -VAEDetector(choices=choices, samples=16, verbose=False).fit(train).score_samples(x)
        for choices in (preset("detection-images"), SHARP)
    )
    near = PEERS["knn"](*(part.reshape(len(part), -1) / 255 for part in (train, x)), same=False, seed=0)
    raw = less_complexity + tasks.complexity(x)
    scores = {"vaekit": ours, "raw likelihood": raw, "less complexity": less_complexity, "knn on pixels": near}
    return {name: round(100 * float(roc_auc_score(y, score)), 2) for name, score in scores.items()}


def summary(known: dict[str, dict[str, float]], methods: list[str], seeds: int, rows: int) -> dict[str, object]:
    """Mean AUROC over tables and seeds of every method, and how far ours is above it, with a 95 % interval over the
    tables by bootstrap of the paired differences.
    """
    names = list(tables())
    groups = {"all": names, "chosen": names[1::2], "unseen": names[::2]}
    found: dict[str, object] = {}
    for setting in SETTINGS:
        rows_of = {
            (m, n): [known.get(f"{rows}/{setting}/{n}/{seed}/{m}", {}) for seed in range(seeds)]
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


def measure(seeds: int, rows: int, only: list[str], cache: Path) -> dict[str, object]:
    """Measure what is missing, of the methods ``only`` (``images`` among them) if there are any, and sum up."""
    known = measure_tables(cache, [name for name in only or METHODS if name != "images"], seeds, rows)
    images = measure_images(cache.with_name("anomalies-images.json")) if not only or "images" in only else {}
    return {"seeds": seeds, "rows": rows, **summary(known, list(METHODS), seeds, rows), "images": images}


def table(result: dict) -> str:
    """The means as text."""
    lines = []
    for setting in SETTINGS:
        means, above = result[setting]["mean_auroc"], result[setting]["ours_above"]
        lines.append(f"{setting:18}{'all':>8}{'chosen':>8}{'unseen':>8}{'seconds':>9}   ours above, 95 %")
        for method in sorted(means["all"], key=lambda name: -means["all"][name]):
            row = "".join(f"{means[group][method]:8.2f}" for group in ("all", "chosen", "unseen"))
            interval = "{:6.2f} ({:.2f} to {:.2f})".format(*above[method]) if method in above else ""
            lines.append(f"{method:18}{row}{result[setting]['median_seconds'][method]:9.2f}   {interval}")
    for name, row in result["images"].items():
        lines.append(f"{name:18}" + "  ".join(f"{method} {value:.2f}" for method, value in row.items()))
    return "\n".join(lines)
