"""Densities that torch lacks, or computes in more steps than needed."""

from .diagonal_normal import DiagonalNormal
from .discretized_logistic import DiscretizedLogistic
from .scaled import Dequantized

__all__ = ["Dequantized", "DiagonalNormal", "DiscretizedLogistic"]
