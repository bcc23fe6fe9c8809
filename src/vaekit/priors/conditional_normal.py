"""Diagonal normal prior that depends on the context."""

from collections.abc import Sequence
from typing import Self

from torch import Size, Tensor

from vaekit.core import Conditional, Prior, Shapes
from vaekit.distributions import DiagonalNormal
from vaekit.networks import MLP


class ConditionalNormal(Prior):
    """p(z|c) = N(mean(c), diag exp(log_var(c))), both from a small fully connected network (Sohn et al., 2015).

    ``hidden`` are the network's widths; without any, mean and log-variance are affine in c.
    """

    def __init__(self, hidden: Sequence[int] = (64,)):
        super().__init__()
        if any(width < 1 for width in hidden):
            raise ValueError(f"ConditionalNormal: every hidden width must be at least 1, got {list(hidden)}")
        self.hidden = list(hidden)

    def bind(self, shapes: Shapes) -> Self:
        """Raises ValueError without a context."""
        self.event = self.latent_of(shapes)
        if shapes.c is None:
            raise ValueError(
                "prior 'conditional-normal' depends on a context, but the model has none: "
                "make it conditional, or use prior 'standard-normal'"
            )
        self.body = MLP(self.hidden).build([shapes.c], Size([2, *self.event]))
        return self

    def forward(self, c: Tensor | None = None, encoder: Conditional | None = None) -> DiagonalNormal:
        """Batch shape (B,); log-variances are kept within ±15."""
        if c is None:
            raise ValueError("prior 'conditional-normal' depends on a context: give one with each example")
        mean, log_var = self.body(c).float().unbind(1)
        return DiagonalNormal(mean, log_var.clamp(-15, 15), len(self.event))
