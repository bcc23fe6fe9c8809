"""Whether synthetic rows are copies of training rows: a check, not a guarantee of privacy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from .trends import Cells

MOST_ROWS = 10_000  # of each table whose distances are computed
CHUNK = 512


@dataclass(frozen=True)
class Memorisation:
    """Synthetic rows beside training rows, with held-out real rows as the measure of what is no copy.

    ``copies`` and ``copies_floor``: the share of synthetic and of held-out rows that equal a training row in every
    column; ``relative_copies``: the first over the second (0 if there are none at all), at most 1 where nothing is
    copied. ``distance`` and ``distance_floor``: the median distance of synthetic and of held-out rows to the closest
    training row. ``closer_to_train``: the share of synthetic rows that are closer to a training row than to any
    of as many held-out rows, ½ where nothing is memorised. ``membership_auc``: how well the distance to the closest
    synthetic row tells training rows from held-out ones, ½ for not at all. ``distances`` and ``distances_floor`` are
    the distances behind the medians.
    """

    copies: float
    copies_floor: float
    relative_copies: float
    distance: float
    distance_floor: float
    closer_to_train: float
    membership_auc: float
    distances: tuple[float, ...]
    distances_floor: tuple[float, ...]


def memorisation(
    cells: Cells, train: np.ndarray, real: np.ndarray, synthetic: np.ndarray, seed: int = 0
) -> Memorisation:
    """Compare tables (N, D); distances are Euclidean over columns of ranks in [0, 1] and of categories, which are 0 or
    1 apart, from at most 10,000 rows of each table, as many training as held-out rows.
    """
    from sklearn.metrics import roc_auc_score

    known = {row.tobytes() for row in _bytes(train)}
    copies, floor = (float(np.mean([row.tobytes() in known for row in _bytes(part)])) for part in (synthetic, real))
    rng = np.random.default_rng(seed)
    n = min(len(train), len(real), MOST_ROWS)
    sizes = (n, n, min(len(synthetic), MOST_ROWS))
    parts = [
        part[rng.permutation(len(part))[:size]] for part, size in zip((train, real, synthetic), sizes, strict=True)
    ]
    seen, unseen, made = (_embedded(cells, train, part) for part in parts)
    distances, others = closest(made, seen), closest(made, unseen)
    near = np.concatenate([closest(part, made) for part in (seen, unseen)])
    floors = closest(unseen, seen)
    return Memorisation(
        copies=copies,
        copies_floor=floor,
        relative_copies=copies / floor if floor else float("inf") if copies else 0.0,
        distance=float(np.median(distances)),
        distance_floor=float(np.median(floors)),
        closer_to_train=float(np.mean((distances < others) + 0.5 * (distances == others))),
        membership_auc=float(roc_auc_score(np.repeat([1, 0], n), -near)),
        distances=tuple(distances.tolist()),
        distances_floor=tuple(floors.tolist()),
    )


def closest(rows: torch.Tensor, others: torch.Tensor) -> np.ndarray:
    """The Euclidean distance of each row (N, F) to the closest of the others (M, F)."""
    found = [torch.cdist(part, others).min(1).values for part in rows.split(CHUNK)]
    return torch.cat(found).numpy()


def _bytes(x: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(np.where(np.isnan(x), np.inf, x) + 0.0)


def _embedded(cells: Cells, train: np.ndarray, x: np.ndarray) -> torch.Tensor:
    """Numbers by their rank among the training rows, categories one-hot over √2, missing cells all zero."""
    columns = []
    for at, is_category in enumerate(cells.is_category):
        values, known = x[:, at], np.sort(train[~np.isnan(train[:, at]), at])
        if is_category:
            size = int(max(np.nanmax(part[:, at], initial=0) for part in cells.parts)) + 1
            columns.append((values[:, None] == np.arange(size)) / np.sqrt(2))
        else:
            ranks = sum(np.searchsorted(known, values, side=side) for side in ("left", "right")) / (
                2 * max(len(known), 1)
            )
            columns.append(np.where(np.isnan(values), 0.5, ranks)[:, None])
    return torch.from_numpy(np.concatenate(columns, 1).astype(np.float32))
