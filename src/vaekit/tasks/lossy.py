"""Lossy compression: the latents alone, on grids as fine as the posterior is sure, entropy-coded under the prior."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
import torch
from torch import Size, Tensor

from vaekit.coding import Stack
from vaekit.core import Batch, LatentModel
from vaekit.priors.codes import Codes

from .chunks import inference
from .latent_codes import BookCode, latent_code
from .step_code import StepCode

ROWS = 512  # of a batch
SAMPLE = 1024  # examples by which the grids are chosen
SHARPEST = 2**-6  # least width of a posterior that steps are measured by, as a share of its mean's deviation
OCTAVE, ONE = 8, 128  # a scale is a byte b, 2^((b - ONE) / OCTAVE)
CHECK = 4  # bytes of a checksum over the codes

Grids = list[tuple[Tensor, Tensor] | None]  # of each layer the step and the spread (D,) of its dimensions


def encode_latents(model: LatentModel, x: Tensor, quality: float) -> bytes:
    """Pictures (N, C, H, W) in model units as the means of their posteriors, rounded, and nothing else.

    The step of a dimension is the posteriors' root mean square width · 2^(4.5 - quality / 20): bits go where the
    posterior is sure (Yang et al., 2020). They are those of the prior's mass, the prior being narrowed to the spread of
    the means. Codes of a book stay as they are. Raises TypeError for models whose latents cannot be coded, ValueError
    for a quality outside of 0 to 100.
    """
    check_lossy(model, quality)
    if not len(x):
        return b""
    codes: list[StepCode | BookCode] = []
    with inference(model):
        head = _scales(model, x[:: -(-len(x) // SAMPLE)], quality)
        grids, _ = _read_grids(model, head)
        for part in x.split(ROWS):
            _round(model, part, grids, codes)
        stack = Stack()
        for code in reversed(codes):
            code.push_prior(stack)
    return head + _checksum(head, codes) + stack.to_bytes()


def decode_latents(model: LatentModel, data: bytes, count: int) -> Tensor:
    """The mean of p(x|z) for the latents of ``count`` pictures, (N, C, H, W) in model units.

    Raises ValueError where the code is not this model's.
    """
    check_lossy(model)
    if not count and not data:
        return torch.zeros(0, *model.shapes.x)
    codes: list[StepCode | BookCode] = []
    parts = [torch.zeros(0, *model.shapes.x)]
    with inference(model):
        grids, rest = _read_grids(model, data)
        head, stack = data[: len(data) - len(rest)], Stack(rest[CHECK:])
        for start in range(0, count, ROWS):
            rows = min(ROWS, count - start)
            layers = [_code(p, rows, grid) for p, grid in zip(model.priors(), grids, strict=True)]
            parts.append(model.decode(tuple(code.pop_prior(stack) for code in layers)).mean.float())
            codes += layers
    if stack.bits or _checksum(head, codes) != rest[:CHECK]:
        raise ValueError("the latents do not come back: the code is damaged, or the prior computes otherwise here")
    return torch.cat(parts)


def check_lossy(model: LatentModel, quality: float = 0) -> None:
    """Raises TypeError and ValueError as :func:`encode_latents` does."""
    if not 0 <= quality <= 100:
        raise ValueError(f"quality runs from 0 (smallest) to 100 (nearest to the original), got {quality:g}")
    if len(model.shapes.x) != 3:
        raise TypeError("lossy compression is for pictures; leave out the quality, so that everything is kept")
    if model.shapes.c is not None:
        raise TypeError("a conditional model has no lossy code; leave out the quality, so that everything is kept")
    with inference(model):
        for p in model.priors():
            latent_code(p, 0)  # refuses those without a distribution function


def _round(model: LatentModel, x: Tensor, grids: Grids, codes: list[StepCode | BookCode]) -> None:
    """Append the code of each layer, those of finer ones given the rounded coarser latents."""
    left = iter(grids)

    def choose(q: Any, p: Any) -> Tensor:
        codes.append(_code(p, len(x), next(left)))
        return codes[-1].nearest(q).unsqueeze(0)

    model.infer(Batch(x), choose=choose)


def _code(p: Any, rows: int, grid: tuple[Tensor, Tensor] | None) -> StepCode | BookCode:
    return BookCode(p, rows, 0) if grid is None else StepCode(p, rows, *grid)


def _checksum(head: bytes, codes: list[StepCode | BookCode]) -> bytes:
    check = zlib.crc32(head)
    for code in codes:
        check = zlib.crc32(code.symbols.to(torch.int32).numpy().astype("<i4").tobytes(), check)
    return check.to_bytes(CHECK, "little")


def _scales(model: LatentModel, x: Tensor, quality: float) -> bytes:
    """Of each layer the steps, then the spreads, a byte for each channel: the first axis of the latents."""
    found: list[Tensor] = []

    def see(q: Any, p: Any) -> Tensor:
        if not isinstance(p, Codes):
            found.extend(_scales_of(q, p, quality))
        return q.mean.unsqueeze(0)

    model.infer(Batch(x), choose=see)
    return b"".join(_to_bytes(values) for values in found)


def _scales_of(q: Any, p: Any, quality: float) -> tuple[Tensor, Tensor]:
    """Steps and spreads (C,) of a layer's channels."""
    rows = len(q.mean)
    prior = StepCode(p, rows, *torch.ones(2, p.event_shape.numel(), dtype=torch.float64))
    log_var = getattr(q, "log_var", q.mean.new_full((), -torch.inf))  # of a point mass there is none
    each = (q.mean.reshape(rows, -1) - prior.mean).square(), log_var.exp().expand(rows, *q.mean.shape[1:])
    means, widths = (value.double().reshape(rows, p.event_shape[0], -1).mean((0, 2)) for value in each)
    step = torch.maximum(widths, SHARPEST**2 * means).sqrt() * 2 ** (4.5 - quality / 20)
    return step, (means / prior.variance.reshape(p.event_shape[0], -1).mean(1)).sqrt()


def _read_grids(model: LatentModel, data: bytes) -> tuple[Grids, bytes]:
    """What :func:`_scales` wrote, and what is behind it."""
    grids: Grids = []
    for p in model.priors():
        if isinstance(p, Codes):
            grids.append(None)
            continue
        channels = p.event_shape[0]
        if len(data) < 2 * channels:
            raise ValueError(f"expected the scales of {channels} channels of latents, got {len(data)} bytes")
        step, spread = (_from_bytes(data[at : at + channels], p.event_shape) for at in (0, channels))
        grids.append((step, spread))
        data = data[2 * channels :]
    return grids, data


def _to_bytes(values: Tensor) -> bytes:
    codes = (OCTAVE * values.clamp(min=1e-30).log2()).round() + ONE
    return codes.clamp(0, 255).to(torch.uint8).numpy().tobytes()


def _from_bytes(data: bytes, event: Size) -> Tensor:
    """For each of the dimensions (D,) that of its channel."""
    codes = torch.from_numpy(np.frombuffer(data, np.uint8).copy()).double()
    return (2 ** ((codes - ONE) / OCTAVE)).repeat_interleave(event[1:].numel())
