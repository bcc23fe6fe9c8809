"""The logistic distribution on the points of a grid."""

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.types import _size

from .density import NONE, Density


class DiscretizedLogistic(Density):
    """Elementwise mass on the grid low, low + step, …, high: what a logistic variable has within half a step of each
    point.

    P(x) = σ((x + step/2 - mean) / scale) - σ((x - step/2 - mean) / scale), the two end points taking the tails, so
    that the masses sum to one (Salimans et al., 2017, PixelCNN++, without the mixture).
    """

    has_enumerate_support = True

    def __init__(self, loc: Tensor, log_scale: Tensor, low: float, high: float, step: float):
        super().__init__(loc.shape)
        self.loc, self.log_scale, self.low, self.high, self.step = loc, log_scale, low, high, step

    @property
    def mean(self) -> Tensor:
        """The mean of the logistic variable clipped to the range, which is within half a step of the grid's own."""
        scale = self.log_scale.exp()
        above_low = F.softplus((self.loc - self.low) / scale)
        above_high = F.softplus((self.loc - self.high) / scale)
        return (self.low + scale * (above_low - above_high)).clamp(self.low, self.high)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-mass; stable for masses that underflow: log σ(a) + log σ(-b) + log(1 - exp(b - a)) for bounds a > b."""
        inverse = (-self.log_scale).exp()
        above = (value - self.loc + self.step / 2) * inverse
        below = above - self.step * inverse
        log_below = F.logsigmoid(-below)
        log_above = F.logsigmoid(above)
        within = log_above + log_below + torch.log(-torch.expm1(-self.step * inverse))
        half = self.step / 2
        return torch.where(value < self.low + half, log_above, torch.where(value > self.high - half, log_below, within))

    def sample(self, sample_shape: _size = NONE) -> Tensor:
        """A logistic draw, rounded to the grid."""
        with torch.no_grad():
            u = torch.rand(*sample_shape, *self.loc.shape, device=self.loc.device).clamp(1e-7, 1 - 1e-7)
            x = self.loc + self.log_scale.exp() * torch.logit(u)
            return ((x - self.low) / self.step).round().mul(self.step).add(self.low).clamp(self.low, self.high)

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """All values, lowest first: (levels, *batch), or (levels, 1, …) without ``expand``."""
        levels = round((self.high - self.low) / self.step) + 1
        values = self.low + self.step * torch.arange(levels, device=self.loc.device).view(-1, *[1] * self.loc.dim())
        return values.expand(-1, *self.loc.shape) if expand else values
