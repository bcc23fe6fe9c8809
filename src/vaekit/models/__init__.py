"""How latents chain."""

from .one_layer import OneLayerVAE

__all__ = ["OneLayerVAE"]
