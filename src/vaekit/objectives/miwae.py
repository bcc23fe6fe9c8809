"""The mean of several importance-weighted bounds."""

import math

from torch import Tensor

from vaekit.core import Objective, Trace

from .importance import Gradient, checked, log_weights


class MIWAE(Objective):
    """The mean of ``outer`` independent importance-weighted bounds of ``inner`` draws each (Rainforth et al., 2018).

    ``inner`` sets how tight the bound is, ``outer`` how noisy its gradient. ``gradient`` is as for :class:`IWAE`. Not
    the bound for missing data of that name (Mattei and Frellsen, 2019), which is IWAE under a mask.
    """

    importance_weighted = True

    def __init__(self, outer: int = 4, inner: int = 4, gradient: Gradient = "auto"):
        super().__init__()
        if outer < 1 or inner < 1:
            raise ValueError(f"MIWAE needs outer >= 1 and inner >= 1, got {outer=} and {inner=}")
        self.outer, self.inner, self.samples = outer, inner, outer * inner
        self.gradient: Gradient = checked(gradient)

    def forward(self, trace: Trace, log_px: Tensor, progress: Tensor) -> Tensor:
        """(B,)."""
        log_w = log_weights(trace, log_px, self.gradient, self.outer)
        return log_w.logsumexp(1).mean(0) - math.log(self.inner)
