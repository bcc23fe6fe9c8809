"""Kernels on the real line, and the mass they give to intervals, however short or far out."""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

NARROW = 0.1  # deviations; below, the mass of an interval is its length times the mean density
SHORTEST = 1e-30
FAR = -10.0


class Kernel(NamedTuple):
    """A distribution symmetric about 0: ``log_mass(upper, lower, length)`` of an interval, ``log_density(x)``,
    ``cdf(x)`` and its inverse ``quantile(u)``; ``scale`` times it has variance 1.
    """

    log_mass: Callable[[Tensor, Tensor, Tensor], Tensor]
    log_density: Callable[[Tensor], Tensor]
    cdf: Callable[[Tensor], Tensor]
    quantile: Callable[[Tensor], Tensor]
    scale: float


def _logistic_mass(upper: Tensor, lower: Tensor, length: Tensor) -> Tensor:
    """σ(a) - σ(b) = σ(a) σ(-b) (1 - exp(b - a)) for ends a > b."""
    within = torch.log(-torch.expm1(-length.clamp(min=SHORTEST)))
    return F.logsigmoid(upper) + F.logsigmoid(-lower) + within


def _normal_mass(upper: Tensor, lower: Tensor, length: Tensor) -> Tensor:
    """Φ(a) - Φ(b) by logarithms on the left side of 0, where they are exact; for short intervals the integral of
    exp(-c² / 2 - c t) over t in ±length/2, c being the middle.
    """
    wide, right = length > NARROW, upper + lower > 0
    above, below = torch.where(right, -lower, upper), torch.where(right, -upper, lower)
    center, half = -(above + below) / 2, (length / 2).clamp(max=NARROW / 2)
    above, below = torch.where(wide, above, 0.0), torch.where(wide, below, -1.0)
    log_above = _log_normal_cdf(above)
    long = log_above + torch.log(-torch.expm1(_log_normal_cdf(below) - log_above))
    y = (2 * center * half).clamp(min=1e-3)  # sinh(y/2) / (y/2) = exp(y/2) (1 - exp(-y)) / y
    curved = y / 2 + torch.log(-torch.expm1(-y) / y) - half.square() / 6
    short = _normal_density(center) + length.clamp(min=SHORTEST).log() + curved
    return torch.where(wide, long, short)


def _log_normal_cdf(x: Tensor) -> Tensor:
    """Log Φ(x), below ``FAR`` by its asymptotic series, as torch's gradient overflows there."""
    far = x.clamp(max=FAR)
    square = far.square().reciprocal()
    tail = _normal_density(far) - (-far).log() + torch.log1p(-square * (1 - 3 * square * (1 - 5 * square)))
    return torch.where(x < FAR, tail, torch.special.log_ndtr(x.clamp(FAR, -FAR)))


def _normal_density(x: Tensor) -> Tensor:
    return -0.5 * x.square() - 0.5 * math.log(2 * math.pi)


def _logistic_density(x: Tensor) -> Tensor:
    return F.logsigmoid(x) + F.logsigmoid(-x)


KERNELS = {
    "logistic": Kernel(_logistic_mass, _logistic_density, torch.sigmoid, torch.logit, math.sqrt(3) / math.pi),
    "normal": Kernel(_normal_mass, _normal_density, torch.special.ndtr, torch.special.ndtri, 1.0),
}
