"""A posterior for each example by itself, better than the encoder's."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.distributions import Distribution

from vaekit.core import Batch, masked_log_prob
from vaekit.models import OneLayerVAE
from vaekit.models.full_normal import FullNormalPosterior

FLATTEST = 0.3  # smallest precision, that of the prior being about 1
SHORTER = (1.0, 0.5, 0.2, 0.05)  # parts of a Newton step, tried until one makes nothing worse
NEAR = 1e-2  # length of a step at which the mode is found
NUDGE = 1e-2  # of a latent, for differences
WIDEST = 64  # latents


def laplace(model: OneLayerVAE, batch: Batch, prior: Distribution, start: Tensor, steps: int) -> FullNormalPosterior:
    """q(z|x) = N(m, H⁻¹) near the mode m of p(z | observed), which up to ``steps`` of Newton's method seek from
    ``start`` (B, L), and the negative Hessian H of log p(observed, z) there, a Gauss-Newton one.

    It is exact for linear-Gaussian models, whatever cells are hidden, where an encoder's posterior is far off.
    """
    joint = _Joint(model, batch, prior)
    mode, rows = start.detach().clone(), torch.arange(len(start), device=start.device)
    roots = torch.eye(start.shape[1], device=start.device).repeat(len(start), 1, 1)
    for _ in range(steps):
        own = joint.of(rows)
        value, gradient, hessian = own.curvature(mode[rows])
        roots[rows] = root = _root(hessian)
        step = torch.cholesky_solve(gradient.unsqueeze(-1), root).squeeze(-1)
        step = own.shortened(mode[rows], step, value)
        mode[rows] += step
        rows = rows[step.norm(dim=-1) > NEAR]
        if not len(rows):
            break
    return FullNormalPosterior(mode, torch.linalg.cholesky(torch.cholesky_inverse(roots)))


@dataclass(frozen=True, eq=False)
class _Joint:
    """Log p(observed, z) of a batch as a function of z."""

    model: OneLayerVAE
    batch: Batch
    prior: Distribution

    def of(self, rows: Tensor) -> _Joint:
        """That of some of the rows."""
        parts = (None if part is None else part[rows] for part in self.batch)
        return _Joint(self.model, Batch(*parts), self.prior)  # pyright: ignore[reportArgumentType]

    def value(self, z: Tensor) -> Tensor:
        """(K, B, L) ↦ (K, B)."""
        px = self.model.decode((z,), self.batch.c)
        return masked_log_prob(px, self.batch.x, self.batch.mask) + self.prior.log_prob(z)

    def curvature(self, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The value (B,), its gradient (B, L) and its negative Hessian (B, L, L) at z (B, L).

        Parameters φ of p(x|z) take their dependence J on z from differences, and so does the gradient g of log p(x|φ):
        J g and -J ∂g/∂z, which leaves out the curvature of φ(z) itself (Schraudolph, 2002). That takes L + 1 passes
        through the decoder and none back.
        """
        nudges = NUDGE * torch.eye(z.shape[1], device=z.device)
        points = torch.cat([z.unsqueeze(0), z + nudges.unsqueeze(1)])
        phi = self.model.decoder.phi(points, self.batch.c)
        with torch.enable_grad():
            points, phi = points.requires_grad_(), phi.detach().requires_grad_()
            log_pz = self.prior.log_prob(points)
            log_px = masked_log_prob(self.model.likelihood(phi), self.batch.x, self.batch.mask)
            slope, inner = torch.autograd.grad((log_px + log_pz).sum(), (phi, points))
        phi, slope = phi.detach().flatten(2), slope.flatten(2)
        change, bend, curved = (_slopes(values) for values in (phi, slope, inner))
        gradient = (change @ slope[0].unsqueeze(-1)).squeeze(-1) + inner[0]
        hessian = -(change @ bend.mT + curved)
        return (log_px + log_pz)[0].detach(), gradient, 0.5 * (hessian + hessian.mT)

    def shortened(self, z: Tensor, step: Tensor, value: Tensor) -> Tensor:
        """So much of the step (B, L) from z that no row has less than its ``value`` (B,)."""
        found, rows = torch.zeros_like(step), torch.arange(len(z), device=z.device)
        for size in SHORTER:
            tried = self.of(rows).value((z + size * step)[rows].unsqueeze(0)).squeeze(0)
            better = tried >= value[rows]
            found[rows[better]] = size * step[rows[better]]
            rows = rows[~better]
            if not len(rows):
                break
        return found


def _slopes(values: Tensor) -> Tensor:
    """Values (1 + L, B, P) at points and at their neighbours ↦ (B, L, P)."""
    return ((values[1:] - values[0]) / NUDGE).transpose(0, 1)


def _root(hessian: Tensor) -> Tensor:
    """The Cholesky factors of matrices (B, L, L), made positive where they are not; the prior's if not finite."""
    identity = torch.eye(hessian.shape[-1], device=hessian.device)
    hessian = torch.where(hessian.isfinite().all(-1).all(-1)[:, None, None], hessian, identity)
    flat = torch.linalg.cholesky_ex(hessian - FLATTEST * identity).info > 0
    if flat.any():
        values, vectors = torch.linalg.eigh(hessian[flat])
        hessian[flat] = (vectors * values.clamp(min=FLATTEST).unsqueeze(-2)) @ vectors.mT
    return torch.linalg.cholesky(hessian)
