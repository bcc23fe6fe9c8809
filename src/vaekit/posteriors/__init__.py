"""Families of q(z|x)."""

from .diagonal_normal import DiagonalNormal
from .finite_scalar_quantized import FiniteScalarQuantized
from .flow import FlowPosterior
from .inverse_autoregressive import InverseAutoregressive
from .low_rank import LowRankNormal
from .point_mass import PointMass
from .relaxed_categorical import RelaxedCategorical
from .vector_quantized import VectorQuantized

__all__ = [
    "DiagonalNormal",
    "FiniteScalarQuantized",
    "FlowPosterior",
    "InverseAutoregressive",
    "LowRankNormal",
    "PointMass",
    "RelaxedCategorical",
    "VectorQuantized",
]
