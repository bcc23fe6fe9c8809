"""How well one set covers another, judged by nearest neighbours."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

ROWS = 256  # rows of a distance matrix held at once


@dataclass(frozen=True)
class Neighbors:
    """What each of M generated (``precision``, ``density``) and N real examples (``recall``, ``coverage``) adds to the
    mean of that measure.

    A set's neighbourhood is the union of balls around its points that reach to their k-th neighbour in the set.
    ``precision``: whether a generated example lies in the neighbourhood of the real ones; ``recall``: whether a real
    one lies in that of the generated ones (Kynkäänniemi et al., 2019). ``density``: in how many balls of real examples
    a generated one lies, over k; ``coverage``: whether any generated example lies in a real one's ball (Naeem et al.,
    2020).
    """

    precision: Tensor
    recall: Tensor
    density: Tensor
    coverage: Tensor


def neighbors(generated: Tensor, real: Tensor, k: int = 5, real_radius: Tensor | None = None) -> Neighbors:
    """Compare feature vectors (M, F) with (N, F), whose :func:`radii` may be known already.

    Raises ValueError unless both sets have more than k.
    """
    if min(len(generated), len(real)) <= k:
        raise ValueError(
            f"neighbourhoods need more than k={k} examples in each set, got {len(generated)} and {len(real)}"
        )
    generated_radius = radii(generated, k)
    real_radius = radii(real, k) if real_radius is None else real_radius
    inside = torch.zeros(len(generated))
    covered, recalled = torch.zeros(len(real), dtype=torch.bool), torch.zeros(len(real), dtype=torch.bool)
    for start in range(0, len(real), ROWS):
        rows = slice(start, start + ROWS)
        distance = torch.cdist(real[rows], generated)
        in_real = distance <= real_radius[rows, None]
        inside += in_real.sum(0)
        covered[rows] = in_real.any(1)
        recalled[rows] = (distance <= generated_radius).any(1)
    return Neighbors((inside > 0).double(), recalled.double(), inside.double() / k, covered.double())


def radii(points: Tensor, k: int) -> Tensor:
    """The distance of each point (N, F) to its k-th neighbour among the others, (N,)."""
    parts = [torch.cdist(part, points).topk(k + 1, largest=False).values[:, -1] for part in points.split(ROWS)]
    return torch.cat(parts)
