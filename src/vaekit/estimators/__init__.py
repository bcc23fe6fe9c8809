"""The scikit-learn face: estimators over recipes, tasks and evaluation."""

from .synthesizer import VAESynthesizer
from .vae import VAE, load

__all__ = ["VAE", "VAESynthesizer", "load"]
