"""Normal scores of a column: the monotone map under which its values are about normal."""

import torch
from torch import Tensor

KNOTS = 32
CLOSEST = 1e-3  # model units between knots
LEAST = 5.0  # examples beyond the outermost quantile
BETWEEN = 20  # examples between knots, in the mean, at least


def normal_scores(x: Tensor, step: float = 0.0) -> tuple[Tensor, Tensor] | None:
    """``KNOTS`` knots and their scores Φ⁻¹(rank) for values (N,); None where they take fewer than three values. Knots
    are quantiles at evenly spaced scores, at least a step apart; ties have the rank of their middle.
    """
    x = x.double().sort().values
    if not len(x) or x[0] == x[-1]:
        return None
    end = torch.special.ndtri(torch.tensor(1 - LEAST / max(len(x), 4 * LEAST), dtype=torch.float64))
    count = min(KNOTS, max(3, round(len(x) / BETWEEN)))
    wanted = torch.special.ndtr(torch.linspace(-1, 1, count, dtype=torch.float64) * end)
    knots = _apart(x[(wanted * (len(x) - 1)).round().long()].unique(), max(CLOSEST, step))
    if len(knots) < 3:
        return None
    below, to = torch.searchsorted(x, knots), torch.searchsorted(x, knots, right=True)
    scores = torch.special.ndtri((below + to) / (2 * len(x)))
    return _filled(knots), _filled(scores)


def _apart(values: Tensor, distance: float) -> Tensor:
    """As many of the sorted values as are at least that far from the one before."""
    kept = [values[0]]
    for value in values[1:]:
        if value - kept[-1] > 0.999 * distance:
            kept.append(value)
    return torch.stack(kept)


def _filled(values: Tensor) -> Tensor:
    """``KNOTS`` values: the last piece in equal parts."""
    parts = torch.linspace(0, 1, KNOTS - len(values) + 2, dtype=values.dtype)
    return torch.cat([values[:-2], torch.lerp(values[-2], values[-1], parts)]).float()
