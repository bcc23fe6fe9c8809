"""Missing cells of a table filled in, as a scikit-learn transformer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from sklearn.base import TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted, validate_data

from vaekit.data import Table
from vaekit.data.natives import missing_cells
from vaekit.recipes import Run
from vaekit.recipes.imputation import Completed, Imputer, impute_table, train_imputer

from .base import Trained, dense, make_reporter

INDICATOR = "missingindicator_"


class VAEImputer(TransformerMixin, Trained):
    """Fills in missing cells by what an ensemble expects of them, given the observed cells: a few small variational
    autoencoders, a full-covariance Gaussian and a Gaussian copula. Cells that are hidden from each decide how much
    each counts.

    ``X`` is an array (N, D), a data frame, or the path of a CSV or Parquet file: numbers, categories and dates. A
    missing number becomes its conditional mean, a missing category the likeliest one, and observed cells stay as they
    are, to the bit. Cells are supposed to be missing at random: whether one is missing may depend on what is observed
    in its row, but not on what is missing. The errors of all models on the hidden cells are in ``errors_``.

    Parameters
    ----------
    missing_values : float, int or str, default=np.nan
        What stands for a missing cell, besides NaN, None and NaT.
    members : int, default=None
        VAEs that are averaged; each is fitted to other cells. None chooses: four, of 1,000 to 10,000 rows two.
    samples : int, default=32
        Importance samples for each row and model.
    level : float, default=0.9
        Probability of the intervals.
    sample_posterior : bool, default=False
        Fill in draws from p(missing | observed) instead of expectations, as multiple imputation needs.
    add_indicator : bool, default=False
        Append a column for each with missing cells in ``fit``, that says where they were.
    keep_empty_features : bool, default=False
        Keep columns without any value in ``fit``, filled with 0, rather than leave them out.
    choices : mapping, default=None
        Choices of the training that differ from those of the preset ``imputation``: the parameters of
        :class:`vaekit.VAE`.
    epochs : int, default=None
        Passes over the training rows; None chooses.
    seed : int, default=0
        Seed of everything random.
    device : str, default="auto"
        Where everything is computed: auto, cpu, cuda, cuda:N or mps.
    verbose : bool, default=None
        Progress of training: True shows it, False does not, None shows it on terminals and in notebooks only.

    Attributes
    ----------
    errors_ : dict of str to Errors
        Errors on cells that were hidden for the purpose, of the ``"ensemble"`` and of its parts ``"vae"``,
        ``"gaussian EM"`` and ``"copula EM"``.
    imputer_ : Imputer
        The trained models, and what calibrates their intervals.
    n_features_in_ : int
        Columns of X.
    feature_names_in_ : ndarray of str
        Their names, where X is a data frame.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_wine
    >>> from vaekit import VAEImputer
    >>> x = load_wine().data
    >>> x[0, 0] = np.nan
    >>> VAEImputer(members=1, epochs=2, verbose=False).fit_transform(x).shape
    (178, 13)
    """

    def __init__(
        self,
        *,
        missing_values: Any = np.nan,
        members: int | None = None,
        samples: int = 32,
        level: float = 0.9,
        sample_posterior: bool = False,
        add_indicator: bool = False,
        keep_empty_features: bool = False,
        choices: Mapping[str, Any] | None = None,
        epochs: int | None = None,
        seed: int = 0,
        device: str = "auto",
        verbose: bool | None = None,
    ):
        self.missing_values = missing_values
        self.members = members
        self.samples = samples
        self.level = level
        self.sample_posterior = sample_posterior
        self.add_indicator = add_indicator
        self.keep_empty_features = keep_empty_features
        self.choices = choices
        self.epochs = epochs
        self.seed = seed
        self.device = device
        self.verbose = verbose

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn from the observed cells of X; y is ignored. Raises ValueError or TypeError with one sentence."""
        table = self._table(X, reset=True)
        given, reporter = self._chosen(), make_reporter(self.verbose)
        self.imputer_: Imputer = train_imputer(table, given, members=self.members, level=self.level, reporter=reporter)
        self.errors_, self._names = self.imputer_.errors, tuple(table.columns)
        self._tell(self.imputer_.schema, table)
        self.n_features_in_ = len(table.columns)
        missing = {name: missing_cells(values) for name, values in table.columns.items()}
        self._empty = tuple(name for name, cells in missing.items() if cells.all())
        self._gaps = tuple(name for name, cells in missing.items() if cells.any())
        return self

    def transform(self, X: Any) -> Any:
        """X with its missing cells filled in: an array, or a data frame of the library that X came in."""
        table = self._table(X)
        found = self._completed(table, draws=int(self.sample_posterior))
        return self._shown(found.draws[0] if self.sample_posterior else found.table, table)

    def draw(self, X: Any, n_draws: int = 5) -> list[Any]:
        """Complete tables whose missing cells are drawn jointly from p(missing | observed), for multiple imputation
        (Rubin, 1987).
        """
        table = self._table(X)
        return [self._shown(drawn, table) for drawn in self._completed(table, draws=n_draws).draws]

    def intervals(self, X: Any) -> tuple[Any, Any]:
        """Both ends of each cell's interval of probability ``level``, the cell itself where it is observed.

        They hold at that rate for cells that are missing like those hidden for the purpose, at random.
        """
        table = self._table(X)
        found = self._completed(table, intervals=True)
        return self._shown(found.low, table), self._shown(found.high, table)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """The names of the columns of ``transform``."""
        check_is_fitted(self, "imputer_")
        names = [name for name in self._names if self._is_kept(name)]
        marks = [f"{INDICATOR}{name}" for name in self._gaps if self.add_indicator]
        return np.array([*names, *marks], dtype=object)

    def _is_kept(self, name: str) -> bool:
        return self.keep_empty_features or name not in self._empty

    def _completed(self, table: Table, draws: int = 0, *, intervals: bool = False) -> Completed:
        check_is_fitted(self, "imputer_")
        self._placed()
        seed, samples = int(self.seed), self.samples
        return impute_table(self.imputer_, table, draws=draws, samples=samples, intervals=intervals, seed=seed)

    def _shown(self, found: Table, raw: Table) -> Any:
        """The columns that are kept, and the indicators."""
        columns = {name: values for name, values in found.columns.items() if self._is_kept(name)}
        columns |= {name: np.zeros(len(found)) for name in self._empty if self.keep_empty_features}
        dtypes = {**found.dtypes}
        if self.add_indicator:
            for name in self._gaps:
                columns[f"{INDICATOR}{name}"] = missing_cells(raw.columns[name])
                dtypes[f"{INDICATOR}{name}"] = "Boolean" if found.native == "polars" else "bool"
        return replace(found, columns=columns, dtypes=dtypes).write()

    def _table(self, X: Any, *, reset: bool = False) -> Table:
        if not reset:
            check_is_fitted(self, "imputer_")
        table = Table.read(X if Table.suits(X) else dense(X))
        if not isinstance(X, Table | str | Path):
            validate_data(self, X, reset=reset, skip_check_array=True)
        if self.missing_values is None or self.missing_values != self.missing_values:
            return table
        return replace(table, columns={name: self._marked(values) for name, values in table.columns.items()})

    def _marked(self, values: np.ndarray) -> np.ndarray:
        """The column with NaN or None in place of ``missing_values``."""
        cells = values == self.missing_values
        if not np.any(cells):
            return values
        if values.dtype.kind in "iufb":
            return np.where(cells, np.nan, values.astype(np.float64))
        found = values.astype(object)
        found[cells] = None
        return found

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = tags.input_tags.string = tags.input_tags.categorical = True
        return tags

    @property
    def _trained(self) -> tuple[Run, ...]:
        return self.imputer_.runs if hasattr(self, "imputer_") else ()
