"""Generation from the latent space: new examples, walks, grids."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from vaekit.core import LatentModel
from vaekit.noise import isolated_rng

from .chunks import ROWS, device_of, inference


def decode(model: LatentModel, z: Tensor, c: Tensor | None = None, *, draw: bool = False, seed: int = 0) -> Tensor:
    """Latents (N, D) ↦ the mean of p(x|z), or with ``draw`` a sample of it, (N, *event) in model units.

    Conditional models also take the context c (N, C), or (1, C) for all.
    """
    size = latent_size(model)
    if z.dim() != 2 or z.shape[1] != size:
        raise ValueError(f"expected latents of shape (N, {size}), got {tuple(z.shape)}")
    c = _context(model, len(z), c)
    with inference(model), isolated_rng(seed):
        parts = []
        for start in range(0, len(z), ROWS):
            rows = slice(start, start + ROWS)
            chunk = z[rows].to(device_of(model), torch.float32)
            px = model.decode(model.split(chunk), None if c is None else c[rows])
            parts.append((px.sample() if draw else px.mean).float().cpu())
        return torch.cat(parts)


def generate(
    model: LatentModel,
    n: int,
    c: Tensor | None = None,
    *,
    draw: bool = False,
    temperature: float = 1.0,
    seed: int = 0,
) -> Tensor:
    """N new examples: z from the prior, then the mean of p(x|z), or with ``draw`` a sample of it; c as there."""
    z = sample_latents(model, n, c, temperature=temperature, seed=seed)
    return decode(model, z, c, draw=draw, seed=seed + 1)


def sample_latents(
    model: LatentModel, n: int, c: Tensor | None = None, *, temperature: float = 1.0, seed: int = 0
) -> Tensor:
    """N draws of all latents from the prior, (n, D), its normals ``temperature`` times as wide: below 1 examples are
    more alike and more typical, above 1 more varied and more often wrong.
    """
    if n < 1:
        raise ValueError(f"expected to generate at least 1 example, got n={n}")
    if not 0 < temperature < math.inf:
        raise ValueError(f"expected a temperature above 0, got {temperature:g}")
    c = _context(model, n, c)
    with inference(model), isolated_rng(seed):
        parts = [
            _flat(model.sample(min(ROWS, n - at), None if c is None else c[at : at + ROWS], temperature))
            for at in range(0, n, ROWS)
        ]
    return torch.cat(parts).cpu()


def _flat(z: Sequence[Tensor]) -> Tensor:
    return torch.cat([each.flatten(1) for each in z], 1)


def latent_size(model: LatentModel) -> int:
    """How many numbers the latents of one example are."""
    return sum(event.numel() for event in model.events)


def _context(model: LatentModel, n: int, c: Tensor | None) -> Tensor | None:
    expected = model.shapes.c
    if expected is None or c is None:
        if (expected is None) != (c is None):
            raise ValueError(
                "this model is not conditional: leave out c"
                if c is not None
                else "this model is conditional: give the context c"
            )
        return None
    if c.shape not in ((n, *expected), (1, *expected)):
        raise ValueError(f"expected a context of shape {(n, *expected)}, got {tuple(c.shape)}")
    return c.to(device_of(model), torch.float32).expand(n, *expected)


def interpolate(
    model: LatentModel, start: Tensor, end: Tensor, steps: int = 10, c: Tensor | None = None, *, path: str = "linear"
) -> Tensor:
    """Decoded walks between latents (P, D) and (P, D): (P, steps, *event), under one context c (1, C) if conditional.

    ``path`` is ``linear`` or ``spherical``, which keeps the norms between those of the ends (White, 2016).
    """
    if path not in ("linear", "spherical") or steps < 2:
        raise ValueError(f"expected a path 'linear' or 'spherical' of at least 2 steps, got {path!r} of {steps}")
    t = torch.linspace(0, 1, steps).view(1, -1, 1)
    a, b = start.unsqueeze(1), end.unsqueeze(1)
    if path == "linear":
        walk = torch.lerp(a.expand(-1, steps, -1), b.expand(-1, steps, -1), t)
    else:
        cosine = torch.cosine_similarity(a, b, -1).clamp(-1 + 1e-6, 1 - 1e-6).unsqueeze(-1)
        angle = torch.arccos(cosine)
        walk = (torch.sin((1 - t) * angle) * a + torch.sin(t * angle) * b) / torch.sin(angle)
    return decode(model, walk.flatten(0, 1), c).unflatten(0, (len(start), steps))


def traverse(
    model: LatentModel, dims: Sequence[int], values: Tensor, origin: Tensor | None = None, c: Tensor | None = None
) -> Tensor:
    """Each chosen latent dimension set to each value in turn, the others at ``origin`` (default 0): (dims,
    values, *event).
    """
    size = latent_size(model)
    if any(not 0 <= dim < size for dim in dims):
        raise ValueError(f"latent dimensions run from 0 to {size - 1}, got {list(dims)}")
    z = (torch.zeros(size) if origin is None else origin).repeat(len(dims), len(values), 1)
    for row, dim in enumerate(dims):
        z[row, :, dim] = values
    return decode(model, z.flatten(0, 1), c).unflatten(0, (len(dims), len(values)))


def latent_grid(
    model: LatentModel,
    n: int = 20,
    c: Tensor | None = None,
    *,
    range: float | None = None,
    axes: tuple[int, int] = (0, 1),
) -> tuple[Tensor, Tensor]:
    """Decode a plane of the latent space: images (n, n, *event), row r at value r of the second axis, and the n values.

    The values are quantiles (i + ½) / n of the standard normal prior, so that every tile stands for the same share of
    it; with ``range`` they are evenly spaced from -range to range. Other dimensions are 0.
    """
    size = latent_size(model)
    if size < 2:
        raise ValueError(f"a plane needs a latent space of at least 2 dimensions, this one has {size}")
    if n < 1 or not all(0 <= axis < size for axis in axes) or axes[0] == axes[1]:
        raise ValueError(f"expected n >= 1 and two different axes between 0 and {size - 1}, got n={n}, axes={axes}")
    if range is None:
        values = math.sqrt(2) * torch.erfinv(2 * (torch.arange(n) + 0.5) / n - 1)
    else:
        values = torch.linspace(-range, range, n)
    z = torch.zeros(n, n, size)
    z[..., axes[0]], z[..., axes[1]] = values, values.unsqueeze(1)
    return decode(model, z.flatten(0, 1), c).unflatten(0, (n, n)), values
