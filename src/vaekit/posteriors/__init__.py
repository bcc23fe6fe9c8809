"""Families of q(z|x)."""

from .diagonal_normal import DiagonalNormal
from .inverse_autoregressive import InverseAutoregressive

__all__ = ["DiagonalNormal", "InverseAutoregressive"]
