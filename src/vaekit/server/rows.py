"""Items as requests and answers have them: arrays of numbers, or of tables an object for each row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from vaekit.data import Schema, Table, TableSchema
from vaekit.data.natives import from_objects, is_missing
from vaekit.data.pictures import item_from_file

from .bodies import numbers


def items_of(schema: Schema | TableSchema, x: Any) -> Table | np.ndarray:
    """What a request gives ↦ raw items: an array or nested lists, objects or lists of cells for the rows of a table, or
    the bytes of a picture. Raises ValueError with one sentence for what is none of these.
    """
    if isinstance(x, bytes):
        return item_from_file(schema, x)
    if isinstance(schema, TableSchema):
        return x if isinstance(x, Table) else _table(schema, x)
    if isinstance(x, np.ndarray):
        return x
    shape = f"({', '.join(map(str, ('N', *schema.layout)))})"
    try:
        array = np.asarray(x)
        array = array.astype(np.float64) if array.dtype == object else array  # null is NaN
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"expected items as nested lists of numbers, of one shape {shape}") from error
    if array.dtype.kind not in "biuf" or array.ndim == 0:
        raise ValueError(f"expected items as nested lists of numbers, of shape {shape}")
    return array


def recorded(schema: Schema | TableSchema, x: np.ndarray) -> np.ndarray:
    """Raw items, checked, in the type of the data where that loses nothing. Raises ValueError for others than the
    run's.
    """
    if not isinstance(schema, Schema):
        return x
    schema.arrange(x)
    is_fine = schema.step is not None or schema.kind == "image"
    return x.astype(schema.dtype, copy=False) if is_fine else x


def matrix(z: Any) -> np.ndarray:
    """Latents (N, D) as float32. Raises ValueError for what are none."""
    try:
        with np.errstate(over="ignore"):
            array = np.asarray(z, np.float32)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError("expected z as a list of lists of numbers of one length") from error
    if array.ndim != 2:
        raise ValueError(f"expected z of shape (N, D), got {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError("expected finite numbers in z; some are NaN, infinite or too large")
    return array


def document(schema: Schema | TableSchema, x: np.ndarray) -> Any:
    """Items in model units (N, *event) for JSON: nested lists in raw units, or an object for each row of a table."""
    return records(schema, x) if isinstance(schema, TableSchema) else numbers(schema.restore(x))


def array(schema: Schema | TableSchema, x: np.ndarray) -> np.ndarray:
    """The same as an array of raw items. Raises ValueError for a table with other cells than numbers."""
    if not isinstance(schema, TableSchema):
        return schema.restore(x)
    texts = [column.name for column in schema.table if column.values or column.kind == "datetime"]
    if texts:
        raise ValueError(f"column {texts[0]!r} is not of numbers, so that the rows are no .npy array: ask for JSON")
    return np.column_stack([column.decode(x[:, at]) for at, column in enumerate(schema.table)])


def records(schema: TableSchema, x: np.ndarray) -> list[dict[str, Any]]:
    """Rows of a table in model units (N, D) as objects of their cells, None where missing; constants included."""
    found = {column.name: column.decode(x[:, at]) for at, column in enumerate(schema.table)}
    found |= {column.name: column.constant(len(x)) for column in schema.constants}
    names = [name for name in (schema.order or schema.columns) if name in found]
    return table_records({name: found[name] for name in names})


def table_records(columns: Mapping[str, np.ndarray]) -> list[dict[str, Any]]:
    """The same for raw columns (N,) by name."""
    cells = [[cell(value) for value in values] for values in columns.values()]
    return [dict(zip(columns, row, strict=True)) for row in zip(*cells, strict=True)]


def cell(value: Any) -> Any:
    """A cell for JSON: dates as ISO texts, None where it is missing."""
    if is_missing(value):
        return None
    if isinstance(value, np.datetime64 | np.timedelta64):
        return str(value).removesuffix("T00:00:00.000000").removesuffix(".000000")
    value = value.item() if isinstance(value, np.generic) else value
    return value if isinstance(value, bool | int | float | str) else str(value)


def _table(schema: TableSchema, x: Any) -> Table:
    if isinstance(x, np.ndarray):
        return Table.read(x)
    if not isinstance(x, list) or not x:
        raise ValueError("expected rows as a list of objects, each with the cells by column, or of lists of cells")
    if all(isinstance(row, dict) for row in x):
        known = schema.order or schema.columns
        unknown = next((name for row in x for name in row if name not in known), None)
        if unknown is not None:
            raise ValueError(f"there is no column {unknown[:80]!r}; there are {', '.join(known[:20])}")
        cells = {name: [row.get(name) for row in x] for name in known}
    elif all(isinstance(row, list) and len(row) == len(x[0]) for row in x):
        names = next((names for names in (schema.order, schema.columns) if len(names) == len(x[0])), None)
        if names is None:
            raise ValueError(f"expected rows of {len(schema.columns)} cells, {', '.join(schema.columns[:20])}, or "
                             f"objects by column; got {len(x[0])} cells")  # fmt: skip
        cells = {name: [row[at] for row in x] for at, name in enumerate(names)}
    else:
        raise ValueError("expected rows that are all objects, or all lists of cells of one length")
    if any(isinstance(value, dict | list) for values in cells.values() for value in values):
        raise ValueError("expected cells that are numbers, texts, true, false or null")
    return Table({name: _column(values) for name, values in cells.items()}, dict.fromkeys(cells, "object"), "json")


def _column(values: list[Any]) -> np.ndarray:
    column = np.empty(len(values), object)
    column[:] = values
    return from_objects(column)
