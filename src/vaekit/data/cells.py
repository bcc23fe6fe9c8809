"""Single cells of a table: hidden, and filled in, all others untouched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from vaekit.data.columns import Column
from vaekit.data.frames import Table
from vaekit.data.natives import missing_cells


def hide_cells(table: Table, names: Sequence[str], hidden: np.ndarray) -> Table:
    """The table with the cells ``hidden`` (N, D) of the D named columns missing."""
    columns = dict(table.columns)
    for name, cells in zip(names, hidden.T, strict=True):
        if cells.any():
            columns[name] = _open(columns[name])
            columns[name][cells] = _nothing(columns[name])
    return replace(table, columns=columns)


def fill_cells(table: Table, columns: Sequence[Column], x: np.ndarray) -> Table:
    """The table with its missing cells in the given columns taken from ``x`` (N, D), in model units; all others are as
    they were, to the bit.
    """
    found = dict(table.columns)
    for column, cells in zip(columns, x.T, strict=True):
        missing = missing_cells(found[column.name])
        if missing.any():
            values = found[column.name].copy()
            values[missing] = column.decode(cells[missing]).astype(values.dtype)
            found[column.name] = values
    return replace(table, columns=found)


def _open(values: np.ndarray) -> np.ndarray:
    """Of a type that can say that a cell is missing."""
    kinds = {"i": np.float64, "u": np.float64, "b": object, "U": object, "S": object}
    return values.astype(kinds.get(values.dtype.kind, values.dtype))


def _nothing(values: np.ndarray) -> object:
    kinds = {"M": np.datetime64("NaT"), "m": np.timedelta64("NaT"), "O": None}
    return kinds.get(values.dtype.kind, np.nan)
