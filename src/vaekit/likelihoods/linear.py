"""Likelihoods that can stand in for the Gaussian noise of a linear model."""

from abc import ABC, abstractmethod

from torch import Tensor


class Linear(ABC):
    """A likelihood whose parameters can be an affine map of the latents of a linear-Gaussian model y = W z + μ + ε."""

    @abstractmethod
    def responses(self, x: Tensor) -> Tensor:
        """The values y (B, E) that the linear model is fitted to, for rows x (B, D); NaN for hidden cells."""

    @abstractmethod
    def begin(self, weight: Tensor, mean: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
        """Weights (P, L) and biases (P,) from z to φ, flat, that come nearest to W (E, L), μ (E,) and ε's variance
        (E,); what is no output of the network is set.
        """

    def least(self, y: Tensor) -> Tensor:
        """The smallest variance that ε may have, (E,), in the form of y (B, E)."""
        return y.new_zeros(y.shape[1])
