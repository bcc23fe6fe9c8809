"""Normalizing flow prior."""

from collections.abc import Sequence
from typing import Any, Literal, Self

import torch
from torch import Size, Tensor, nn

from vaekit.core import Conditional, Prior, Shapes
from vaekit.distributions import Flow
from vaekit.distributions.zuko import load_zuko

KINDS: dict[str, dict[str, Any]] = {"maf": {}, "realnvp": {"passes": 2, "randperm": True}, "nsf": {"bins": 8}}


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
        if kind not in KINDS:
            raise ValueError(f"FlowPrior: kind is one of {', '.join(KINDS)}, got {kind!r}")
        if transforms < 1 or any(width < 1 for width in hidden):
            raise ValueError(f"FlowPrior needs transforms >= 1 and widths >= 1, got {transforms=}, {hidden=}")
        self.kind, self.transforms, self.hidden = kind, transforms, list(hidden)

    def bind(self, shapes: Shapes) -> Self:
        """One masked network for each transform; the context, flattened, is an input of all."""
        if shapes.latent is None:
            raise ValueError("a prior is bound to the latent shape, which is not known yet")
        self.event, self.conditional = shapes.latent, shapes.c is not None
        self.register_buffer("like", torch.zeros(()), persistent=False)
        with torch.device("cpu"):  # zuko looks at the values of its masks
            self.transform = self._make(shapes.c.numel() if shapes.c is not None else 0)
        self.transform.to(self.like.device)
        return self

    def _make(self, context: int) -> nn.Module:
        flows = load_zuko().flows
        make = flows.NSF if self.kind == "nsf" else flows.MAF
        sizes = {"transforms": self.transforms, "hidden_features": self.hidden}
        transform = make(self.event.numel(), context, **sizes, **KINDS[self.kind]).transform
        for network in transform.modules():
            if isinstance(network, nn.Sequential) and isinstance(network[-1], nn.Linear):
                nn.init.zeros_(network[-1].bias)
                network[-1].weight.data.mul_(0.1)
        return transform

    def forward(self, c: Tensor | None = None, encoder: Conditional | None = None) -> Flow:
        """Batch shape () or, given a context, (B,)."""
        if self.conditional and c is None:
            raise ValueError("this prior depends on a context: give one with each example")
        c = c.flatten(1) if c is not None else None
        return Flow(self.transform(c), Size([] if c is None else [len(c)]), self.event, self.like)
