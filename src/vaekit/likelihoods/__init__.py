"""Families of p(x|z), elementwise over x."""

from .autoregressive import Autoregressive
from .bernoulli import Bernoulli
from .beta import Beta
from .categorical import Categorical
from .category_columns import CategoryColumns
from .continuous_bernoulli import ContinuousBernoulli
from .discretized import Discretized
from .discretized_logistic import DiscretizedLogistic
from .four_phase import FourPhase
from .gaussian import Gaussian
from .histogram import Histogram
from .laplace import Laplace
from .log_normal import LogNormal
from .logistic_mixture import LogisticMixture
from .mixed import Mixed
from .negative_binomial import NegativeBinomial
from .poisson import Poisson
from .student_t import StudentT

__all__ = [
    "Autoregressive",
    "Bernoulli",
    "Beta",
    "Categorical",
    "CategoryColumns",
    "ContinuousBernoulli",
    "Discretized",
    "DiscretizedLogistic",
    "FourPhase",
    "Gaussian",
    "Histogram",
    "Laplace",
    "LogNormal",
    "LogisticMixture",
    "Mixed",
    "NegativeBinomial",
    "Poisson",
    "StudentT",
]
