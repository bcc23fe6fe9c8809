"""Simple generators of table rows to compare with: each learns from rows x (N, D) in model units, NaN where missing,
and returns n new ones.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Size, Tensor

from vaekit.core import Shapes, Support
from vaekit.likelihoods import Histogram
from vaekit.models import GaussianTable
from vaekit.noise import isolated_rng

CLASSES, STEPS, PSEUDO = 200, 60, 0.05


def independent(x: Tensor, columns: list[Support], n: int, seed: int) -> Tensor:
    """Every cell from its column, whatever the others are."""
    rng = np.random.default_rng(seed)
    return torch.stack([column[torch.from_numpy(rng.integers(0, len(x), n))] for column in x.T], 1)


def copula(x: Tensor, columns: list[Support], n: int, seed: int) -> Tensor:
    """The Gaussian copula by EM."""
    table = GaussianTable.fit(x, columns, copula=True)
    return table.draw(torch.full((n, x.shape[1]), math.nan, dtype=torch.float64), seed=seed).float()


def latent_classes(x: Tensor, columns: list[Support], n: int, seed: int) -> Tensor:
    """A mixture of 200 products of histograms, by EM: missing cells have a bin of their own."""
    bins = Histogram().bind(Shapes(Size(x.shape[1:]), examples=len(x), columns=tuple(columns)))
    with isolated_rng(seed):
        bins.prepare(x)
        places = torch.where(x.isnan(), bins.most, bins.layout.find(torch.where(x.isnan(), 0, x)))
        sizes = bins.most + 1
        hot = torch.zeros(len(x), x.shape[1] * sizes).scatter_(1, places + sizes * torch.arange(x.shape[1]), 1.0)
        share = torch.softmax(2 * torch.randn(len(x), CLASSES), 1)
        marginal = hot.mean(0)
        for _ in range(STEPS):
            weight = share.sum(0)
            table = (share.T @ hot + PSEUDO * CLASSES * marginal) / (weight + PSEUDO * CLASSES)[:, None]
            log_joint = hot @ table.clamp(min=1e-30).log().T + (weight / len(x)).clamp(min=1e-30).log()
            share = log_joint.softmax(1)
        chosen = torch.multinomial(weight, n, replacement=True)
        tables = table.view(CLASSES, x.shape[1], sizes)
        drawn = torch.stack([torch.multinomial(tables[:, j], n, replacement=True)[chosen, torch.arange(n)]
                             for j in range(x.shape[1])], 1)  # fmt: skip
        values = bins.layout.draw(drawn.clamp(max=bins.most - 1))
        return torch.where(drawn == bins.most, math.nan, values)
