"""Autoregressive prior whose every dimension is a mixture of normals."""

import math
from collections.abc import Callable, Sequence
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Size, Tensor, nn
from torch.types import _size

from vaekit.core import Conditional, Prior, Shapes
from vaekit.distributions import DiagonalNormal, NormalMixture
from vaekit.distributions.density import NONE, Density
from vaekit.distributions.zuko import load_zuko


class AutoregressiveNormals(Density):
    """p(z|c) = Π_i p(z_i | z_1, …, z_{i-1}, c), each factor a :class:`NormalMixture`, dimensions in raster order."""

    def __init__(self, prior: Any, c: Tensor | None, like: Tensor, temperature: float = 1.0):
        super().__init__(Size([] if c is None else [len(c)]), prior.event)
        self.prior, self.c, self.like, self.temperature = prior, c, like, temperature
        self.dims = self.event_shape.numel()

    def tempered(self, temperature: float) -> "AutoregressiveNormals":
        """Each factor's normals with their spread times ``temperature``."""
        return AutoregressiveNormals(self.prior, self.c, self.like, temperature * self.temperature)

    def log_prob(self, value: Tensor) -> Tensor:
        """All factors in parallel, (..., *batch), in float32."""
        with torch.autocast(value.device.type, enabled=False):
            z = value.float().flatten(-len(self.event_shape))
            logits, loc, log_var = self._normals(self.prior.masked.output(self._hidden(z)))
            each = DiagonalNormal(loc, log_var, 0).log_prob_each(z.unsqueeze(-1))
            return (logits.log_softmax(-1) + each).logsumexp(-1).sum(-1)

    def in_order(self, rows: int, choose: Callable[[int, NormalMixture], Tensor]) -> Tensor:
        """Latents (N, *event), one dimension after the other: ``choose`` gives those (N, 1) of a dimension, for their
        distribution given the dimensions before. N is a multiple of the batch shape.
        """
        z = torch.zeros(rows, self.dims, device=self.like.device)
        with torch.autocast(z.device.type, enabled=False):
            for at in range(self.dims):
                hidden = self._hidden(z.view(-1, *self.batch_shape, self.dims)).view(rows, -1)
                logits, loc, log_var = self._normals(self.prior.masked.output(hidden, at))
                z[:, at : at + 1] = choose(at, NormalMixture(logits, loc.unsqueeze(-1), log_var.unsqueeze(-1), 1))
        return z.view(rows, *self.event_shape)

    def sample(self, sample_shape: _size = NONE) -> Tensor:
        """A pass of the network for each dimension."""
        with torch.no_grad():
            shape = Size([*sample_shape, *self.batch_shape])
            return self.in_order(shape.numel(), lambda _, factor: factor.sample()).view(*shape, *self.event_shape)

    def _hidden(self, z: Tensor) -> Tensor:
        given = [] if self.c is None else [self.c.expand(*z.shape[:-1], -1)]
        return self.prior.masked(torch.cat([torch.ones_like(z[..., :1]), *given, z], -1))

    def _normals(self, parameters: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(..., 3 · components) ↦ logits, means and log-variances (..., components)."""
        logits, loc, log_var = parameters.unflatten(-1, (3, -1)).unbind(-2)
        return logits, loc, log_var.clamp(-15, 15) + 2 * math.log(self.temperature)


class Masked(nn.Module):
    """A perceptron of (1, c, z) whose outputs for dimension i see of z those before it alone (Germain et al., 2015)."""

    def __init__(self, dims: int, context: int, each: int, hidden: Sequence[int]):
        super().__init__()
        with torch.device("cpu"):  # zuko looks at the values of its masks
            sees = torch.ones(dims, 1 + context + dims, dtype=torch.bool).tril(context)
            *layers, self.last = load_zuko().nn.MaskedMLP(sees.repeat_interleave(each, 0), hidden, nn.SiLU)
        self.layers, self.each = nn.Sequential(*layers), each

    def forward(self, x: Tensor) -> Tensor:
        """The last hidden layer."""
        return self.layers(x)

    def output(self, hidden: Tensor, at: int | None = None) -> Tensor:
        """(..., dims, each), or (..., each) of one dimension."""
        rows = slice(None) if at is None else slice(at * self.each, (at + 1) * self.each)
        found = F.linear(hidden, (self.last.mask * self.last.weight)[rows], self.last.bias[rows])
        return found.unflatten(-1, (-1, self.each)) if at is None else found


class AutoregressivePrior(Prior):
    """p(z|c) = Π_i Σ_m w_im N(z_i; mean_im, exp(log_var_im)), the parameters of dimension i computed from those before
    it by one masked perceptron (Germain et al., 2015; Papamakarios et al., 2017, as MADE MoG).

    ``components`` is the number of normals of each dimension, ``hidden`` the widths of the perceptron. log p takes one
    pass, a draw as many as there are dimensions. It begins near N(0, I). Unlike a flow's, its latents can be coded one
    after the other, so that models with it compress. Needs the package zuko.
    """

    def __init__(self, components: int = 8, hidden: Sequence[int] = (256, 256)):
        super().__init__()
        if components < 1 or not hidden or any(width < 1 for width in hidden):
            raise ValueError(
                f"AutoregressivePrior needs components >= 1 and hidden widths >= 1, got {components=}, {hidden=}"
            )
        self.components, self.hidden = components, list(hidden)

    def bind(self, shapes: Shapes) -> Self:
        """The context, flattened, is an input of every dimension."""
        self.event, self.conditional = self.latent_of(shapes), shapes.c is not None
        context = shapes.c.numel() if shapes.c is not None else 0
        self.masked = Masked(self.event.numel(), context, 3 * self.components, self.hidden)
        self.masked.to(torch.get_default_device())
        with torch.no_grad():
            self.masked.last.weight.mul_(0.1)
            start = torch.zeros(3, self.components)
            start[1] = (torch.arange(self.components) + 0.5) / self.components - 0.5
            start[2] = (1 - start[1].square().mean()).log()
            self.masked.last.bias.copy_(start.flatten().repeat(self.event.numel()))
        return self

    def forward(self, c: Tensor | None = None, encoder: Conditional | None = None) -> AutoregressiveNormals:
        """Batch shape () or, given a context, (B,)."""
        if self.conditional and c is None:
            raise ValueError("this prior depends on a context: give one with each example")
        return AutoregressiveNormals(self, None if c is None else c.flatten(1), self.masked.last.bias)
