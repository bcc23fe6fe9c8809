"""Bounds on log p(x), one per file; never a network."""

from .elbo import ELBO
from .iwae import IWAE

__all__ = ["ELBO", "IWAE"]
