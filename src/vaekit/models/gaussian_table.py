"""The full-covariance normal over the rows of a table, and its copula: what every model of a table has to beat."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Self

import torch
from torch import Tensor

from vaekit.core import Support

from .full_gaussian import WIDEST, FullGaussian
from .margins import Margins


class GaussianTable(NamedTuple):
    """A :class:`FullGaussian` over the columns of a table: numbers as they are, or with ``copula`` as normal scores
    (the Gaussian copula; Hoff, 2007, by EM), categories as one-hot columns, which stand in for thresholds of normals.

        table = GaussianTable.fit(x, columns, copula=True)   # x (N, D), NaN where hidden; a Support for each column
        table.impute(x)                                      # E[number] or the likeliest category of hidden cells
        table.draw(x, seed=0)                                # hidden cells drawn from p(hidden | observed)
        table.interval(x, 0.9)                               # two quantiles of each hidden number

    ``draw`` of rows that are all NaN makes new rows.
    """

    margins: Margins
    gaussian: FullGaussian

    @classmethod
    def fit(
        cls, x: Tensor, columns: Sequence[Support] | None = None, *, copula: bool = False, shrinkage: float = 0.1
    ) -> Self:
        """For ``shrinkage`` see :meth:`FullGaussian.fit`; without ``columns`` all are numbers."""
        margins = Margins.of(x, columns, normal_scores=copula)
        return cls(margins, FullGaussian.fit(margins.forward(x), shrinkage=shrinkage))

    @staticmethod
    def suits(columns: Sequence[Support]) -> bool:
        """Whether they are few enough for a covariance."""
        return sum(column.categories or 1 for column in columns) <= WIDEST

    def impute(self, x: Tensor) -> Tensor:
        """Rows with the hidden cells filled in by their conditional mean, or the likeliest category, (N, D)."""
        return self._filled(x, self.margins.decided(self.expected(x)))

    def expected(self, x: Tensor) -> Tensor:
        """E[number], and the shares of each category's values side by side, given the observed cells, (N, E)."""
        return self.margins.expected(*self.gaussian.conditional(self.margins.forward(x)))

    def draw(self, x: Tensor, *, seed: int = 0) -> Tensor:
        """Rows with the hidden cells drawn jointly, (N, D)."""
        return self._filled(x, self.margins.inverse(self.gaussian.draw(self.margins.forward(x), seed=seed)))

    def interval(self, x: Tensor, level: float = 0.9) -> tuple[Tensor, Tensor]:
        """The central interval of that probability of each number given the observed cells, (N, D) each."""
        given = self.gaussian.conditional(self.margins.forward(x))
        low, high = (self.margins.quantile(*given, q) for q in ((1 - level) / 2, (1 + level) / 2))
        return low, high

    def log_likelihood(self, x: Tensor) -> Tensor:
        """Log-density of the observed cells as the normal sees them, (N,): of normal scores for the copula, that is
        less the columns' own densities.
        """
        return self.gaussian.log_likelihood(self.margins.forward(x))

    def _filled(self, x: Tensor, found: Tensor) -> Tensor:
        return torch.where(x.isnan(), found, x.double())
