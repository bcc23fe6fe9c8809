"""Variational mixture of posteriors."""

import math
from typing import Self

import torch
from torch import Tensor, nn

from vaekit.core import Conditional, Prior, Shapes
from vaekit.distributions import DiagonalNormal, NormalMixture, OtherComponents


class VampPrior(Prior):
    """p(z|c) = Σ_m w_m q(z|u_m, c), the encoder's posterior at learned pseudo-inputs u_m (Tomczak and Welling, 2018).

    The u_m live where the encoder's inputs do; they begin at random training examples and stay within the examples'
    range. ``weighted`` learns the w_m, else they are equal. With ``leave_one_out`` each z is judged by the components
    other than its likeliest (:class:`OtherComponents`), for scores of examples that may be pseudo-inputs themselves:
    such a prior is not normalized. Each distinct context costs one pass of all pseudo-inputs through the encoder.
    Raises ValueError unless the posterior is diagonal normal.
    """

    low: Tensor
    high: Tensor

    def __init__(self, components: int = 500, weighted: bool = True, leave_one_out: bool = False):
        super().__init__()
        if components < 1 + leave_one_out:
            raise ValueError(f"VampPrior needs at least {1 + leave_one_out} component(s), got {components}")
        self.components, self.weighted, self.leave_one_out = components, weighted, leave_one_out

    def bind(self, shapes: Shapes) -> Self:
        """Pseudo-inputs (M, *embedded), random until :meth:`prepare`."""
        if shapes.latent is None or shapes.embedded is None:
            raise ValueError("a prior is bound to the latent shape, which is not known yet")
        self.event = shapes.latent
        self.inputs = nn.Parameter(torch.rand(self.components, *shapes.embedded))
        self.register_buffer("low", torch.full(shapes.embedded, -math.inf))
        self.register_buffer("high", torch.full(shapes.embedded, math.inf))
        logits = torch.zeros(self.components)
        if self.weighted and self.components > 1:
            self.logits = nn.Parameter(logits)
        else:
            self.register_buffer("logits", logits, persistent=False)
        return self

    @torch.no_grad()
    def prepare(self, embedded: Tensor, c: Tensor | None, encoder: Conditional) -> None:
        """Pseudo-inputs from embedded training examples (N, *embedded), slightly spread; their range from all."""
        self.low.copy_(embedded.amin(0))
        self.high.copy_(embedded.amax(0))
        chosen = torch.randperm(len(embedded), device=embedded.device)
        chosen = chosen.repeat(-(-self.components // len(chosen)))[: self.components]
        spread = 0.01 * (self.high - self.low) * torch.randn_like(self.inputs)
        self.inputs.copy_((embedded[chosen] + spread).clamp(self.low, self.high))

    def forward(self, c: Tensor | None = None, encoder: Conditional | None = None) -> NormalMixture:
        """Batch shape () or, given a context, (B,)."""
        if encoder is None:
            raise ValueError("prior 'vamp' is a mixture of posteriors and needs the model's encoder")
        u = self.inputs + (self.inputs.clamp(self.low, self.high) - self.inputs).detach()  # with a gradient outside too
        distinct, rows = (None, None) if c is None else torch.unique(c, dim=0, return_inverse=True)
        q = encoder(u, None if distinct is None else distinct.unsqueeze(1))
        if not isinstance(q, DiagonalNormal):
            raise ValueError("prior 'vamp' needs the posterior's density at any z: use posterior 'diagonal-normal'")
        mean, log_var = (q.loc, q.log_var) if rows is None else (q.loc[rows], q.log_var[rows])
        kind = OtherComponents if self.leave_one_out else NormalMixture
        return kind(self.logits, mean, log_var, len(self.event))
