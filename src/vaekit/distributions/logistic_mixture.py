"""A mixture of logistics on the points of a grid, with point masses at some of them."""

import torch
from torch import Size, Tensor
from torch.types import _size

from .density import NONE, Density
from .discretized_logistic import DiscretizedLogistic


class LogisticMixture(Density):
    """Elementwise mass on the grid low, low + step, …, high: P(x) = Σ wₘ Pₘ(x) + Σ vₛ [x = spike s].

    Pₘ is a :class:`DiscretizedLogistic`, and all weights sum to one, hence the masses do (Salimans et al., 2017,
    PixelCNN++; the spikes are ours). ``loc`` and ``log_scale`` are (..., M), ``logits`` (..., M + S) with those of the
    spikes last. ``spikes`` (S,) are the places of the spikes on the grid, counted from low, all different.
    """

    has_enumerate_support = True

    def __init__(
        self,
        logits: Tensor,
        loc: Tensor,
        log_scale: Tensor,
        low: float,
        high: float,
        step: float,
        spikes: Tensor | None = None,
    ):
        super().__init__(loc.shape[:-1])
        self.logistics = DiscretizedLogistic(loc, log_scale, low, high, step)
        self.log_weights = logits.movedim(-1, 0).log_softmax(0).movedim(0, -1)  # in half the time of that of the last
        self.low, self.high, self.step, self.components = low, high, step, loc.shape[-1]
        self.spikes = torch.zeros(0, dtype=torch.long, device=loc.device) if spikes is None else spikes

    @property
    def mean(self) -> Tensor:
        """The weighted mean of the logistics' own means and the ends, within half a step of the grid's own."""
        weights = self.log_weights.exp()
        mean = (weights[..., : self.components] * self.logistics.mean).sum(-1)
        return mean + (weights[..., self.components :] * self._places).sum(-1)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-mass; stable for masses that underflow."""
        each = self.log_weights[..., : self.components] + self.logistics.log_prob(value.unsqueeze(-1))
        inside = each.logsumexp(-1)
        if not len(self.spikes):
            return inside
        at = self._levels(value).unsqueeze(-1) == self.spikes
        spike = torch.where(at, self.log_weights[..., self.components :], 0).sum(-1)
        return torch.where(at.any(-1), torch.logaddexp(inside, spike), inside)

    def cdf(self, value: Tensor) -> Tensor:
        """P(X ≤ value) at points of the grid, without the masses of the others."""
        weights, loc, scale = self.log_weights.exp(), self.logistics.loc, self.logistics.log_scale.exp()
        below = torch.sigmoid((value.unsqueeze(-1) + self.step / 2 - loc) / scale)
        total = (weights[..., : self.components] * below).sum(-1)
        passed = self._levels(value).unsqueeze(-1) >= self.spikes
        total = total + (weights[..., self.components :] * passed).sum(-1)
        half = self.step / 2
        return torch.where(value < self.low - half, 0, torch.where(value > self.high - half, 1, total))

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """All values, lowest first: (levels, *batch), or (levels, 1, …) without ``expand``."""
        values = self.logistics.enumerate_support(expand=False).squeeze(-1)
        return values.expand(-1, *self.batch_shape) if expand else values

    def sample(self, sample_shape: _size = NONE) -> Tensor:
        """A component, then a draw from it."""
        with torch.no_grad():
            shape = Size([*sample_shape, *self.batch_shape])
            weights = self.log_weights.exp()
            chosen = torch.multinomial(weights.flatten(0, -2), shape.numel() // weights[..., 0].numel(), True)
            chosen = chosen.T.reshape(*shape, 1)
            draws = self.logistics.sample(sample_shape)
            inside = draws.gather(-1, chosen.clamp(max=self.components - 1)).squeeze(-1)
            chosen = chosen.squeeze(-1) - self.components
            return torch.where(chosen < 0, inside, self._places[chosen.clamp(min=0)]) if len(self.spikes) else inside

    @property
    def _places(self) -> Tensor:
        return (self.low + self.step * self.spikes).to(self.log_weights.dtype)

    def _levels(self, value: Tensor) -> Tensor:
        return ((value - self.low) / self.step).round()
