"""A posterior for each example by itself, better than the encoder's."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.distributions import Distribution

from vaekit.core import Batch, LatentModel, masked_log_prob
from vaekit.models.full_normal import FullNormalPosterior

FLATTEST = 0.3  # smallest precision, that of the prior being about 1
STEPS = (1.0, 0.5, 0.2, 0.05, 0.0)  # tried of each Newton step
NEAR = 1e-2  # length of a step at which the mode is found
WIDEST = 64  # latents


def laplace(model: LatentModel, batch: Batch, prior: Distribution, start: Tensor, steps: int) -> FullNormalPosterior:
    """q(z|x) = N(m, H⁻¹) at the mode m of p(z | observed), which ``steps`` of Newton's method seek from ``start``
    (B, L), and the negative Hessian H of log p(observed, z) there.

    It is exact for linear-Gaussian models, whatever cells are hidden, where an encoder's posterior is far off.
    """

    def log_joint(z: Tensor) -> Tensor:
        px = model.decode((z.unsqueeze(0),), batch.c)
        return (masked_log_prob(px, batch.x, batch.mask) + prior.log_prob(z.unsqueeze(0))).squeeze(0)

    mode = start.detach()
    for _ in range(steps):
        gradient, root = _curvature(log_joint, mode)
        step = torch.cholesky_solve(gradient.unsqueeze(-1), root).squeeze(-1)
        tried = torch.stack([log_joint(mode + size * step) for size in STEPS])
        size = torch.tensor(STEPS, device=mode.device)[tried.nan_to_num(-torch.inf).argmax(0)]
        mode = mode + size.unsqueeze(-1) * step
        if (size.unsqueeze(-1) * step).norm(dim=-1).max() < NEAR:
            break
    root = _curvature(log_joint, mode)[1]
    return FullNormalPosterior(mode, torch.linalg.cholesky(torch.cholesky_inverse(root)))


def _curvature(function: Callable[[Tensor], Tensor], at: Tensor) -> tuple[Tensor, Tensor]:
    """The gradient (B, L), and the Cholesky factor of the negative Hessian (B, L, L), made positive."""
    with torch.enable_grad():
        z = at.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(function(z).sum(), z, create_graph=True)
        rows = [torch.autograd.grad(part.sum(), z, retain_graph=True)[0] for part in gradient.unbind(-1)]
    hessian = -torch.stack(rows, -1)
    usable = (hessian.isfinite().all(-1) & gradient.isfinite()).all(-1)[:, None, None]  # else a row keeps the prior's
    hessian = torch.where(usable, hessian, torch.eye(at.shape[-1], device=at.device))
    gradient = torch.where(usable.squeeze(-1), gradient, 0)
    values, vectors = torch.linalg.eigh(0.5 * (hessian + hessian.mT))
    positive = (vectors * values.clamp(min=FLATTEST).unsqueeze(-2)) @ vectors.mT
    return gradient.detach(), torch.linalg.cholesky(positive)
