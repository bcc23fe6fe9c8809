"""Whether a cell is missing, as a column of its own, so that a model can learn where cells are missing and say so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from vaekit.data.frames import Table
from vaekit.data.natives import missing_cells

if TYPE_CHECKING:
    from vaekit.data.table import TableSchema

SUFFIX = " is missing"


def mark_missing(table: Table, names: Sequence[str] | None = None) -> Table:
    """The table, and for each column with missing cells another one that says which, named ``"… is missing"``; with
    ``names`` those among them that are such marks, unless they are there.

    Raises ValueError if there is a column of that name already.
    """
    missing = {f"{name}{SUFFIX}": missing_cells(values) for name, values in table.columns.items()}
    if names is None:
        missing = {name: cells for name, cells in missing.items() if cells.any() and not cells.all()}
        if taken := [name for name in missing if name in table.columns]:
            raise ValueError(f"column {taken[0]!r} would say which cells are missing, but is there; rename it")
    else:
        missing = {name: cells for name, cells in missing.items() if name in names and name not in table.columns}
    types = dict.fromkeys(missing, "Boolean" if table.native == "polars" else "bool")
    return replace(table, columns={**table.columns, **missing}, dtypes={**table.dtypes, **types})


def unmarked(names: Sequence[str]) -> tuple[str, ...]:
    """The names without those of marks."""
    return tuple(name for name in names if not (name.endswith(SUFFIX) and name.removesuffix(SUFFIX) in names))


def blank(schema: TableSchema, x: np.ndarray) -> tuple[TableSchema, np.ndarray]:
    """Undo :func:`mark_missing` in model units (N, D): NaN where a mark says so, and schema and rows without marks."""
    x, plain = np.array(x, np.float64), unmarked(schema.columns)
    for at, name in enumerate(schema.columns):
        if name not in plain:
            x[x[:, at].round() == 1, schema.columns.index(name.removesuffix(SUFFIX))] = np.nan
    kept = [at for at, name in enumerate(schema.columns) if name in plain]
    return replace(schema, table=tuple(schema.table[at] for at in kept), order=unmarked(schema.order)), x[:, kept]
