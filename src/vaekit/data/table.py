"""How the rows of a table map to the numbers that a model sees, and back: inferred once, saved with the model."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from vaekit.data.columns import Column
from vaekit.data.context import Context
from vaekit.data.frames import Table
from vaekit.data.schema import Schema


@dataclass(frozen=True)
class TableSchema:
    """The columns that a model sees, in its order, and those left out, by name, each with the reason.

    ``native`` is the library the table came in. The rest is what a :class:`vaekit.data.Schema` has.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid", "strict": True}

    table: tuple[Column, ...]
    left_out: tuple[tuple[str, str], ...] = ()
    native: str = "numpy"
    kind: Literal["table"] = "table"
    context: Context | None = None
    binarized: Literal[False] = False

    @classmethod
    def infer(cls, raw: Any, columns: Sequence[str] = ()) -> TableSchema:
        """Find the columns of a data frame, 2-D array or file (see :meth:`Table.read`).

        Columns that are constant or empty are left out. Raises ValueError for fewer than two rows, or if no column is
        left.
        """
        table = Table.read(raw, tuple(columns))
        if len(table) < 2:
            raise ValueError(f"Found array with {len(table)} sample(s) while a minimum of 2 is required.")
        kept, left_out = [], []
        for name, values in table.columns.items():
            try:
                kept.append(Column.infer(name, values, table.dtypes[name]))
            except ValueError as problem:
                left_out.append((name, str(problem)))
        if not kept:
            raise ValueError(f"no column of the table can be used: {left_out[0][1]}")
        return cls(tuple(kept), tuple(left_out), table.native)

    @property
    def shape(self) -> tuple[int]:
        """One row as the model sees it, (D,)."""
        return (len(self.table),)

    @property
    def layout(self) -> tuple[int]:
        """One row as the user has it."""
        return (len(self.table) + len(self.left_out),)

    @property
    def columns(self) -> tuple[str, ...]:
        """The names."""
        return tuple(column.name for column in self.table)

    @property
    def words(self) -> str:
        """What an item is, for people."""
        categories = sum(column.is_category for column in self.table)
        return f"rows of {len(self.table)} columns, {len(self.table) - categories} of numbers, {categories} of categories"

    def normalize(self, raw: Any) -> np.ndarray:
        """Rows in model units, float32 (N, D), NaN where a cell is missing.

        Columns are found by name. Raises ValueError for missing columns and for categories that are not the schema's.
        """
        table = Table.read(raw, tuple(name for name in self.columns) if self.native == "numpy" else ())
        missing = [name for name in self.columns if name not in table.columns]
        if missing:
            raise ValueError(f"expected the columns of the training data, but missing {missing[:5]}; add them")
        return np.column_stack([column.encode(table.columns[column.name]) for column in self.table]).astype(np.float32)

    def stream(self, path: str | Path, rows: int = 50_000) -> Iterator[Table]:
        """The rows of a CSV or Parquet file for :meth:`normalize`, at most ``rows`` at a time, in constant memory."""
        texts = [column.name for column in self.table if any(isinstance(value, str) for value in column.values)]
        yield from Table.stream(path, rows, texts)

    def restore(self, x: Any) -> Any:
        """Model units (N, D) ↦ rows as the training data were given: a data frame, or an array."""
        x = np.asarray(x, np.float64)
        if x.ndim != 2 or x.shape[1] != len(self.table):
            raise ValueError(f"expected model units of shape (N, {len(self.table)}), but got {x.shape}")
        columns = {column.name: column.decode(x[:, i]) for i, column in enumerate(self.table)}
        return Table(columns, {column.name: column.dtype for column in self.table}, self.native).write()

    def to_json(self) -> dict[str, Any]:
        """A dictionary for JSON, which `from_json` reads back to an equal schema."""
        return json.loads(json.dumps(asdict(self)))

    @classmethod
    def from_json(cls, content: Any) -> TableSchema:
        """The schema that `to_json` wrote; raises ValueError with one sentence if the content is not one."""
        from pydantic import TypeAdapter, ValidationError

        try:
            return TypeAdapter(cls).validate_json(json.dumps(content))
        except (TypeError, ValidationError) as error:
            raise ValueError(f"the schema is not valid: {' '.join(str(error).split())[:200]}") from error


def schema_from_json(content: Any) -> Schema | TableSchema:
    """A schema of either kind. Raises ValueError if the content is none."""
    is_table = isinstance(content, dict) and content.get("kind") == "table"
    return TableSchema.from_json(content) if is_table else Schema.from_json(content)
