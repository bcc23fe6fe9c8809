"""Autoregressive prior over codes."""

from collections.abc import Callable
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Size, Tensor, nn

from vaekit.core import Conditional, Shapes

from .causal import CausalTransformer, Past
from .codes import CodePrior, Codes


class AutoregressiveCodes(Codes):
    """P(z|c) = Π_i P(code i | codes before i, c), positions in raster order."""

    def __init__(self, prior: Any, family: Any, start: Tensor):
        super().__init__(family, Size(start.shape[:-1]), prior.event)
        self.prior, self.start = prior, start
        book = family.book.detach().float()
        self.codes = (book - book.mean(0)) / (book.std(0, correction=0) + 1e-6)

    def log_mass(self, indices: Tensor) -> Tensor:
        """All positions in parallel."""
        start = self.start.expand(*indices.shape[:-1], -1).flatten(0, -2)
        flat = indices.reshape(-1, indices.shape[-1])
        before = self.prior.read(self.codes)[flat[:, :-1]]
        h = self.prior.transformer(torch.cat([start.unsqueeze(1), before], 1))
        log_p = self._logits(h).float().log_softmax(-1)
        return log_p.gather(-1, flat.unsqueeze(-1)).squeeze(-1).sum(-1).view(indices.shape[:-1])

    def in_order(self, rows: int, choose: Callable[[int, Tensor], Tensor]) -> Tensor:
        """One step of the transformer for each position."""
        transformer, read = self.prior.transformer, self.prior.read(self.codes)
        x, found = self.start.expand(-(-rows // max(self.batch_shape.numel(), 1)), *self.start.shape), []
        x = x.reshape(rows, -1)
        past: list[Past] = [[] for _ in transformer.blocks]
        for at in range(self.positions.numel()):
            found.append(choose(at, self._logits(transformer.step(x, at, past)).float().softmax(-1)))
            x = read[found[-1]]
        return torch.stack(found, -1)

    def _logits(self, h: Tensor) -> Tensor:
        return F.linear(h, self.prior.write(self.codes)) * h.shape[-1] ** -0.5


class CodeTransformer(CodePrior):
    """P(z|c) = Π_i P(code i | codes before i, c) by a causal transformer (after van den Oord et al., 2017, whose
    PixelCNN it replaces).

    Codes are read and written by two small perceptrons of their vectors, so that one prior serves books of any size,
    whatever moves in them. log P takes one pass, a draw as many steps as there are positions.
    """

    start: Tensor

    def __init__(self, layers: int = 4, width: int = 128, heads: int = 4):
        super().__init__()
        if min(layers, width, heads) < 1 or width % heads:
            raise ValueError(
                f"CodeTransformer needs layers, width and heads >= 1 and a width divisible by heads; "
                f"got {layers=}, {width=}, {heads=}"
            )
        self.layers, self.width, self.heads = layers, width, heads

    def bind(self, shapes: Shapes) -> Self:
        """The context is part of the start."""
        super().bind(shapes)
        dim, positions = self.event[0], Size(self.event[1:]).numel()
        self.read = nn.Sequential(nn.Linear(dim, self.width), nn.SiLU(), nn.Linear(self.width, self.width))
        self.write = nn.Sequential(nn.Linear(dim, self.width), nn.SiLU(), nn.Linear(self.width, self.width))
        self.transformer = CausalTransformer(positions, self.layers, self.width, self.heads)
        self.start = nn.Parameter(torch.zeros(self.width))
        self.context = None if shapes.c is None else nn.Linear(shapes.c.numel(), self.width)
        return self

    def forward(self, c: Tensor | None = None, encoder: Conditional | None = None) -> AutoregressiveCodes:
        """Batch shape () or, given a context, (B,)."""
        if self.context is not None and c is None:
            raise ValueError("this prior depends on a context: give one with each example")
        start = self.start if c is None or self.context is None else self.start + self.context(c.flatten(1))
        return AutoregressiveCodes(self, self.book_of(encoder), start)
