"""How smoothly the decoder follows a walk through the latent space."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vaekit.core import LatentModel
from vaekit.tasks import interpolate

from .features import Features


@dataclass(frozen=True)
class Smoothness:
    """Means over decoded straight walks between posterior means, in units of the features.

    ``detour``: length of the path over the distance of its ends, 1 if straight. ``jump``: longest step over the mean
    step, 1 if even. ``path_length``: mean squared speed (Karras et al., 2019). None where nothing moves.
    """

    detour: float | None
    jump: float | None
    path_length: float


def assess_paths(
    model: LatentModel,
    means: Tensor,
    features: Features | None = None,
    *,
    c: Tensor | None = None,
    pairs: int = 200,
    steps: int = 16,
    seed: int = 0,
) -> Smoothness:
    """Decode walks between random pairs of posterior means (N, D) and judge them in features, or in values."""
    generator = torch.Generator().manual_seed(seed)
    start, end = (means[torch.randint(len(means), (pairs,), generator=generator)] for _ in range(2))
    walks = interpolate(model, start, end, steps, c).flatten(0, 1)
    return smoothness((features(walks) if features else walks.flatten(1)).unflatten(0, (pairs, steps)))


def smoothness(paths: Tensor) -> Smoothness:
    """Of paths (P, T, F); those whose ends coincide do not count."""
    paths = paths.double()
    steps = paths.diff(dim=1).norm(dim=-1)
    length, distance = steps.sum(1), (paths[:, -1] - paths[:, 0]).norm(dim=-1)
    moving = distance > 1e-9 * length.max().clamp(min=1e-12)
    detour, jump = (length / distance)[moving], (steps.max(1).values / steps.mean(1))[moving]
    return Smoothness(
        detour=detour.mean().item() if len(detour) else None,
        jump=jump.mean().item() if len(jump) else None,
        path_length=(steps.square().mean() * steps.shape[1] ** 2).item(),
    )
