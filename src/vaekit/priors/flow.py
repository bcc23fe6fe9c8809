"""Normalizing flow prior."""

from collections.abc import Sequence
from typing import Literal, Self

import torch
from torch import Size, Tensor

from vaekit.core import Conditional, Prior, Shapes
from vaekit.distributions import Flow
from vaekit.distributions.zuko import FLOWS, make_flow


class FlowPrior(Prior):
    """log p(z|c) = log N(f(z, c); 0, I) + log |det ∂f/∂z|, f invertible, over the flattened latent.

    ``kind`` is the form of f: ``maf``, affine and autoregressive (Papamakarios et al., 2017), the best density for its
    training time, whose draws need as many passes through each of the ``transforms`` as there are latent dimensions;
    ``realnvp``, affine couplings of two random halves (Dinh et al., 2017), two passes; ``nsf``, autoregressive splines
    within ±5 (Durkan et al., 2019), about four times as slow. ``hidden`` are the widths of each transform's network. It
    begins near N(0, I). Needs the package zuko.
    """

    like: Tensor

    def __init__(
        self,
        kind: Literal["maf", "realnvp", "nsf"] = "maf",
        transforms: int = 4,
        hidden: Sequence[int] = (256, 256),
    ):
        super().__init__()
        if kind not in FLOWS:
            raise ValueError(f"FlowPrior: kind is one of {', '.join(FLOWS)}, got {kind!r}")
        if transforms < 1 or any(width < 1 for width in hidden):
            raise ValueError(f"FlowPrior needs transforms >= 1 and widths >= 1, got {transforms=}, {hidden=}")
        self.kind, self.transforms, self.hidden = kind, transforms, list(hidden)

    def bind(self, shapes: Shapes) -> Self:
        """One masked network for each transform; the context, flattened, is an input of all."""
        self.event, self.conditional = self.latent_of(shapes), shapes.c is not None
        self.register_buffer("like", torch.zeros(()), persistent=False)
        context = shapes.c.numel() if shapes.c is not None else 0
        self.transform = make_flow(self.kind, self.event.numel(), context, self.transforms, self.hidden)
        return self

    def forward(self, c: Tensor | None = None, encoder: Conditional | None = None) -> Flow:
        """Batch shape () or, given a context, (B,)."""
        if self.conditional and c is None:
            raise ValueError("this prior depends on a context: give one with each example")
        c = c.flatten(1) if c is not None else None
        return Flow(self.transform(c), Size([] if c is None else [len(c)]), self.event, self.like)
