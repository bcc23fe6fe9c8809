"""Inverse autoregressive flow posterior."""

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Self, cast

import torch
import torch.nn.functional as F
from torch import Size, Tensor, nn

from vaekit.core import Family, Shapes

from .pushed import Pushed


class MaskedLinear(nn.Linear):
    """A linear layer in which an output sees the inputs of its own degree and below."""

    mask: Tensor

    def __init__(self, inputs: Tensor, outputs: Tensor):
        super().__init__(len(inputs), len(outputs))
        self.register_buffer("mask", (outputs.unsqueeze(1) >= inputs).float(), persistent=False)

    def forward(self, input: Tensor) -> Tensor:
        """(..., inputs) ↦ (..., outputs)."""
        return F.linear(input, self.weight * self.mask, self.bias)


class AutoregressiveStep(nn.Module):
    """z' = g · z + (1 - g) · m, where g_i and m_i depend on the context and on z_1 … z_{i-1} through a masked
    perceptron (Germain et al., 2015, MADE).
    """

    def __init__(self, dim: int, context: int, hidden: Sequence[int]):
        super().__init__()
        degrees = [torch.arange(dim) + 1, *(torch.arange(n) * dim // n for n in hidden), torch.arange(dim).repeat(2)]
        self.context = nn.Linear(context, hidden[0], bias=False)
        self.layers = nn.ModuleList(MaskedLinear(a, b) for a, b in pairwise(degrees))
        with torch.no_grad():
            self.layers[-1].weight.mul_(0.1)  # pyright: ignore[reportCallIssue] - a step starts close to a scaling
            self.layers[-1].bias.zero_()  # pyright: ignore[reportCallIssue]

    def forward(self, z: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        """z (..., D), h (..., context) ↦ m and log g, both (..., D); g starts near σ(2) = 0.88."""
        first, *rest = self.layers
        x = first(z) + self.context(h)
        for layer in rest:
            x = layer(F.relu(x))
        m, s = x.float().chunk(2, -1)
        return m, F.logsigmoid(s + 2)

    def inverse(self, z: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        """z' ↦ z and log g. Each of D passes settles one more dimension, so that the result is exact."""
        source, log_g = z, torch.zeros_like(z)
        for _ in range(z.shape[-1]):
            m, log_g = self(source, h)
            source = m + (z - m) * (-log_g).exp()
        return source, log_g


class InverseAutoregressivePosterior(Pushed):
    """A diagonal normal draw, then autoregressive steps, each in the reverse order of dimensions of the one before."""

    def __init__(self, mean: Tensor, log_var: Tensor, h: Tensor, steps: Iterable[AutoregressiveStep], event: Size):
        super().__init__(mean, event, mean.shape[-1:])
        self.loc, self.log_var, self.h, self.transforms = mean, log_var, h, list(steps)

    def push(self, eps: Tensor) -> tuple[Tensor, Tensor | None]:
        """log q = Σ_i [-½ (ε_i² + log 2π + log-variance_i) - Σ_steps log g_i], known from the draw."""
        z = self.loc + (0.5 * self.log_var).exp() * eps
        log_q = self._base(eps)
        for step in self.transforms:
            m, log_g = step(z, self.h)
            z = torch.lerp(m, z, log_g.exp()).flip(-1)
            log_q = log_q - log_g.sum(-1)
        return z.unflatten(-1, self.event_shape), log_q

    def log_prob(self, value: Tensor) -> Tensor:
        """Inverts the steps first, which takes as many passes as z has dimensions."""
        z, log_q = value.flatten(-len(self.event_shape)), 0.0
        for step in reversed(self.transforms):
            z, log_g = step.inverse(z.flip(-1), self.h)
            log_q = log_q - log_g.sum(-1)
        return log_q + self._base((z - self.loc) * (-0.5 * self.log_var).exp())

    def _base(self, eps: Tensor) -> Tensor:
        return -0.5 * (eps.square() + math.log(2 * math.pi) + self.log_var).sum(-1)


class InverseAutoregressive(Family):
    """A diagonal normal made flexible by ``steps`` inverse autoregressive steps (Kingma et al., 2016).

    The encoder gives each example ``context`` numbers beside mean and log-variances; ``hidden`` are the widths of each
    step's masked layers. Draws and their densities take one pass; the density of any other z takes one for each latent
    dimension.
    """

    def __init__(self, steps: int = 2, context: int = 64, hidden: Sequence[int] = (256,)):
        super().__init__()
        if steps < 1 or context < 1 or not hidden or min(hidden) < 1:
            raise ValueError(
                f"inverse-autoregressive needs at least 1 step, 1 context number and 1 hidden layer, "
                f"got steps={steps}, context={context}, hidden={list(hidden)}"
            )
        self.steps, self.context, self.hidden = steps, context, list(hidden)

    def bind(self, shapes: Shapes) -> Self:
        """Phi is (1, 2 D + context) for D latent dimensions."""
        if shapes.latent is None:
            raise ValueError("a posterior is bound to the latent shape, which is not known yet")
        self.event, dim = shapes.latent, shapes.latent.numel()
        self.phi = Size([1, 2 * dim + self.context])
        self.flow = nn.ModuleList(AutoregressiveStep(dim, self.context, self.hidden) for _ in range(self.steps))
        return self

    def forward(self, phi: Tensor) -> InverseAutoregressivePosterior:
        """Phi (..., 1, 2 D + context); log-variances are kept within ±15."""
        dim = self.event.numel()
        mean, log_var, h = phi.squeeze(-2).split([dim, dim, self.context], -1)
        steps = cast("Iterable[AutoregressiveStep]", self.flow)
        return InverseAutoregressivePosterior(mean, log_var.clamp(-15, 15), h, steps, self.event)
