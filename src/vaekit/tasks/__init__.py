"""Functions of a trained model, on examples in model units; models never grow methods for them."""

from .detect import Causes, Expectation, Surprise, added, causes, complexity, expected, p_values, surprise, threshold
from .encode import encode, reconstruct
from .generate import decode, generate, interpolate, latent_grid, latent_size, sample_latents, traverse
from .impute import Imputation, impute
from .score import Importance, importance, log_weights
from .synthesize import complete, synthesize

__all__ = [
    "Causes",
    "Expectation",
    "Importance",
    "Imputation",
    "Surprise",
    "added",
    "causes",
    "complete",
    "complexity",
    "decode",
    "encode",
    "expected",
    "generate",
    "importance",
    "impute",
    "interpolate",
    "latent_grid",
    "latent_size",
    "log_weights",
    "p_values",
    "reconstruct",
    "sample_latents",
    "surprise",
    "synthesize",
    "threshold",
    "traverse",
]
