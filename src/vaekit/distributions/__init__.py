"""Densities that torch lacks, or computes in more steps than needed."""

from .affine import Affine
from .calibrated_normal import CalibratedNormal
from .columns import Categories, MixedColumns
from .continuous_bernoulli import ContinuousBernoulli
from .diagonal_normal import DiagonalNormal
from .discretized import Discretized
from .discretized_logistic import DiscretizedLogistic
from .flow import Flow
from .histogram import Bins, Histogram
from .logistic_mixture import LogisticMixture
from .normal import Normal
from .normal_mixture import NormalMixture, OtherComponents
from .on_grid import Levels, OnGrid
from .scaled import Dequantized

__all__ = [
    "Affine",
    "Bins",
    "CalibratedNormal",
    "Categories",
    "ContinuousBernoulli",
    "Dequantized",
    "DiagonalNormal",
    "Discretized",
    "DiscretizedLogistic",
    "Flow",
    "Histogram",
    "Levels",
    "LogisticMixture",
    "MixedColumns",
    "Normal",
    "NormalMixture",
    "OnGrid",
    "OtherComponents",
]
