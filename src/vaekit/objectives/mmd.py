"""The bound with the maximum mean discrepancy between aggregate posterior and prior."""

from typing import Literal, get_args

import torch
from torch import Tensor

from vaekit.core import Objective, Trace

from .layers import only_layer

Kernel = Literal["imq", "rbf"]


class MMD(Objective):
    """log p(x|z) - β KL(q(z|x) || p(z)) - w MMD²(q(z), p(z)): InfoVAE (Zhao et al., 2019), β = 1 - α, w = α + λ - 1.

    With a point mass as the posterior, WAE-MMD (Tolstikhin et al., 2018). The discrepancy is the unbiased estimate
    (Gretton et al., 2012) from the batch's draws and as many of the prior; only the KL teaches the prior. The
    ``kernel`` of two points at distance r is at most 1, the mean over ``scales`` s of 1 / (1 + r² / C), inverse
    multiquadratic, or of exp(-r² / C), with C = 2 s times the number of latent dimensions: at s = 1 the mean r² of two
    draws from N(0, I). Couples the examples of a batch. Needs one layer of latents.
    """

    couples_batch = True

    def __init__(
        self,
        beta: float = 1.0,
        weight: float = 1000.0,
        kernel: Kernel = "imq",
        scales: tuple[float, ...] = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0),
        samples: int = 1,
    ):
        super().__init__()
        if beta < 0 or weight < 0 or not scales or min(scales) <= 0 or samples < 1:
            raise ValueError(
                "MMD needs beta >= 0, weight >= 0, scales above 0 and samples >= 1; "
                f"got {beta=}, {weight=}, {scales=}, {samples=}"
            )
        if kernel not in get_args(Kernel):
            raise ValueError(f"MMD's kernel is 'imq' or 'rbf', got {kernel!r}")
        self.beta, self.weight, self.kernel, self.scales, self.samples = beta, weight, kernel, tuple(scales), samples

    def forward(self, trace: Trace, log_px: Tensor, progress: Tensor) -> Tensor:
        """(B,)."""
        latent = only_layer(trace, "mmd")
        prior = latent.p.sample(latent.z.shape[: 2 - len(latent.p.batch_shape)])
        value = log_px - self.weight * self.discrepancy(latent.z.flatten(2), prior.flatten(2))
        if self.beta:
            value = value - self.beta * trace.kl()
        return value.mean(0)

    def discrepancy(self, a: Tensor, b: Tensor) -> Tensor:
        """For each a its share of MMD², (..., B), from draws a and b (..., B, D); the mean over B is the estimate.

        The estimate is the mean of k(a, a') + k(b, b') - k(a, b') - k(a', b) over pairs of different rows: 0 for equal
        draws, and below 0 by chance.
        """
        across = self.similarity(a, b)
        pairs = self.similarity(a, a) + self.similarity(b, b) - across - across.mT
        return (pairs.sum(-1) - pairs.diagonal(dim1=-2, dim2=-1)) / max(a.shape[-2] - 1, 1)

    def similarity(self, a: Tensor, b: Tensor) -> Tensor:
        """The kernel of all pairs of a (..., M, D) and b (..., N, D): (..., M, N)."""
        with torch.autocast(a.device.type, enabled=False):
            lengths = a.square().sum(-1).unsqueeze(-1) + b.square().sum(-1).unsqueeze(-2)
            squared = (lengths - 2 * a @ b.mT).clamp(min=0) / (2 * a.shape[-1])
        each = [1 / (1 + squared / s) if self.kernel == "imq" else (squared / -s).exp() for s in self.scales]
        return torch.stack(each).mean(0)
