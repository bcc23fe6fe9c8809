"""The scikit-learn face: estimators over recipes, tasks and evaluation."""

from .vae import VAE, load

__all__ = ["VAE", "load"]
