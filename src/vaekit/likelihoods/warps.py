"""Normal scores of a column: the monotone map under which its values are about normal."""

import numpy as np
import torch
from torch import Tensor

from vaekit.core import Support

from .histogram import UNSEEN, choose_bins

KNOTS = 32  # of continuous columns
REPEATED = 3  # how often values of a grid must occur on average, to have knots around them
CLOSEST = 1e-3  # model units between knots
LEAST = 5.0  # examples beyond the outermost quantile
BETWEEN = 20  # examples between knots, in the mean, at least


def normal_scores(x: Tensor, column: Support, most: int = KNOTS) -> tuple[Tensor, Tensor] | None:
    """``most`` knots and their scores Φ⁻¹(rank) for values (N,) of a column; None where they take fewer than three.

    Knots are quantiles at evenly spaced scores, at least a step apart; ties have the rank of their middle. On a grid
    whose values repeat they are, as far as they suffice, both ends of each frequent value's cell, so that a kernel over
    the scores knows which values are recorded how often.
    """
    x = x.double().sort().values
    if not len(x) or x[0] == x[-1]:
        return None
    step = float(column.step or 0.0)  # pyright: ignore[reportArgumentType]
    if step and most > KNOTS and len(x) >= REPEATED * len(x.unique()):
        return _of_cells(x.numpy(), column, most)
    end = torch.special.ndtri(torch.tensor(1 - LEAST / max(len(x), 4 * LEAST), dtype=torch.float64))
    count = min(KNOTS, max(3, round(len(x) / BETWEEN)))
    wanted = torch.special.ndtr(torch.linspace(-1, 1, count, dtype=torch.float64) * end)
    knots = _apart(x[(wanted * (len(x) - 1)).round().long()].unique(), max(CLOSEST, step))
    if len(knots) < 3:
        return None
    below, to = torch.searchsorted(x, knots), torch.searchsorted(x, knots, right=True)
    scores = torch.special.ndtri((below + to) / (2 * len(x)))
    return _filled(knots, most), _filled(scores, most)


def _of_cells(x: np.ndarray, column: Support, most: int) -> tuple[Tensor, Tensor]:
    """The edges of a histogram's bins, and the scores of what lies below them."""
    edges, _ = choose_bins(x, column, most - 1, (most - 3) // 3)
    counts = torch.from_numpy(np.histogram(x, edges)[0] + UNSEEN)
    below = torch.cat([counts[:1] / 2, counts.cumsum(0)[:-1], counts.sum(0, keepdim=True) - counts[-1:] / 2])
    finite = np.isfinite(edges)
    scores = torch.special.ndtri(below / counts.sum())
    return _filled(torch.from_numpy(edges[finite]), most), _filled(scores[torch.from_numpy(finite)], most)


def _apart(values: Tensor, distance: float) -> Tensor:
    """As many of the sorted values as are at least that far from the one before."""
    kept = [values[0]]
    for value in values[1:]:
        if value - kept[-1] > 0.999 * distance:
            kept.append(value)
    return torch.stack(kept)


def _filled(values: Tensor, most: int) -> Tensor:
    """``most`` values: the last piece in equal parts."""
    parts = torch.linspace(0, 1, most - len(values) + 2, dtype=values.dtype)
    return torch.cat([values[:-2], torch.lerp(values[-2], values[-1], parts)]).float()
