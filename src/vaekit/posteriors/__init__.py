"""Families of q(z|x)."""

from .diagonal_normal import DiagonalNormal

__all__ = ["DiagonalNormal"]
