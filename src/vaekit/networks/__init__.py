"""Network factories: shapes only, never a density; torch alone."""

from .base import Network
from .convolutional import Convolutional
from .gated_mlp import GatedMLP
from .linear_residual import LinearResidual
from .mlp import MLP
from .residual import Residual

__all__ = ["MLP", "Convolutional", "GatedMLP", "LinearResidual", "Network", "Residual"]
