"""Families of p(x|z), elementwise over x."""

from .bernoulli import Bernoulli
from .discretized_logistic import DiscretizedLogistic
from .gaussian import Gaussian

__all__ = ["Bernoulli", "DiscretizedLogistic", "Gaussian"]
