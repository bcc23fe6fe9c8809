"""How latents chain."""

from .full_gaussian import FullGaussian
from .gaussian_copula import GaussianCopula
from .gaussian_table import GaussianTable
from .ladder import LadderVAE
from .linear_gaussian import LinearGaussian
from .one_layer import OneLayerVAE

__all__ = ["FullGaussian", "GaussianCopula", "GaussianTable", "LadderVAE", "LinearGaussian", "OneLayerVAE"]
