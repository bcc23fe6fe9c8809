"""The evidence lower bound."""

import torch
from torch import Tensor

from vaekit.core import Latent, Objective, Trace

from .annealing import ramp


class ELBO(Objective):
    """E_q[log p(x|z)] - β KL(q(z|x) || p(z)), averaged over ``samples`` draws.

    At β = 1 a lower bound on log p(x) (Kingma and Welling, 2014); other β are β-VAE's (Higgins et al., 2017). β
    multiplies the KL in nats of the whole example, whatever its size. With ``warmup`` it rises linearly from 0 over
    that fraction of the training steps (Sønderby et al., 2016), with ``cycles`` over that fraction of each of so many
    equal parts of the training (Fu et al., 2019).

    ``free_bits`` is λ nats that each latent dimension, or each channel of a map, may hold at no cost: its KL, averaged
    over the batch, counts as at least λ, and is left alone below (Kingma et al., 2016). A layer whose KL does not split
    has the λ of all its dimensions together. This couples the examples of a batch.
    """

    def __init__(
        self, beta: float = 1.0, warmup: float = 0.0, cycles: int = 1, free_bits: float = 0.0, samples: int = 1
    ):
        super().__init__()
        if beta < 0 or not 0 <= warmup <= 1 or free_bits < 0 or samples < 1:
            raise ValueError(
                "ELBO needs beta >= 0, warmup in [0, 1], free_bits >= 0 and samples >= 1; "
                f"got {beta=}, {warmup=}, {free_bits=}, {samples=}"
            )
        if cycles < 1 or (cycles > 1 and warmup == 0):
            raise ValueError(
                f"ELBO needs cycles >= 1, and warmup above 0 with several (0.5 is usual); got {cycles=}, {warmup=}"
            )
        self.beta, self.warmup, self.cycles, self.free_bits, self.samples = beta, warmup, cycles, free_bits, samples
        self.couples_batch = free_bits > 0

    def forward(self, trace: Trace, log_px: Tensor, progress: Tensor) -> Tensor:
        """(B,)."""
        kl = sum([_free(latent, self.free_bits) for latent in trace.latents]) if self.free_bits else trace.kl()
        return (log_px - self.beta * ramp(progress, self.warmup, self.cycles) * kl).mean(0)


def _free(latent: Latent, free: float) -> Tensor:
    """(K, B): the layer's KL, where dimensions with a mean below the free nats count as constants."""
    try:
        each = latent.q.kl_each(latent.p).expand(latent.z.shape)
        each = each.reshape(*each.shape[:3], -1).sum(-1)
    except TypeError:
        each, free = latent.kl.unsqueeze(-1), free * latent.z.shape[2]
    return torch.where(each.mean((0, 1)) > free, each, free).sum(-1)
