"""What a conditional model is told of an item: its label, or numbers that describe it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from vaekit.data.natives import is_missing

UNKNOWN = -1  # the label of an item whose label is missing


@dataclass(frozen=True)
class Context:
    """How labels or covariates become the vector c of an item.

    ``labels``: one of the classes ``names``, given by name or position, as a one-hot vector with one more place for
    "unknown" (-1). ``covariates``:
    numbers, one for each of ``names``, standardized by ``offset`` and ``scale``, each with a flag that is 1 where the
    number is missing (NaN), which is then replaced by 0.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid", "strict": True}

    kind: Literal["labels", "covariates"]
    names: tuple[str, ...]
    offset: tuple[float, ...] = ()
    scale: tuple[float, ...] = ()

    @classmethod
    def infer(cls, y: Any, classes: tuple[str, ...] = ()) -> Context:
        """Labels where y is one whole number or text for each item, else covariates. Raises ValueError."""
        y = np.asarray(y)
        if y.dtype == object and (unknown := sum(map(is_missing, y.flat))):
            raise ValueError(f"{unknown} of {y.size} labels are missing; give whole numbers instead, -1 where unknown")
        if y.ndim == 1 and y.dtype.kind != "f":
            names = classes or tuple(str(name) for name in np.unique(y[y != UNKNOWN] if y.dtype.kind in "iu" else y))
            if len(names) < 2:
                raise ValueError(f"a model conditional on labels needs at least 2 classes, got {len(names)}")
            return cls("labels", names)
        y = (y[:, None] if y.ndim == 1 else y).astype(np.float64)
        if y.ndim != 2 or not np.isfinite(y).any(0).all():
            raise ValueError(f"covariates are numbers of shape (N, C), each known for some item; got shape {y.shape}")
        scale = np.nanstd(y, 0)
        names = tuple(f"c{i}" for i in range(y.shape[1]))
        return cls("covariates", names, tuple(np.nanmean(y, 0).tolist()), tuple(np.where(scale > 0, scale, 1).tolist()))

    @property
    def size(self) -> int:
        """How many numbers c has."""
        return len(self.names) + 1 if self.kind == "labels" else 2 * len(self.names)

    def encode(self, y: Any, n: int) -> np.ndarray:
        """The vectors of n items, float32 (n, size); y is None where nothing is known. Raises ValueError."""
        if self.kind == "covariates":
            return self._covariates(y, n)
        return np.eye(len(self.names) + 1, dtype=np.float32)[self.positions(y, n)]

    def positions(self, y: Any, n: int) -> np.ndarray:
        """The classes of n items by their positions in ``names``, -1 where unknown. Raises ValueError."""
        y = np.full(n, UNKNOWN) if y is None else np.asarray(y).reshape(-1)
        y = np.full(n, y[0]) if len(y) == 1 else y
        if len(y) != n:
            raise ValueError(f"expected one label for each of {n} items, got {len(y)}")
        distinct, rows = np.unique(y, return_inverse=True)
        return np.array([self._index(str(label)) for label in distinct], np.int64)[rows.reshape(-1)]

    def _index(self, label: str) -> int:
        """A class by its name or, where that is no name, its position; -1 if unknown."""
        if label in self.names:
            return self.names.index(label)
        if label == str(UNKNOWN) or (label.isdigit() and int(label) < len(self.names)):
            return int(label)
        raise ValueError(f"unknown label {label!r}; the model's classes are {', '.join(self.names)}")

    def _covariates(self, y: Any, n: int) -> np.ndarray:
        wide = np.full((n, len(self.names)), np.nan) if y is None else np.asarray(y, np.float64)
        wide = wide[:, None] if wide.ndim == 1 else wide
        if wide.shape != (n, len(self.names)):
            raise ValueError(f"expected {len(self.names)} covariates for each of {n} items, got shape {wide.shape}")
        missing = ~np.isfinite(wide)
        known = np.where(missing, 0, (wide - self.offset) / self.scale)
        return np.concatenate([known, missing], 1).astype(np.float32)
