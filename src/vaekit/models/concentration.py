"""The rows that a table is most surely made of: robust against anomalies among them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from vaekit.core import Support

from .full_gaussian import WIDEST as WIDEST_COVARIANCE
from .full_gaussian import FullGaussian
from .margins import Margins

STEPS = 4
WIDEST = 5.0  # robust deviations that count, so that one cell does not decide on a row
FLOOR = 0.3  # smallest deviation of a column, in model units: what is less apart than that is no anomaly


def concentrate(x: Tensor, columns: Sequence[Support] | None, share: float) -> Tensor:
    """The positions, in order, of that ``share`` of the rows x (N, D), NaN where hidden, that are likeliest under a
    normal distribution fitted to themselves: the concentration steps of the minimum covariance determinant (Rousseeuw
    and Van Driessen, 1999), from the rows nearest to the medians, categories as one-hot columns.

    A row of which cells are hidden is judged by the mean over its observed ones. Of more than a thousand columns these
    nearest rows are what is kept. Raises ValueError for a share that is
    not above 0 and at most 1.
    """
    if not 0 < share <= 1:
        raise ValueError(f"the share of the rows to keep is above 0 and at most 1, got {share:g}")
    count = max(min(len(x), 2), math.ceil(share * len(x)))
    if count == len(x):
        return torch.arange(len(x))
    y = Margins.of(x, columns, normal_scores=False).forward(x)
    seen = (~y.isnan()).sum(1).clamp(min=1)
    distance = _from_medians(y)
    for _ in range(STEPS if y.shape[1] <= WIDEST_COVARIANCE else 0):
        kept = distance.argsort(stable=True)[:count]
        found = FullGaussian.fit(y[kept])
        smooth = found.covariance + FLOOR**2 * torch.eye(y.shape[1], dtype=y.dtype)
        distance = -found._replace(covariance=smooth).log_likelihood(y) / seen
    return distance.argsort(stable=True)[:count].sort().values


def _from_medians(y: Tensor) -> Tensor:
    """Mean square of the robust deviations, (N,)."""
    median = y.nanmedian(0).values.nan_to_num()
    deviation = 1.4826 * (y - median).abs().nanmedian(0).values.nan_to_num() + FLOOR
    return ((y - median) / deviation).clamp(-WIDEST, WIDEST).square().nanmean(1).nan_to_num()
