"""Densities that torch lacks, or computes in more steps than needed."""

from .diagonal_normal import DiagonalNormal
from .discretized_logistic import DiscretizedLogistic
from .flow import Flow
from .logistic_mixture import LogisticMixture
from .normal_mixture import NormalMixture
from .scaled import Dequantized

__all__ = ["Dequantized", "DiagonalNormal", "DiscretizedLogistic", "Flow", "LogisticMixture", "NormalMixture"]
