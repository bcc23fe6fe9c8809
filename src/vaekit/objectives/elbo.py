"""The evidence lower bound."""

from torch import Tensor

from vaekit.core import Objective, Trace


class ELBO(Objective):
    """E_q[log p(x|z)] - β KL(q(z|x) || p(z)), averaged over ``samples`` draws.

    At β = 1 a lower bound on log p(x) (Kingma and Welling, 2014); other β are β-VAE's (Higgins et al., 2017). β
    multiplies the KL in nats of the whole example, whatever its size. With ``warmup`` it rises linearly from 0 over
    that fraction of the training steps (Sønderby et al., 2016).
    """

    def __init__(self, beta: float = 1.0, warmup: float = 0.0, samples: int = 1):
        super().__init__()
        if beta < 0 or not 0 <= warmup <= 1 or samples < 1:
            raise ValueError(
                f"ELBO needs beta >= 0, warmup in [0, 1] and samples >= 1; got {beta=}, {warmup=}, {samples=}"
            )
        self.beta, self.warmup, self.samples = beta, warmup, samples

    def forward(self, trace: Trace, log_px: Tensor, progress: Tensor) -> Tensor:
        """(B,)."""
        weight = self.beta * (progress / self.warmup).clamp(max=1) if self.warmup else self.beta
        return (log_px - weight * trace.kl()).mean(0)
