"""Families of p(x|z), elementwise over x."""

from .bernoulli import Bernoulli
from .beta import Beta
from .categorical import Categorical
from .continuous_bernoulli import ContinuousBernoulli
from .discretized_logistic import DiscretizedLogistic
from .four_phase import FourPhase
from .gaussian import Gaussian
from .laplace import Laplace
from .log_normal import LogNormal
from .logistic_mixture import LogisticMixture
from .mixed import Mixed
from .negative_binomial import NegativeBinomial
from .poisson import Poisson
from .student_t import StudentT

__all__ = [
    "Bernoulli",
    "Beta",
    "Categorical",
    "ContinuousBernoulli",
    "DiscretizedLogistic",
    "FourPhase",
    "Gaussian",
    "Laplace",
    "LogNormal",
    "LogisticMixture",
    "Mixed",
    "NegativeBinomial",
    "Poisson",
    "StudentT",
]
