"""Priors p(z)."""

from .autoregressive import AutoregressivePrior
from .code_transformer import CodeTransformer
from .codes import UniformCodesPrior
from .conditional_normal import ConditionalNormal
from .flow import FlowPrior
from .gaussian_mixture import GaussianMixture
from .standard_normal import StandardNormal
from .vamp import VampPrior

__all__ = [
    "AutoregressivePrior",
    "CodeTransformer",
    "ConditionalNormal",
    "FlowPrior",
    "GaussianMixture",
    "StandardNormal",
    "UniformCodesPrior",
    "VampPrior",
]
