"""The shape of the tail of importance weights, which tells whether their mean can be trusted."""

import math

import torch
from torch import Tensor


def pareto_k(log_weights: Tensor) -> Tensor:
    """The Pareto shape k of the weights' upper tail, from log-weights (S, N): (N,).

    A generalized Pareto distribution is fitted to the min(S/5, 3√S) largest weights, as in Pareto-smoothed importance
    sampling (Vehtari et al., 2024). The weights have 1/k finite moments: above min(1 - 1/log10 S, 0.7) their mean is
    not to be trusted. NaN where the tail has fewer than 5 weights; 0 where its weights differ by less than a
    thousandth.
    """
    samples = len(log_weights)
    size = math.ceil(min(samples / 5, 3 * math.sqrt(samples)))
    if size < 5:
        return log_weights.new_full(log_weights.shape[1:], math.nan)
    largest = log_weights.double().topk(size + 1, 0).values
    weights = (largest - largest[0]).exp()
    excess = (weights[:-1] - weights[-1]).flip(0)
    degenerate = excess[-1] < 1e-3
    return torch.where(degenerate, 0.0, pareto_shape(torch.where(degenerate, 1.0, excess)))


def pareto_shape(excess: Tensor) -> Tensor:
    """The shape k of generalized Pareto distributions, from excesses above the threshold (M, N), ascending: (N,).

    The quasi-Bayesian estimate of Zhang and Stephens (2009), drawn towards ½ by ten observations' worth of prior as in
    Vehtari et al. (2024).
    """
    size = len(excess)
    excess = torch.maximum(excess.double(), 1e-12 * excess[-1].double())
    grid = 30 + int(math.sqrt(size))
    steps = 1 - (grid / (torch.arange(1, grid + 1, dtype=torch.float64) - 0.5)).sqrt()
    quartile = excess[int(size / 4 + 0.5) - 1]
    rate = 1 / excess[-1] + steps[:, None] / (3 * quartile)

    def shape(rate: Tensor) -> Tensor:
        return torch.log1p(-rate[..., None, :] * excess).mean(-2)

    k = torch.stack([shape(row) for row in rate])
    profile = size * (torch.log(-rate / k) - k - 1)
    weights = profile.nan_to_num(-math.inf).softmax(0)
    return (size * shape((weights * rate).sum(0)) + 5) / (size + 10)


def trusted_k(samples: int) -> float:
    """The largest k at which the mean of so many weights is still to be trusted."""
    return min(1 - 1 / math.log10(samples), 0.7) if samples > 10 else 0.0
