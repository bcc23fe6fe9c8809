"""Missing cells filled in by vaekit and by its peers, on the same cells: ``python -m benchmarks imputation``.

HI-VAE's Wine, Adult and Breast with the masks they are published with (Nazábal et al., 2020): of numbers, ordinal ones
included, the root mean squared error as a part of the column's range, of categories the share that is wrong, both means
over columns. scikit-learn's breast cancer with half of the cells hidden at random: the mean squared error of
standardized columns. Forests and nearest neighbours take the first ROWS rows where there are more, and all methods are
judged by the hidden cells of these.
"""

from __future__ import annotations

import json
import os
import time
import warnings
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import rankdata
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer, KNNImputer

from vaekit.data import Table, TableSchema
from vaekit.models import GaussianTable
from vaekit.recipes.assemble import supports
from vaekit.recipes.imputation import impute_table, train_imputer

ROWS = 6500  # that forests and nearest neighbours learn from, at most, and that all are judged by
TREES, TURNS = 50, 4  # of missForest
SETS = ("Wine", "Adult", "Breast")
MASKS = ("10_1", "30_1", "50_1")


class Problem(NamedTuple):
    """A table with hidden cells, the same one whole, and which columns are categories."""

    seen: pd.DataFrame
    whole: pd.DataFrame
    categories: list[str]

    @property
    def hidden(self) -> np.ndarray:
        """(N, D)."""
        return self.seen.isna().to_numpy() & ~self.whole.isna().to_numpy()


def hi_vae(name: str, mask: str, rows: int | None = None) -> Problem:
    """One of HI-VAE's tables under one of its masks, a list of (row, column) from 1."""
    folder = Path(os.environ.get("VAEKIT_DATA_DIR", "")) / "hi-vae" / name
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is not there: set VAEKIT_DATA_DIR to the folder that holds hi-vae")
    types = pd.read_csv(folder / "data_types.csv")
    whole = pd.read_csv(folder / "data.csv", header=None)
    whole.columns = [f"{kind}{at}" for at, kind in enumerate(types["type"])]
    categories = [name for name in whole if name.startswith("cat")]
    whole[categories] = whole[categories].map(lambda code: f"c{int(code)}", na_action="ignore").astype(object)
    hidden = np.zeros(whole.shape, bool)
    hidden[tuple(pd.read_csv(folder / f"Missing{mask}.csv", header=None).to_numpy().T - 1)] = True
    order = np.random.default_rng(0).permutation(len(whole))  # the first rows of a file may be of one kind
    seen, whole = (part.iloc[order].reset_index(drop=True)[:rows] for part in (whole.mask(hidden), whole))
    return Problem(seen, whole, categories)


def breast_cancer(seed: int) -> Problem:
    """scikit-learn's, standardized, half of the cells hidden at random."""
    x = load_breast_cancer().data
    whole = pd.DataFrame((x - x.mean(0)) / x.std(0), columns=[f"x{i}" for i in range(x.shape[1])])
    return Problem(whole.mask(np.random.default_rng(seed).random(x.shape) < 0.5), whole, [])


class Coded(NamedTuple):
    """Numbers standardized and categories one-hot, for peers that know numbers alone; with ``reference`` without the
    column of the first category, for regressions, as columns that sum to one explain each other.
    """

    problem: Problem
    reference: bool = False

    def forward(self) -> pd.DataFrame:
        """NaN where hidden."""
        seen, categories = self.problem.seen, self.problem.categories
        numbers = seen.drop(columns=categories)
        return pd.concat([(numbers - numbers.mean()) / numbers.std(), *map(self._hot, categories)], axis=1)

    def back(self, x: np.ndarray) -> pd.DataFrame:
        """The reverse, the largest of a category's columns."""
        seen, categories = self.problem.seen, self.problem.categories
        found, numbers = seen.copy(), seen.drop(columns=categories)
        frame = pd.DataFrame(x, columns=self.forward().columns, index=seen.index)
        for name in numbers:
            found[name] = seen[name].fillna(frame[name] * seen[name].std() + seen[name].mean())
        for name in categories:
            own = frame[list(self._hot(name))]
            if self.reference:
                own = own.assign(**{f"{name}_{seen[name].dropna().min()}": 1 - own.sum(axis=1)})
            found[name] = seen[name].fillna(own.idxmax(axis=1).str.removeprefix(f"{name}_"))
        return found

    def _hot(self, name: str) -> pd.DataFrame:
        values = self.problem.seen[name]
        return pd.get_dummies(values, prefix=name, drop_first=self.reference).astype(float).mask(values.isna())


def mean_and_mode(problem: Problem) -> pd.DataFrame:
    """The column's own."""
    return problem.seen.fillna({
        name: problem.seen[name].mode()[0] if name in problem.categories else problem.seen[name].mean()
        for name in problem.seen
    })  # fmt: skip


def nearest(problem: Problem) -> pd.DataFrame:
    """The mean of the 10 nearest rows."""
    coded = Coded(problem)
    return coded.back(KNNImputer(n_neighbors=10).fit_transform(coded.forward().to_numpy()))


def mice(problem: Problem) -> pd.DataFrame:
    """Chained Bayesian linear regressions."""
    coded = Coded(problem, reference=True)
    return coded.back(IterativeImputer(max_iter=10, random_state=0).fit_transform(coded.forward().to_numpy()))


def miss_forest(problem: Problem) -> pd.DataFrame:
    """Chained forests, of classification for categories (Stekhoven and Bühlmann, 2012)."""
    seen, found = problem.seen, mean_and_mode(problem)
    order = seen.isna().sum().sort_values().index
    for turn in range(TURNS):
        for name in order:
            hidden = seen[name].isna()
            if not hidden.any():
                continue
            others = [other for other in problem.categories if other != name]
            inputs = pd.get_dummies(found.drop(columns=name), columns=others).to_numpy(float)
            forest = RandomForestClassifier if name in problem.categories else RandomForestRegressor
            made = forest(TREES, max_features="sqrt", random_state=turn, n_jobs=1)
            found.loc[hidden, name] = made.fit(inputs[~hidden], seen.loc[~hidden, name]).predict(inputs[hidden])
    return found


def gaussian(copula: bool) -> Callable[[Problem], pd.DataFrame]:
    """The full-covariance normal, or its copula, by EM."""

    def method(problem: Problem) -> pd.DataFrame:
        import torch

        schema = TableSchema.infer(problem.seen)
        x = torch.from_numpy(schema.normalize(problem.seen))
        table = GaussianTable.fit(x, supports(schema), copula=copula)
        values = table.impute(x).numpy()
        found = problem.seen.copy()
        for at, column in enumerate(schema.table):
            decoded = pd.Series(column.decode(values[:, at]), index=found.index)
            found[column.name] = problem.seen[column.name].fillna(decoded)
        return found

    return method


class Ours:
    """vaekit, with the intervals of its last table."""

    def __call__(self, problem: Problem) -> pd.DataFrame:
        """Train and fill in."""
        table = Table.read(problem.seen)
        imputer = train_imputer(table)
        self.shares = [] if imputer.shares is None else imputer.shares.mean(1).tolist()
        self.errors = {name: list(errors.__dict__.values()) for name, errors in imputer.errors.items()}
        found = impute_table(imputer, table)
        low, high = found.low.write(), found.high.write()
        numbers = [name for name in problem.whole if name not in problem.categories]
        inside = (problem.whole[numbers] >= low[numbers]) & (problem.whole[numbers] <= high[numbers])
        hidden = problem.hidden[:, [problem.whole.columns.get_loc(name) for name in numbers]]
        self.coverage = float(inside.to_numpy()[hidden].mean())
        return found.table.write()


def errors(problem: Problem, found: pd.DataFrame) -> dict[str, float | None]:
    """Normalized error of numbers, and share of wrong categories, means over columns."""
    parts: dict[str, list[float]] = {"numbers": [], "categories": []}
    for at, name in enumerate(problem.whole):
        hidden, whole = problem.hidden[:, at], problem.whole[name]
        if not hidden.any():
            continue
        if name in problem.categories:
            parts["categories"].append(float((found[name][hidden].astype(str) != whole[hidden]).mean()))
        else:
            miss = found[name][hidden].astype(float) - whole[hidden]
            parts["numbers"].append(float(np.sqrt((miss**2).mean()) / (whole.max() - whole.min())))
    return {kind: float(np.mean(values)) if values else None for kind, values in parts.items()}


def squared_error(problem: Problem, found: pd.DataFrame) -> dict[str, float]:
    """Over all hidden cells."""
    miss = (found.astype(float) - problem.whole).to_numpy()[problem.hidden]
    return {"mse": float((miss**2).mean())}


PEERS: dict[str, Callable[[Problem], pd.DataFrame]] = {
    "mean and mode": mean_and_mode, "kNN": nearest, "MICE": mice, "missForest": miss_forest,
    "Gaussian EM": gaussian(False), "copula EM": gaussian(True),
}  # fmt: skip
SLOW = ("kNN", "missForest")


def compare(problem: Problem, score: Callable) -> dict[str, dict]:
    """Every method's error on all hidden cells, slow ones' on those of the first rows, and the seconds it took."""
    ours, rows = Ours(), {}
    for name, method in {**PEERS, "vaekit": ours}.items():
        given = Problem(*(part[:ROWS] for part in problem[:2]), problem.categories) if name in SLOW else problem
        started = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = method(given)
        rows[name] = {
            **score(*(Problem(*(part[:ROWS] for part in problem[:2]), problem.categories), found[:ROWS])),
            "rows": len(given.seen),
            "seconds": round(time.perf_counter() - started, 1),
        }
        print(name, json.dumps(rows[name]), flush=True)
    rows["vaekit"] |= {"coverage": ours.coverage, "shares": ours.shares, "on cells it hid itself": ours.errors}
    return rows


def mean_ranks(tables: dict[str, dict[str, dict]]) -> dict[str, float]:
    """Over tables and kinds of cells, 1 the best, ties in the middle."""
    ranks: dict[str, list[float]] = {}
    for rows in tables.values():
        for kind in ("numbers", "categories"):
            scored = {name: row[kind] for name, row in rows.items() if row.get(kind) is not None}
            for name, rank in zip(scored, rankdata(list(scored.values())), strict=True):
                ranks.setdefault(name, []).append(rank)
    return {name: float(np.mean(found)) for name, found in ranks.items()}


def measure(seeds: int, rows: int, only: str) -> dict:
    """Breast cancer with so many masks, and HI-VAE's tables of at most so many rows; ``only`` are names of tables, all
    masks, or such as ``Adult/50_1``.
    """
    asked = only.split() or [*SETS, "breast-cancer"]
    half = {str(seed): compare(breast_cancer(seed), squared_error) for seed in range(seeds) if "breast-cancer" in asked}
    tables = {
        f"{name} {mask}": compare(hi_vae(name, mask, rows), errors)
        for name, mask in product(SETS, MASKS)
        if name in asked or f"{name}/{mask}" in asked
    }
    return {"breast_cancer": half, "hi_vae": tables, "mean_rank": mean_ranks(tables), "rows": rows}
