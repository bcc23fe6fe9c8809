"""Distances between two sets of feature vectors, in parts that can be kept and weighted, so that they can be
bootstrapped.

Sets are (N, F) and (M, F); weights are (R, N) and (R, M), one row for each replicate, and count how often a row of the
set is drawn.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

ROWS = 256  # rows of a kernel matrix held at once


class Moments(NamedTuple):
    """Means (R, F) and covariances (R, F, F) under R rows of weights, float64."""

    mean: Tensor
    covariance: Tensor


def frechet(a: Tensor, b: Tensor) -> Tensor:
    """The Fréchet distance of the normals fitted to two sets, squared: shape ().

    |μ_a - μ_b|² + tr(Σ_a + Σ_b - 2 (Σ_a^½ Σ_b Σ_a^½)^½) (Heusel et al., 2017), 0 for equal moments. It is biased
    upwards for small sets: compare at equal numbers, and with the distance of real examples from each other.
    """
    ones = (x.new_ones(1, len(x), dtype=torch.float64) for x in (a, b))
    return normal_distance(*(moments(x.double(), weights) for x, weights in zip((a, b), ones, strict=True)))[0]


def moments(x: Tensor, weights: Tensor) -> Moments:
    """Mean and covariance of a set under each row of weights, summed in the set's dtype."""
    each = [_moments(x, row) for row in weights.to(x.dtype)]
    return Moments(*(torch.stack(column).double() for column in zip(*each, strict=True)))


def normal_distance(a: Moments, b: Moments) -> Tensor:
    """The squared Fréchet distance of normals with these moments, (R,).

    The trace of the square root is the sum of the singular values of Σ_a^½ Σ_b^½, which loses no digits.
    """
    shared = torch.linalg.svdvals(_root(a.covariance) @ _root(b.covariance)).sum(-1)
    spread = (a.covariance + b.covariance).diagonal(dim1=-2, dim2=-1).sum(-1)
    return ((a.mean - b.mean).square().sum(-1) + spread - 2 * shared).clamp(min=0)


def kernel_distance(a: Tensor, b: Tensor) -> Tensor:
    """The squared maximum mean discrepancy under the kernel (x·y / F + 1)³, unbiased, hence 0 on average for equal
    distributions and then negative half the time (Bińkowski et al., 2018): shape ().
    """
    of_a, of_b = a.new_ones(1, len(a)), b.new_ones(1, len(b))
    return (mean_kernel(a, of_a) + mean_kernel(b, of_b) - 2 * mean_kernel(a, of_a, b, of_b))[0]


def mean_kernel(a: Tensor, weights: Tensor, b: Tensor | None = None, weights_b: Tensor | None = None) -> Tensor:
    """The mean of the kernel over pairs of a and b under each row of weights, (R,) float64; without ``b``, over pairs
    of different rows of a.
    """
    same = b is None or weights_b is None
    if b is None or weights_b is None:
        b, weights_b = a, weights
    total, columns = torch.zeros(len(weights), dtype=torch.float64), weights_b.to(b.dtype).T
    for start in range(0, len(a), ROWS):
        rows = slice(start, start + ROWS)
        kernel = (a[rows] @ b.T).div_(a.shape[1]).add_(1)
        kernel.mul_(kernel.square())
        if same:
            kernel.diagonal(start).zero_()
        total += ((kernel @ columns).double() * weights[:, rows].T).sum(0)
    pairs = weights.double().sum(1) * weights_b.double().sum(1)
    return total / (pairs - weights.double().square().sum(1) if same else pairs)


def _moments(x: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    total = weights.sum()
    mean = weights @ x / total
    centered = (x - mean) * weights.sqrt()[:, None]
    return mean, centered.T @ centered / (total - 1)


def _root(covariance: Tensor) -> Tensor:
    values, vectors = torch.linalg.eigh(covariance)
    return vectors * values.clamp(min=0).sqrt().unsqueeze(-2) @ vectors.mT
