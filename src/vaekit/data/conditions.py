"""Conditions on the columns of a table, as the cells that are then fixed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from vaekit.data.columns import Column
from vaekit.data.missing import SUFFIX
from vaekit.data.schemafile import near
from vaekit.data.table import TableSchema


def fixed_cells(schema: TableSchema, where: Mapping[str, Any]) -> np.ndarray:
    """A row in model units, float32 (D,), with the values of ``where`` by column name and NaN elsewhere.

    Categories are matched as they are, else without spaces around them, numbers as texts are read; None, or an empty
    text where that is no category, stands for a missing cell. Raises ValueError for columns and values that the
    training data do not have.
    """
    cells = np.full(len(schema.table), math.nan, np.float32)
    for name, value in where.items():
        if name not in schema.columns:
            raise ValueError(f"no column {name!r}{_hint(name, schema.columns)}")
        mark, at = f"{name}{SUFFIX}", schema.columns.index(name)
        if value is None or (value == "" and "" not in schema.table[at].values):
            if mark not in schema.columns:
                raise ValueError(f"column {name!r} has no missing cells in the training data, so none can be asked for")
            cells[schema.columns.index(mark)] = 1.0
            continue
        cells[at] = _encoded(schema.table[at], value)
        if mark in schema.columns:
            cells[schema.columns.index(mark)] = 0.0
    return cells


def _encoded(column: Column, value: Any) -> float:
    if column.is_category:
        texts = [str(known) for known in column.values]
        for wanted, known in ((str(value), texts), (str(value).strip(), [text.strip() for text in texts])):
            if wanted in known:
                return float(known.index(wanted))
        raise ValueError(f"column {column.name!r} has no value {str(value)!r}{_hint(str(value), texts)}")
    try:
        raw = np.array([value], "datetime64[us]") if column.kind == "datetime" else np.array([float(value)])
    except (TypeError, ValueError) as error:
        raise ValueError(f"column {column.name!r} holds numbers, got {value!r}") from error
    encoded = column.encode(raw)
    again = column.encode(column.decode(encoded))
    if not np.allclose(again, encoded, atol=1e-6 + 0.01 * (column.step or 0.0) / column.scale):
        step = "" if column.step is None else f" in steps of {column.step:g}"
        raise ValueError(f"column {column.name!r} runs from {column.low:g} to {column.high:g}{step}, got {value!r}")
    return float(again[0])


def _hint(name: str, valid: Sequence[str]) -> str:
    return near(name, valid) or f"; there are {', '.join(map(repr, valid[:20]))}"
