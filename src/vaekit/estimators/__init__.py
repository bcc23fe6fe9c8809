"""The scikit-learn face: estimators over recipes, tasks and evaluation."""

from .detector import VAEDetector
from .pyod import PyODDetector
from .imputer import VAEImputer
from .synthesizer import VAESynthesizer
from .vae import VAE, load

__all__ = ["VAE", "PyODDetector", "VAEDetector", "VAEImputer", "VAESynthesizer", "load"]
