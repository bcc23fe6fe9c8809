"""Bounds on log p(x) and what is trained in their place, one per file; never a network."""

from .capacity import Capacity
from .dip import DIP
from .elbo import ELBO
from .iwae import IWAE
from .miwae import MIWAE
from .mmd import MMD
from .total_correlation import TotalCorrelation

__all__ = ["DIP", "ELBO", "IWAE", "MIWAE", "MMD", "Capacity", "TotalCorrelation"]
