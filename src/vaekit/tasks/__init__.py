"""Functions of a trained model, on examples in model units; models never grow methods for them."""

from .encode import encode, reconstruct
from .generate import decode, generate, interpolate, latent_grid, latent_size, sample_latents, traverse
from .score import Importance, importance, log_weights
from .synthesize import complete, synthesize

__all__ = [
    "Importance",
    "complete",
    "decode",
    "encode",
    "generate",
    "importance",
    "interpolate",
    "latent_grid",
    "latent_size",
    "log_weights",
    "reconstruct",
    "sample_latents",
    "synthesize",
    "traverse",
]
