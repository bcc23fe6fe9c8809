"""Whether densities integrate to one, and draws have their moments: the midpoint rule over the real line."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import Distribution, constraints

from vaekit.distributions import MixedColumns
from vaekit.distributions.columns import divided, joined

from .checks import expect

POINTS = 100


def density_curve(px: Distribution, x: Tensor) -> tuple[Tensor, Tensor]:
    """Points (G, B, *event) over the values that p(x|z) is a density over, and their weights, for draws x."""
    if isinstance(px, MixedColumns):
        parts = map(density_curve, px.parts, divided(x, px.places, px.sizes))
        values, weights = (joined(each, px.order) for each in zip(*parts, strict=True))
        return values, weights
    ends = (getattr(_domain(px), name, end) for name, end in (("lower_bound", -math.inf), ("upper_bound", math.inf)))
    low, high = (torch.as_tensor(end, dtype=x.dtype).expand(x.shape[2:]) for end in ends)
    below, above = low.isfinite(), high.isfinite()
    lower, upper = (torch.where(end.isfinite(), end, 0) for end in (low, high))
    spread = torch.where(below ^ above, (x - torch.where(below, lower, upper)).abs().nanmedian(0).values, 1.0)
    points, weights = _line(_to_line(x, lower, upper, below, above, spread))
    share, both = points.sigmoid(), below & above
    inside = torch.where(both, (upper - lower) * share, spread * F.softplus(torch.where(below, points, -points)))
    values = torch.where(below, lower + inside, torch.where(above, upper - inside, points))
    slope = torch.where(both, inside * (1 - share), spread * torch.where(below, share, 1 - share))
    return values, weights * torch.where(below | above, slope, 1.0)


def _to_line(x: Tensor, lower: Tensor, upper: Tensor, below: Tensor, above: Tensor, spread: Tensor) -> Tensor:
    """Values ↦ the real line: by the logit between two ends, by the inverse of softplus where there is one."""
    tiny = 1e-30
    rest = torch.where(below, x - lower, upper - x).clamp(min=tiny) / spread
    half = torch.where(rest > 20, rest, torch.expm1(rest.clamp(max=20)).clamp(min=tiny).log())
    logit = (x - lower).clamp(min=tiny).log() - (upper - x).clamp(min=tiny).log()
    return torch.where(below & above, logit, torch.where(below, half, torch.where(above, -half, x)))


def _domain(px: Distribution) -> constraints.Constraint:
    """What a density is over: the real line unless it says otherwise."""
    try:
        return px.support or constraints.real
    except NotImplementedError:
        return constraints.real


def check_plane(log_prob: Callable[[Tensor], Tensor], draws: Tensor) -> None:
    """A density over the plane, for draws (N, B, 2): it integrates to one and has their moments."""
    values, weights = _line(draws)
    grid = torch.stack(torch.broadcast_tensors(values[:, None, :, 0], values[None, ..., 1]), -1).flatten(0, 1)
    weight = (weights[:, None, :, 0] * weights[None, ..., 1]).flatten(0, 1)
    p = (log_prob(grid).double().exp() * weight).unsqueeze(-1)
    mean, deviation = moments(p, grid)
    residuals = (draws - mean) / deviation
    product = ((grid - mean) / deviation).prod(-1, keepdim=True)
    check_average(residuals, "draws do not have the mean of log_prob")
    check_average(residuals.square() - 1, "draws do not have the variance of log_prob")
    correlation = (p * product).sum(0)
    check_average(residuals.prod(-1, keepdim=True) - correlation, "draws do not have the correlation of log_prob")


def _line(draws: Tensor) -> tuple[Tensor, Tensor]:
    """Points (G, ...) of the real line and their weights, for draws (N, ...): the midpoint rule over arctan x."""
    low, center, high = torch.nanquantile(draws, torch.tensor([0.25, 0.5, 0.75]), 0)
    width = (high - low).clamp(min=1e-6)
    angle = ((torch.arange(POINTS) + 0.5) / POINTS - 0.5).mul(math.pi).view(-1, *[1] * center.dim())
    return center + width * angle.tan(), width * angle.cos() ** -2 * math.pi / POINTS


def moments(p: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation for probabilities p (G, ...) of values (G, ...), which must sum to one."""
    total = p.sum(0)
    worst = total.flatten()[(total - 1).abs().argmax()].item()
    expect(abs(worst - 1) < 2e-3, f"probabilities sum to {worst:.4f}, not 1")
    mean = (p * values).sum(0)
    return mean, (p * (values - mean).square()).sum(0).sqrt()


def check_average(values: Tensor, sentence: str) -> None:
    """The mean of values is within five standard errors of 0."""
    mean, error = values.double().mean().item(), values.double().std().item() / math.sqrt(values.numel())
    expect(abs(mean) <= 5 * error + 1e-5, f"{sentence}: off by {mean:.4f} with a standard error of {error:.4f}")
