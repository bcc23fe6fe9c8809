"""The importance-weighted bound."""

import math

from torch import Tensor

from vaekit.core import Objective, Trace


class IWAE(Objective):
    """log 1/K Σ_k p(x, z_k) / q(z_k|x), z_k ~ q (Burda et al., 2016): between the ELBO (K = 1) and log p(x)."""

    def __init__(self, samples: int = 8):
        super().__init__()
        if samples < 1:
            raise ValueError(f"IWAE needs samples >= 1, got {samples}")
        self.samples = samples

    def forward(self, trace: Trace, log_px: Tensor, progress: Tensor) -> Tensor:
        """(B,)."""
        return (log_px + trace.log_ratio()).logsumexp(0) - math.log(self.samples)
