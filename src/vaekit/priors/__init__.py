"""Priors p(z)."""

from .standard_normal import StandardNormal

__all__ = ["StandardNormal"]
