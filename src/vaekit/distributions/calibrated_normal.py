"""The normal distribution at the deviation that fits best."""

import math

import torch
from torch import Tensor

from .scaled import Dequantized


class CalibratedNormal(Dequantized):
    """Independent normals of which all observed elements share the σ that maximizes their likelihood:
    σ² = mean (x - mean)² (Rybkin et al., 2021, Simple and Effective VAE Training with Calibrated Decoders).

    A fit to the very values that are scored, hence for training alone. Draws and mean are the given density's.
    """

    takes_mask = True

    def log_prob(self, value: Tensor, mask: Tensor | None = None) -> Tensor:
        """-½ (x - mean)² / σ² - ½ log 2πσ² + log cell, the gradient through σ included; σ is kept above 1e-4."""
        squares = (value - self.density.mean).square()
        if mask is None:
            variance = squares.mean()
        else:
            seen = mask.expand_as(squares)
            variance = torch.where(seen, squares, 0).sum() / seen.sum().clamp(min=1)
        variance = variance.clamp(min=1e-8)
        return -0.5 * (squares / variance + (2 * math.pi * variance).log()) + self.cell.log()
