"""Negative binomial likelihood."""

import math
from typing import Self

from torch import Tensor
from torch import distributions as torch_distributions
from torch.distributions import Distribution

from vaekit.core import Shapes
from vaekit.distributions import OnGrid

from .counts import Counts
from .scales import SCALES, choose

DISPERSIONS = {name: SCALES[name] for name in ("shared", "elementwise", "output")}


class NegativeBinomial(Counts):
    """k | z ~ NB(mean μ, size r) with μ = m exp(φ₁), m the mean of the training data, for counts x = low + k · step
    that vary more than a Poisson's: variance μ + μ² / r (Lopez et al., 2018, scVI).

    ``dispersion`` says whether r is one parameter (``"shared"``), one for each element (``"elementwise"``) or
    exp(φ₂) from the network (``"output"``). r starts at 1 and stays between 0.01 and 1,000.
    """

    title = "negative binomial"

    def __init__(self, dispersion: str = "elementwise"):
        super().__init__()
        self.scale = choose("dispersion of the negative binomial likelihood", dispersion, DISPERSIONS)
        self.dispersion = dispersion
        self.outputs = 1 + self.scale.outputs

    def bind(self, shapes: Shapes) -> Self:
        """Phi is one log-mean an element, and a log-size if the dispersion is an output."""
        super().bind(shapes)
        self.log_size = self.scale.logarithm(shapes.x, 1.0)
        return self

    def forward(self, phi: Tensor) -> Distribution:
        """Phi (..., 1 or 2, *event)."""
        log_rate, *shift = self.parameters_of(phi)
        log_size = (self.log_size + shift[0] if shift else self.log_size).clamp(math.log(0.01), math.log(1000))
        logits = self.log_rate(log_rate) - log_size
        numbers = torch_distributions.NegativeBinomial(log_size.exp(), logits=logits, validate_args=False)
        return OnGrid(numbers, self.low, self.step)
