"""Families of p(x|z), elementwise over x."""

from .bernoulli import Bernoulli
from .discretized_logistic import DiscretizedLogistic
from .four_phase import FourPhase
from .gaussian import Gaussian
from .logistic_mixture import LogisticMixture

__all__ = ["Bernoulli", "DiscretizedLogistic", "FourPhase", "Gaussian", "LogisticMixture"]
