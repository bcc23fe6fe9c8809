"""Normalizing flow posterior."""

import math
from collections.abc import Sequence
from typing import Any, Literal, Self

import torch
from torch import Size, Tensor

from vaekit.core import Family, Shapes
from vaekit.distributions.zuko import FLOWS, make_flow

from .pushed import Pushed


class FlowedNormal(Pushed):
    """A diagonal normal draw, then an invertible ``transform`` of it, one of zuko's."""

    def __init__(self, mean: Tensor, log_var: Tensor, transform: Any, event: Size):
        super().__init__(mean, event, mean.shape[-1:])
        self.loc, self.log_var, self.transform = mean, log_var, transform

    def push(self, eps: Tensor) -> tuple[Tensor, Tensor | None]:
        """z = f(mean + exp(½ log-variance) · ε), log q(z) = the normal's - log |det ∂f|, computed in float32."""
        with torch.autocast(eps.device.type, enabled=False):
            z, log_det = self.transform.call_and_ladj(self.loc + (0.5 * self.log_var).exp() * eps)
        return z.unflatten(-1, self.event_shape), self._base(eps) - log_det

    def log_prob(self, value: Tensor) -> Tensor:
        """Inverts f first."""
        with torch.autocast(value.device.type, enabled=False):
            source, log_det = self.transform.inv.call_and_ladj(value.flatten(-len(self.event_shape)))
        return self._base((source - self.loc) * (-0.5 * self.log_var).exp()) + log_det

    def _base(self, eps: Tensor) -> Tensor:
        return -0.5 * (eps.square() + math.log(2 * math.pi) + self.log_var).sum(-1)


class FlowPosterior(Family):
    """z = f(ε', h(x)): a diagonal normal ε' through ``transforms`` invertible maps (Rezende and Mohamed, 2015).

    ``kind`` is the form of the maps: ``nsf``, splines within ±5 (Durkan et al., 2019), ``maf``, affine (both see the
    dimensions before, so that the density of a z other than the drawn one takes as many passes as there are
    dimensions), or ``realnvp``, affine couplings of two random halves (Dinh et al., 2017), quick both ways. The encoder
    gives each example ``context`` numbers h beside mean and log-variances; ``hidden`` are the widths of each map's
    network. Needs the package zuko; ``inverse-autoregressive`` does not, and is quicker.
    """

    def __init__(
        self,
        kind: Literal["maf", "realnvp", "nsf"] = "nsf",
        transforms: int = 2,
        context: int = 64,
        hidden: Sequence[int] = (128,),
    ):
        super().__init__()
        if kind not in FLOWS:
            raise ValueError(f"FlowPosterior: kind is one of {', '.join(FLOWS)}, got {kind!r}")
        if transforms < 1 or context < 1 or any(width < 1 for width in hidden):
            raise ValueError(
                f"FlowPosterior needs transforms, context and widths of at least 1, got {transforms=}, {context=}, "
                f"hidden={list(hidden)}"
            )
        self.kind, self.transforms, self.context, self.hidden = kind, transforms, context, list(hidden)

    def bind(self, shapes: Shapes) -> Self:
        """Phi is (1, 2 D + context) for D latent dimensions."""
        if shapes.latent is None:
            raise ValueError("a posterior is bound to the latent shape, which is not known yet")
        self.event, dim = shapes.latent, shapes.latent.numel()
        self.phi = Size([1, 2 * dim + self.context])
        self.flow = make_flow(self.kind, dim, self.context, self.transforms, self.hidden)
        return self

    def forward(self, phi: Tensor) -> FlowedNormal:
        """Phi (..., 1, 2 D + context); log-variances are kept within ±15."""
        dim = self.event.numel()
        mean, log_var, h = phi.squeeze(-2).split([dim, dim, self.context], -1)
        return FlowedNormal(mean, log_var.clamp(-15, 15), self.flow(h), self.event)
