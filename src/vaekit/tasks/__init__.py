"""Functions of a trained model, on examples in model units; models never grow methods for them."""

from .encode import encode, reconstruct
from .generate import decode, generate, interpolate, latent_grid, latent_size, sample_latents, traverse
from .score import Importance, importance

__all__ = [
    "Importance",
    "decode",
    "encode",
    "generate",
    "importance",
    "interpolate",
    "latent_grid",
    "latent_size",
    "reconstruct",
    "sample_latents",
    "traverse",
]
