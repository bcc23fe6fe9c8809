"""Mixtures of normal distributions with diagonal covariances."""

import math

import torch
from torch import Tensor
from torch.types import _size

from .density import NONE, Density


class NormalMixture(Density):
    """Σ_m w_m N(mean_m, diag exp(log_var_m)) over an event of ``dims`` dimensions.

    ``logits`` (..., M) are log w up to a constant; ``mean`` and ``log_var`` (..., M, *event), the batch shape in front
    being () or (B,). The log-densities of all components come from one matrix product in float32, not from a tensor of
    all differences; they are exact to about 1e-7 · |z - center|² / variance nats.
    """

    def __init__(self, logits: Tensor, mean: Tensor, log_var: Tensor, dims: int):
        split = mean.dim() - dims
        super().__init__(mean.shape[: split - 1], mean.shape[split:])
        self.logits, self.loc, self.log_var, self.dims = logits.log_softmax(-1), mean, log_var, dims

    @property
    def mean(self) -> Tensor:
        """Σ_m w_m mean_m."""
        return self._average(self.loc)

    @property
    def variance(self) -> Tensor:
        """Σ_m w_m (exp(log_var_m) + mean_m²) - mean², not below 0."""
        second = self._average(self.loc.square() + self.log_var.exp())
        return (second - self.mean.square()).clamp(min=0)

    def tempered(self, temperature: float) -> "NormalMixture":
        """Each component with its spread times ``temperature``, of the same weight."""
        return type(self)(self.logits, self.loc, self.log_var + 2 * math.log(temperature), self.dims)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-density, (..., *batch)."""
        return self.log_joint(value).logsumexp(-1)

    def _average(self, values: Tensor) -> Tensor:
        weights = self.logits.exp().view(*self.logits.shape, *[1] * self.dims)
        return (weights * values).sum(-1 - self.dims)

    def log_joint(self, value: Tensor) -> Tensor:
        """log w_m + log-density under component m, (..., *batch, M)."""
        with torch.autocast(value.device.type, enabled=False):
            z, mean, log_var = (x.float().flatten(-self.dims) for x in (value, self.loc, self.log_var))
            center = mean.detach().mean(-2)
            z, mean, precision = z - center, mean - center.unsqueeze(-2), (-log_var).exp()
            at_zero = (mean.square() * precision + log_var).sum(-1) + mean.shape[-1] * math.log(2 * math.pi)
            features, weights = torch.cat([z.square(), z], -1), torch.cat([precision, -2 * mean * precision], -1)
            at_zero, weights = self.logits - 0.5 * at_zero, -0.5 * weights
            if self.batch_shape:
                return at_zero + torch.einsum("...bd,bmd->...bm", features, weights)
            joint = torch.addmm(at_zero, features.flatten(0, -2), weights.mT)  # in one pass: there are many components
            return joint.view(*features.shape[:-1], -1)

    def sample(self, sample_shape: _size = NONE) -> Tensor:
        """A component by its weight, then a draw from it."""
        with torch.no_grad():
            shape = (*sample_shape, *self.batch_shape)
            weights = self.logits.exp().expand(*self.batch_shape, -1)
            count = math.prod(sample_shape)
            chosen = torch.multinomial(weights, count, replacement=True)
            chosen = chosen.movedim(-1, 0).reshape(count, *self.batch_shape, 1)
            mean, log_var = (
                x.flatten(-self.dims).expand(count, *self.batch_shape, -1, -1) for x in (self.loc, self.log_var)
            )
            index = chosen.unsqueeze(-1).expand(*chosen.shape, mean.shape[-1])
            mean, log_var = (x.gather(-2, index).squeeze(-2) for x in (mean, log_var))
            z = mean + (0.5 * log_var).exp() * torch.randn_like(mean)
            return z.view(*shape, *self.event_shape)


class OtherComponents(NormalMixture):
    """A mixture whose ``log_prob`` leaves out the component m that is likeliest for z, Σ_{k≠m} w_k N_k(z) / (1 - w_m).

    Not a density: a score of how well z agrees with others, where the components are examples and z may come from one
    of them. The density at an example that a component was made of says little, as it is its own neighbour.
    """

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-density under the other components, (..., *batch)."""
        joint = self.log_joint(value)
        own = joint.max(-1, keepdim=True).indices
        weight = self.logits.expand(joint.shape).gather(-1, own).squeeze(-1).exp()
        return joint.scatter(-1, own, -math.inf).logsumexp(-1) - torch.log1p(-weight)
