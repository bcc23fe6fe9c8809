"""The scikit-learn face: estimators over recipes, tasks and evaluation."""

from .detector import VAEDetector
from .imputer import VAEImputer
from .pyod import PyODDetector
from .synthesizer import VAESynthesizer
from .vae import VAE, load

__all__ = ["VAE", "PyODDetector", "VAEDetector", "VAEImputer", "VAESynthesizer", "load"]
