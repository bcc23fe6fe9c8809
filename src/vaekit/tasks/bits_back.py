"""Examples as bits and back, without loss: the size is the model's evidence bound."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

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


@dataclass(frozen=True)
class Code:
    """Examples as bytes: ``count`` of them in batches, of which those marked ``plain`` were coded without posterior."""

    data: bytes
    count: int
    plain: tuple[bool, ...]


def encode_examples(
    model: LatentModel, symbols: Tensor, grid: Grid, mask: Tensor | None = None, c: Tensor | None = None
) -> Code:
    """Bits-back coding (Townsend et al., 2019) of ``symbols`` (N, *event), where ``mask`` is False being left out.

    The context ``c`` (N, C) of conditional models is not coded; whoever decodes must know it.
    A batch's latents are popped off the stack by their posterior, then the examples pushed by p(x|z) and the latents by
    their prior: on average each batch adds the negative evidence bound. The first batch has nothing to pop from: it
    takes the posterior's means in coarse bins. Batches double until they are as large as they get.
    """
    stack, plain = Stack(), []
    most = TAKEN * sum(event.numel() for event in model.events)
    with inference(model):
        for rows in batches(len(symbols)):
            part = Batch(grid.values(symbols[rows]), _rows(c, rows), _rows(mask, rows))
            before = stack.copy() if stack.bits < most * len(part.x) + SPARE else stack
            is_plain = not _push_batch(model, stack, symbols[rows], part, grid, FINE)
            if is_plain:
                stack = before
                _push_batch(model, stack, symbols[rows], part, grid, COARSE)
            plain.append(is_plain)
    return Code(stack.to_bytes(), len(symbols), tuple(plain))


def decode_examples(
    model: LatentModel, code: Code, grid: Grid, mask: Tensor | None = None, c: Tensor | None = None
) -> Tensor:
    """The symbols (N, *event), 0 where left out. Raises ValueError where the code is not this model's."""
    parts, stack = list(batches(code.count)), Stack(code.data)
    if len(parts) != len(code.plain):
        raise ValueError(f"{code.count} examples are {len(parts)} batches, but {len(code.plain)} are described")
    found = torch.zeros(code.count, *model.shapes.x, dtype=torch.long)
    with inference(model):
        for rows, is_plain in reversed(list(zip(parts, code.plain, strict=True))):
            size = rows.stop - rows.start
            found[rows] = _pop_batch(model, stack, size, _rows(c, rows), _rows(mask, rows), grid, is_plain)
    if stack.bits:
        raise ValueError("the code holds more than these examples")
    return found


def batches(count: int) -> Iterator[slice]:
    """Rows of the batches: 1, 1, 2, 4, …, and then the largest."""
    start = 0
    while start < count:
        size = min(max(start, 1), ROWS, count - start)
        yield slice(start, start + size)
        start += size


def _push_batch(model: LatentModel, stack: Stack, symbols: Tensor, batch: Batch, grid: Grid, bits: int) -> bool:
    """Whether the stack held the bits that the posteriors took; if not, it is left as it is."""
    codes: list[LatentCode] = []

    def choose(q: object, p: object) -> Tensor:
        codes.append(latent_code(p, len(symbols), bits))  # pyright: ignore[reportArgumentType]
        z = codes[-1].pop_posterior(stack, q) if bits == FINE else codes[-1].nearest(q)
        return z.unsqueeze(0)

    trace = model.infer(batch, choose=choose)
    if bits == FINE and stack.bits < SPARE:
        return False
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
    return True


def _pop_batch(
    model: LatentModel, stack: Stack, count: int, c: Tensor | None, mask: Tensor | None, grid: Grid, is_plain: bool
) -> Tensor:
    codes = [latent_code(p, count, COARSE if is_plain else FINE) for p in model.priors(c)]
    latents = [code.pop_prior(stack).unsqueeze(0) for code in codes]
    symbols = torch.zeros(1, count, *model.shapes.x, dtype=torch.long)

    def see(part: object, p: object) -> Tensor:
        keep = None if mask is None else mask.unsqueeze(0)[part].flatten()  # pyright: ignore
        found = coded(p, grid.at(part)).pop(stack, keep)  # pyright: ignore
        symbols[part] = found.view(symbols[part].shape)  # pyright: ignore
        return grid.at(part).values(symbols[part])  # pyright: ignore

    in_steps(model.decode(tuple(latents), c), see, mask)
    if not is_plain:
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
