"""The importance-weighted bound."""

import math
from typing import Literal, get_args

from torch import Tensor

from vaekit.core import Objective, Posterior, Trace

Gradient = Literal["auto", "doubly", "plain"]


class IWAE(Objective):
    """log 1/K Σ_k w_k with w_k = p(x, z_k) / q(z_k|x), z_k ~ q: between the ELBO (K = 1) and log p(x) (Burda et al., 2016).

    ``gradient`` chooses the estimator for the encoder; the bound's value and every other gradient are the same.

    - ``"plain"`` differentiates the bound as it stands. Its signal-to-noise ratio falls with K (Rainforth et al., 2018).
    - ``"doubly"`` is doubly reparameterized (DReG, Tucker et al., 2019): Σ_k v_k² ∂log w_k/∂z_k ∂z_k/∂φ, where
      v_k = w_k / Σ w, equal in expectation and of lower variance. A prior that is built from the encoder keeps its
      gradient. It needs a single layer of latents whose posterior can be scored with detached parameters.
    - ``"auto"`` is doubly where that is possible and K > 1, else plain.
    """

    def __init__(self, samples: int = 8, gradient: Gradient = "auto"):
        super().__init__()
        if samples < 1:
            raise ValueError(f"IWAE needs samples >= 1, got {samples}")
        if gradient not in get_args(Gradient):
            raise ValueError(f"IWAE's gradient is one of {', '.join(get_args(Gradient))}; got {gradient!r}")
        self.samples, self.gradient = samples, gradient

    def forward(self, trace: Trace, log_px: Tensor, progress: Tensor) -> Tensor:
        """(B,)."""
        return self.log_weights(trace, log_px).logsumexp(0) - math.log(self.samples)

    def log_weights(self, trace: Trace, log_px: Tensor) -> Tensor:
        """log w (K, B), prepared for the chosen gradient of their log-mean over the K draws."""
        q = self._detached(trace)
        if q is None:
            return log_px + trace.log_ratio()
        (latent,) = trace.latents
        log_w = log_px + latent.log_p - q.log_prob(latent.z)
        if latent.z.requires_grad:
            share = log_w.detach().softmax(0)
            share = share.view(*share.shape, *[1] * (latent.z.dim() - 2))
            latent.z.register_hook(lambda gradient: gradient * share)
        return log_w

    def _detached(self, trace: Trace) -> Posterior | None:
        """The posterior with constant parameters, None where the plain gradient is taken."""
        if self.gradient == "plain" or (self.gradient == "auto" and (self.samples == 1 or len(trace.latents) > 1)):
            return None
        if len(trace.latents) > 1:
            raise ValueError(
                f"gradient 'doubly' needs a model with one layer of latents, got {len(trace.latents)}; use gradient 'plain'"
            )
        try:
            return trace.latents[0].q.detached()
        except TypeError as error:
            if self.gradient == "auto":
                return None
            raise ValueError(f"gradient 'doubly' is not possible: {error}; use gradient 'plain'") from error
