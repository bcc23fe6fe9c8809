"""How far each latent dimension stands for one known factor of the data."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

BINS = 20


@dataclass(frozen=True)
class Disentanglement:
    """Between 0 and 1, higher is better.

    ``mig`` is the mutual information gap. ``disentanglement`` (each dimension serves one factor), ``completeness``
    (each factor is served by one dimension) and ``informativeness`` (accuracy of the factors' values on held-out codes)
    are DCI's.
    """

    mig: float
    disentanglement: float
    completeness: float
    informativeness: float

    def to_json(self) -> dict[str, float]:
        """A plain dictionary."""
        return asdict(self)


def assess_disentanglement(codes: np.ndarray, factors: np.ndarray, *, seed: int = 0) -> Disentanglement:
    """Both measures for codes (N, D) and the whole-numbered factors (N, F) from which the examples were made."""
    return Disentanglement(mig(codes, factors), *dci(codes, factors, seed=seed))


def mig(codes: np.ndarray, factors: np.ndarray, *, bins: int = BINS) -> float:
    """The mutual information gap (Chen et al., 2018): for each factor the gap between the two dimensions that share
    most information with it, relative to its entropy; the mean over factors.

    Each dimension is cut into ``bins`` intervals of equal width, as in Locatello et al. (2019).
    """
    codes, factors = _checked(codes, factors)
    cut = np.stack([_cut(column, bins) for column in codes.T], 1)
    gaps = []
    for factor in factors.T:
        shared = sorted((_information(column, factor) for column in cut.T), reverse=True)
        gaps.append((shared[0] - (shared[1] if len(shared) > 1 else 0.0)) / _entropy(factor))
    return float(np.mean(gaps))


def dci(codes: np.ndarray, factors: np.ndarray, *, trees: int = 10, seed: int = 0) -> tuple[float, float, float]:
    """Disentanglement, completeness and informativeness (Eastwood and Williams, 2018).

    The importance of a dimension for a factor is what it takes from the entropy in a random forest that sees all
    dimensions at each split, fitted to half of the examples; the other half gives the accuracy.
    """
    from sklearn.ensemble import RandomForestClassifier

    codes, factors = _checked(codes, factors)
    order = np.random.default_rng(seed).permutation(len(codes))
    fitted, held = np.array_split(order, 2)
    columns, accuracies = [], []
    for factor in factors.T:
        forest = RandomForestClassifier(
            trees, criterion="entropy", max_features=codes.shape[1], min_samples_leaf=5, random_state=seed
        )
        forest.fit(codes[fitted], factor[fitted])
        columns.append(forest.feature_importances_)
        accuracies.append(forest.score(codes[held], factor[held]))
    importance = np.stack(columns, 1)
    return _specialization(importance), _specialization(importance.T), float(np.mean(accuracies))


def _specialization(importance: np.ndarray) -> float:
    """One minus the normalized entropy of each row, weighted by the row's share of all importance."""
    rows, columns = importance.sum(1), importance.shape[1]
    if rows.sum() == 0 or columns == 1:
        return 0.0 if columns > 1 else 1.0
    share = importance / np.maximum(rows, 1e-300)[:, None]
    entropy = -(share * np.log(np.maximum(share, 1e-300))).sum(1) / np.log(columns)
    return float(((1 - entropy) * rows / rows.sum()).sum())


def _checked(codes: np.ndarray, factors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    codes, factors = np.asarray(codes, np.float64), np.asarray(factors)
    if codes.ndim != 2 or factors.ndim != 2 or len(codes) != len(factors):
        raise ValueError(
            f"expected codes (N, D) and factors (N, F) of the same examples, got {codes.shape} and {factors.shape}"
        )
    varying = [column for column in factors.T if (column != column[0]).any()]
    if not varying:
        raise ValueError("none of the factors varies, so that there is nothing to disentangle")
    return codes, np.stack(varying, 1)


def _cut(column: np.ndarray, bins: int) -> np.ndarray:
    edges = np.histogram_bin_edges(column, bins)
    return np.digitize(column, edges[1:-1])


def _information(a: np.ndarray, b: np.ndarray) -> float:
    _, a = np.unique(a, return_inverse=True)
    return _entropy(a) + _entropy(b) - _entropy(a * (int(b.max()) + 1) + b)


def _entropy(values: np.ndarray) -> float:
    share = np.unique(values, return_counts=True)[1] / len(values)
    return float(-(share * np.log(share)).sum())
