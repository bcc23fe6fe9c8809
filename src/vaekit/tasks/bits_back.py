"""Examples as bits and back, without loss: the size is the model's evidence bound."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from vaekit.coding import Coded, Stack
from vaekit.core import Batch, LatentModel
from vaekit.distributions.coded import Grid, coded
from vaekit.distributions.density import in_steps

from .chunks import inference
from .latent_codes import COARSE, FINE, LatentCode, latent_code

ROWS = 128  # of a batch at most, so that what is computed for it stays in a cache
SPARE = 64  # bits that must be left where posteriors have taken theirs
TAKEN = 24 * (FINE // 2 + 1)  # bits at most that a dimension takes: its digits and a component, 24 each
RESERVE = 1.05  # an example of the next batch may take this multiple of what one of the last did


class Part(NamedTuple):
    """A batch of ``size`` examples, ``plain`` if it was coded without posterior."""

    size: int
    plain: bool


@dataclass(frozen=True)
class Code:
    """Examples as bytes, and the batches in which they were coded."""

    data: bytes
    parts: tuple[Part, ...]

    @property
    def count(self) -> int:
        """How many examples there are."""
        return sum(part.size for part in self.parts)


def encode_examples(
    model: LatentModel, symbols: Tensor, grid: Grid, mask: Tensor | None = None, c: Tensor | None = None
) -> Code:
    """Bits-back coding (Townsend et al., 2019) of ``symbols`` (N, *event), where ``mask`` is False being left out.

    The context ``c`` (N, C) of conditional models is not coded; whoever decodes must know it.
    A batch's latents are popped off the stack by their posterior, then the examples pushed by p(x|z) and the latents by
    their prior: on average each batch adds the negative evidence bound. The first examples have nothing to pop from:
    they take the posterior's means in coarse bins, one by one. Then batches are as large as what is there suffices for,
    at most twice as large as the one before.
    """
    stack, parts, start, size = Stack(), [], 0, 1
    most = TAKEN * sum(event.numel() for event in model.events)
    with inference(model):
        while start < len(symbols):
            size = min(size, len(symbols) - start)
            rows = slice(start, start + size)
            batch = Batch(grid.values(symbols[rows]), _rows(c, rows), _rows(mask, rows))
            before = stack.copy() if stack.bits < most * size + SPARE else stack
            taken = _push_batch(model, stack, symbols[rows], batch, grid, FINE)
            if taken is None:
                stack = before
                if size > 1:
                    size //= 2
                    continue
                _push_batch(model, stack, symbols[rows], batch, grid, COARSE)
            parts.append(Part(size, plain=taken is None))
            start += size
            if taken is not None:
                size = max(1, min(2 * size, ROWS, int(stack.bits * size / (RESERVE * taken + 1))))
    return Code(stack.to_bytes(), tuple(parts))


def decode_examples(
    model: LatentModel, code: Code, grid: Grid, mask: Tensor | None = None, c: Tensor | None = None
) -> Tensor:
    """The symbols (N, *event), 0 where left out. Raises ValueError where the code is not this model's."""
    stack, start = Stack(code.data), code.count
    found = torch.zeros(start, *model.shapes.x, dtype=torch.long)
    with inference(model):
        for part in reversed(code.parts):
            rows = slice(start - part.size, start)
            found[rows] = _pop_batch(model, stack, part, _rows(c, rows), _rows(mask, rows), grid)
            start = rows.start
    if stack.bits:
        raise ValueError("the code holds more than these examples")
    return found


def _push_batch(model: LatentModel, stack: Stack, symbols: Tensor, batch: Batch, grid: Grid, bits: int) -> int | None:
    """The bits that the posteriors took; None if the stack did not hold as many, which then nothing was pushed on."""
    codes: list[LatentCode] = []

    def choose(q: object, p: object) -> Tensor:
        codes.append(latent_code(p, len(symbols), bits))  # pyright: ignore[reportArgumentType]
        z = codes[-1].pop_posterior(stack, q) if bits == FINE else codes[-1].nearest(q)
        return z.unsqueeze(0)

    held = stack.bits
    trace = model.infer(batch, choose=choose)
    taken = held - stack.bits
    if bits == FINE and stack.bits < SPARE:
        return None
    parts: list[tuple[Coded, Tensor, Tensor | None]] = []

    def see(part: object, p: object) -> Tensor:
        values = symbols.unsqueeze(0)[part]  # pyright: ignore
        keep = None if batch.mask is None else batch.mask.unsqueeze(0)[part].flatten()  # pyright: ignore
        parts.append((coded(p, grid.at(part)), values.flatten(), keep))  # pyright: ignore
        return grid.at(part).values(values)  # pyright: ignore

    in_steps(trace.px, see, batch.mask)
    for made, values, keep in reversed(parts):
        made.push(stack, values, keep)
    for code in reversed(codes):
        code.push_prior(stack)
    return taken


def _pop_batch(
    model: LatentModel, stack: Stack, part: Part, c: Tensor | None, mask: Tensor | None, grid: Grid
) -> Tensor:
    codes = [latent_code(p, part.size, COARSE if part.plain else FINE) for p in model.priors(c)]
    latents = [code.pop_prior(stack).unsqueeze(0) for code in codes]
    symbols = torch.zeros(1, part.size, *model.shapes.x, dtype=torch.long)

    def see(part: object, p: object) -> Tensor:
        keep = None if mask is None else mask.unsqueeze(0)[part].flatten()  # pyright: ignore
        found = coded(p, grid.at(part)).pop(stack, keep)  # pyright: ignore
        symbols[part] = found.view(symbols[part].shape)  # pyright: ignore
        return grid.at(part).values(symbols[part])  # pyright: ignore

    in_steps(model.decode(tuple(latents), c), see, mask)
    if not part.plain:
        posteriors = _posteriors(model, Batch(grid.values(symbols.squeeze(0)), c, mask), latents)
        for code, q in reversed(list(zip(codes, posteriors, strict=True))):
            code.push_posterior(stack, q)
    return symbols.squeeze(0)


class _KnownError(Exception):
    """The posteriors are known, and what else a pass of inference computes is not needed."""


def _posteriors(model: LatentModel, batch: Batch, latents: list[Tensor]) -> list[object]:
    """Those of all layers, given the latents."""
    found: list[object] = []

    def replay(q: object, p: object) -> Tensor:
        found.append(q)
        if len(found) == len(latents):
            raise _KnownError
        return latents[len(found) - 1]

    with suppress(_KnownError):
        model.infer(batch, choose=replay)
    return found


def _rows(values: Tensor | None, rows: slice) -> Tensor | None:
    return None if values is None else values[rows]
