"""The importance-weighted bound."""

import math

from torch import Tensor

from vaekit.core import Objective, Trace

from .importance import Gradient, checked, log_weights


class IWAE(Objective):
    """log 1/K Σ_k p(x, z_k) / q(z_k|x), z_k ~ q (Burda et al., 2016): between the ELBO (K = 1) and log p(x).

    ``gradient`` chooses the estimator for the encoder, equal in expectation: ``"plain"`` differentiates the bound as it
    stands, a signal that drowns in noise as K grows (Rainforth et al., 2018); ``"doubly"`` is DReG (Tucker et al.,
    2019), which does not, and needs one layer of latents; ``"auto"`` is doubly where that is possible and K > 1.
    """

    importance_weighted = True

    def __init__(self, samples: int = 8, gradient: Gradient = "auto"):
        super().__init__()
        if samples < 1:
            raise ValueError(f"IWAE needs samples >= 1, got {samples}")
        self.samples = samples
        self.gradient: Gradient = checked(gradient)

    def forward(self, trace: Trace, log_px: Tensor, progress: Tensor) -> Tensor:
        """(B,)."""
        return log_weights(trace, log_px, self.gradient)[0].logsumexp(0) - math.log(self.samples)
