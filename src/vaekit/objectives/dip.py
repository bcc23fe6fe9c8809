"""The bound with the covariance of the codes led to the identity."""

from typing import Literal, get_args

import torch
from torch import Tensor
from torch.distributions import Distribution

from vaekit.core import Objective, Trace

from .layers import only_layer

Variant = Literal["i", "ii"]


class DIP(Objective):
    """The ELBO less λ_o Σ_{i≠j} C_ij² + λ_d Σ_i (C_ii - 1)², C a covariance over the batch (Kumar et al., 2018).

    ``variant`` ``"i"`` takes C of the posteriors' means, ``"ii"`` of the aggregate posterior, which adds the mean of
    their variances to the diagonal: DIP-VAE-I and -II. ``off_diagonal`` is λ_o, ``diagonal`` λ_d, in nats per example.
    Couples the examples of a batch. Needs one layer of latents, and for ``"ii"`` independent ones whose standard
    deviations are known.
    """

    couples_batch = True

    def __init__(self, variant: Variant = "ii", off_diagonal: float = 10.0, diagonal: float = 10.0, samples: int = 1):
        super().__init__()
        if variant not in get_args(Variant) or off_diagonal < 0 or diagonal < 0 or samples < 1:
            raise ValueError(
                "DIP needs variant 'i' or 'ii', off_diagonal >= 0, diagonal >= 0 and samples >= 1; "
                f"got {variant=}, {off_diagonal=}, {diagonal=}, {samples=}"
            )
        self.variant, self.off_diagonal, self.diagonal, self.samples = variant, off_diagonal, diagonal, samples

    def forward(self, trace: Trace, log_px: Tensor, progress: Tensor) -> Tensor:
        """(B,)."""
        q = only_layer(trace, "dip").q
        covariance = _covariance(q.mean.flatten(1))
        if self.variant == "ii":
            covariance = covariance + _variances(q).mean(0).diag()
        return (log_px - trace.kl()).mean(0) - self.penalty(covariance)

    def penalty(self, covariance: Tensor) -> Tensor:
        """λ_o Σ_{i≠j} C_ij² + λ_d Σ_i (C_ii - 1)² for C (D, D), 0 for the identity."""
        diagonal = covariance.diagonal()
        off_diagonal = covariance.square().sum() - diagonal.square().sum()
        return self.off_diagonal * off_diagonal + self.diagonal * (diagonal - 1).square().sum()


def _covariance(rows: Tensor) -> Tensor:
    """(D, D) of rows (B, D), in float32 whatever the networks run in."""
    centered = rows - rows.mean(0)
    with torch.autocast(rows.device.type, enabled=False):
        return centered.mT @ centered / len(rows)


def _variances(q: Distribution) -> Tensor:
    """(B, D)."""
    try:
        return q.stddev.square().flatten(1)
    except NotImplementedError:
        raise TypeError(f"{type(q).__name__} does not know its standard deviations; use variant 'i'") from None
