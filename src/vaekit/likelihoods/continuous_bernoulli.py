"""Continuous Bernoulli likelihood."""

from torch import Tensor
from torch.distributions import Distribution

from vaekit import distributions

from .elementwise import Continuous
from .kinds import INTERVAL, LEVELS


class ContinuousBernoulli(Continuous):
    """The density that the cross-entropy on grey values lacks: p(x) ∝ λ^x (1 - λ)^(1 - x), λ = σ(φ), normalized over
    x's range (Loaiza-Ganem and Cunningham, 2019; see :class:`vaekit.distributions.ContinuousBernoulli`).

    On a grid the range is that of the cells, half a step wider on each side, over which values are spread uniformly:
    the bound then holds for their probability masses, which sum to one.
    """

    title = "continuous Bernoulli"
    needs = "values in an interval, such as grey values in [0, 1]"
    fits = frozenset({INTERVAL, LEVELS})

    def forward(self, phi: Tensor) -> Distribution:
        """Phi (..., 1, *event): logits, kept within ±1e4."""
        (logits,) = self.parameters_of(phi)
        density = distributions.ContinuousBernoulli(logits.clamp(-1e4, 1e4))
        return distributions.Dequantized(distributions.Affine(density, self.start, self.width), self.cell)
