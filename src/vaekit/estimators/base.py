"""What the estimators share: trained runs, which are copied and pickled on the CPU; choices; progress."""

from __future__ import annotations

import math
import multiprocessing
import warnings
from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_array

from vaekit.data import Schema, TableSchema
from vaekit.data.arrays import as_array
from vaekit.recipes import Run
from vaekit.training import PlainReporter, Reporter, choose_device, default_reporter


class Trained(BaseEstimator, ABC):
    """An estimator that holds trained runs, once it is fitted."""

    device: str
    n_features_in_: int
    feature_names_in_: np.ndarray

    @property
    @abstractmethod
    def _trained(self) -> tuple[Run, ...]:
        """The runs; none before ``fit``."""

    def _placed(self) -> tuple[Run, ...]:
        """The runs, their models on the device to compute on."""
        device = choose_device(self.device)
        for run in self._trained:
            run.model.to(device)
        return self._trained

    def _know_features(self, schema: Schema | TableSchema) -> None:
        """What scikit-learn records of X: how many numbers an example has, and of a table with names the columns'."""
        self.n_features_in_ = math.prod(schema.layout)
        if isinstance(schema, TableSchema) and schema.native != "numpy":
            self.feature_names_in_ = np.array(schema.order, dtype=object)

    def _tell(self, schema: Schema | TableSchema, x: Any) -> None:
        """Warn of the columns of a table that are left out, and of what was not obvious in reading it."""
        if isinstance(schema, TableSchema) and (remarks := schema.remarks(x)):
            warnings.warn("; ".join(remarks), stacklevel=3)

    def _chosen(self, **others: Any) -> dict[str, Any]:
        """The fields of a request that the parameters ``seed``, ``device``, ``choices`` and ``epochs`` speak of."""
        seed, choices, epochs = (getattr(self, name) for name in ("seed", "choices", "epochs"))
        given = {"seed": int(seed), "device": self.device, **others, **(choices or {})}
        return given if epochs is None else given | {"epochs": epochs}

    def __getstate__(self) -> Any:
        for run in self._trained:
            run.model.to("cpu")  # a copy can then be made, and loaded on machines without this device
        return super().__getstate__()


def dense(X: Any, *, allow_nd: bool = False) -> np.ndarray:
    """X, of numbers, as an array of at least two dimensions, as scikit-learn checks them; NaN and infinity may be in
    it. Raises ValueError or TypeError with one sentence.
    """
    has_objects = getattr(getattr(X, "dtype", None), "hasobject", False)
    x = X if has_objects else as_array(X)[0]
    if x.ndim == 1:
        raise ValueError(f"expected rows, but got shape {x.shape}. Reshape your data: x[:, None] is a column")
    dtype = "numeric" if has_objects else None
    return check_array(x, dtype=dtype, allow_nd=allow_nd, ensure_all_finite=False)  # pyright: ignore[reportArgumentType]


def make_reporter(verbose: bool | None) -> Reporter | None:
    """Progress as ``verbose`` asks; with None on terminals and in notebooks, but not in the workers of a search."""
    if verbose is False or (verbose is None and multiprocessing.parent_process() is not None):
        return None
    reporter = default_reporter()
    return None if verbose is None and isinstance(reporter, PlainReporter) else reporter
