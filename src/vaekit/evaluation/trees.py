"""What boosted trees make of synthetic rows: whether they tell them from real ones, and what they learn from them."""

from __future__ import annotations

import numpy as np

from .trends import Cells

FOLDS = 5
MOST_CATEGORIES = 255  # that scikit-learn's trees take as such


def detection(cells: Cells, real: np.ndarray, synthetic: np.ndarray, seed: int = 0) -> float:
    """1 - (2 max(AUC, ½) - 1) of boosted trees that tell synthetic rows from real ones: 1 if they cannot, 0 if always.

    As many rows of both, five stratified folds, the mean AUC of the folds left out (a classifier two-sample test,
    Lopez-Paz and Oquab, 2017). Raises ValueError for fewer than 10 rows of either.
    """
    from sklearn.model_selection import StratifiedKFold, cross_val_score

    n = min(len(real), len(synthetic))
    if n < 2 * FOLDS:
        raise ValueError(f"telling synthetic rows from real ones needs at least {2 * FOLDS} of each, got {n}")
    rng = np.random.default_rng(seed)
    x = np.concatenate([part[rng.permutation(len(part))[:n]] for part in (real, synthetic)])
    y = np.repeat([0, 1], n)
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    auc = cross_val_score(_trees(cells.is_category, x, True, seed), x, y, scoring="roc_auc", cv=folds).mean()
    return 2 - 2 * max(float(auc), 0.5)


def usefulness(cells: Cells, target: int, train: np.ndarray, test: np.ndarray, seed: int = 0) -> float:
    """How well boosted trees fitted to one table predict column ``target`` of another: AUC (of several categories the
    mean over one against the rest) for categories, R² for numbers.

    Rows whose target is missing are left out. Raises ValueError if the target of the test rows takes a single value.
    """
    from sklearn.metrics import r2_score, roc_auc_score

    train, test = (part[~np.isnan(part[:, target])] for part in (train, test))
    (x, y), (x_test, y_test) = ((np.delete(part, target, 1), part[:, target]) for part in (train, test))
    is_category = bool(cells.is_category[target])
    if len(np.unique(y_test)) < 2:
        raise ValueError(f"column {cells.names[target]!r} takes a single value in the real rows; choose another target")
    if len(np.unique(y)) < 2:
        return 0.5 if is_category else 0.0
    trees = _trees(np.delete(cells.is_category, target), np.concatenate([x, x_test]), is_category, seed).fit(x, y)
    if not is_category:
        return float(r2_score(y_test, trees.predict(x_test)))
    likely = np.zeros((len(y_test), int(max(y.max(), y_test.max())) + 1))
    likely[:, trees.classes_.astype(int)] = trees.predict_proba(x_test)
    each = [roc_auc_score(y_test == value, likely[:, int(value)]) for value in np.unique(y_test)]
    return float(np.mean(each))


def _trees(is_category: np.ndarray, x: np.ndarray, classify: bool, seed: int):
    """Scikit-learn's boosted trees, unfitted; columns of too many categories count as numbers."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    chosen = HistGradientBoostingClassifier if classify else HistGradientBoostingRegressor
    few = np.array([not np.isnan(column).all() and np.nanmax(column) < MOST_CATEGORIES for column in x.T], bool)
    return chosen(categorical_features=is_category & few, random_state=seed)  # pyright: ignore[reportArgumentType]
