"""Predictions of several models blended: stacked regression."""

from __future__ import annotations

import numpy as np
import torch
from scipy.optimize import nnls
from torch import Tensor

SURE = 1e4  # weight of the condition that shares sum to one
POOLED, OWN = 100, 500  # cells that equal shares count as, and those of all columns for one column


def shares(predicted: Tensor, truth: Tensor, blocks: list[slice], kinds: list[bool]) -> Tensor:
    """How much of each of K models each of D columns takes, (K, D): the convex combination of predictions (K, N, E)
    nearest to the truth (N, E), NaN where it is not known (Breiman, 1996).

    Column d stands in ``blocks[d]`` of E, categories as shares, so that theirs is Brier's score. Columns of a kind have
    the same shares, so far as their own cells are too few to say otherwise.
    """
    found = torch.full((len(predicted), len(blocks)), 1 / len(predicted))
    for kind in set(kinds):
        columns = [at for at, own in enumerate(kinds) if own == kind]
        known = [_known(predicted[..., blocks[at]], truth[..., blocks[at]]) for at in columns]
        every = (torch.cat(part, -1) for part in zip(*known, strict=True))
        pooled = convex(*every, prior=found[:, 0], cells=POOLED)
        found[:, columns] = torch.stack([convex(*own, prior=pooled, cells=OWN) for own in known], 1)
    return found


def convex(predicted: Tensor, truth: Tensor, prior: Tensor, cells: float) -> Tensor:
    """Shares (K,), not negative and of sum 1, that minimize the squared error of Σ share · ``predicted`` (K, N) against
    ``truth`` (N,), where ``prior`` (K,) is worth so many ``cells``.
    """
    if not len(truth) or len(predicted) == 1:
        return prior
    apart = (predicted - predicted.mean(0)).square().mean().item()
    pull = (cells * apart) ** 0.5
    one = SURE * max(1.0, predicted.abs().max().item())
    inputs = np.vstack([predicted.double().numpy().T, pull * np.eye(len(prior)), np.full((1, len(prior)), one)])
    found, _ = nnls(inputs, np.concatenate([truth.double().numpy(), pull * prior.double().numpy(), [one]]))
    return torch.from_numpy(found / found.sum()).to(prior)


def _known(predicted: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    known = ~truth.isnan()
    return predicted[:, known], truth[known]
