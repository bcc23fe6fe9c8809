"""Contract tests for the nouns: what every member must do, checked on small shapes, for this package's and for yours.

Each function takes a member as its constructor leaves it, works on a copy, leaves torch's random state alone, and
raises AssertionError with a sentence where a promise is broken. Statistical checks have fixed seeds and bounds of five
standard errors.
"""

from .latents import check_posterior, check_prior
from .likelihoods import check_likelihood
from .models import check_model, check_network, check_objective, check_round_trip, check_schedule

__all__ = [
    "check_likelihood",
    "check_model",
    "check_network",
    "check_objective",
    "check_posterior",
    "check_prior",
    "check_round_trip",
    "check_schedule",
]
