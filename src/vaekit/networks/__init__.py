"""Network factories: shapes only, never a density; torch alone."""

from .base import Network
from .convolutional import Convolutional
from .mlp import MLP

__all__ = ["MLP", "Convolutional", "Network"]
