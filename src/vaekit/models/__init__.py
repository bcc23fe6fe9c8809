"""How latents chain."""

from .ladder import LadderVAE
from .linear_gaussian import LinearGaussian
from .one_layer import OneLayerVAE

__all__ = ["LadderVAE", "LinearGaussian", "OneLayerVAE"]
