"""Priors p(z)."""

from .flow import FlowPrior
from .standard_normal import StandardNormal
from .vamp import VampPrior

__all__ = ["FlowPrior", "StandardNormal", "VampPrior"]
