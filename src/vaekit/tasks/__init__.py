"""Functions of a trained model, on examples in model units; models never grow methods for them."""

from .encode import encode, reconstruct
from .generate import decode, generate, interpolate, latent_grid, traverse
from .score import Importance, importance

__all__ = [
    "Importance",
    "decode",
    "encode",
    "generate",
    "importance",
    "interpolate",
    "latent_grid",
    "reconstruct",
    "traverse",
]
