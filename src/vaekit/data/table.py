"""How the rows of a table map to the numbers that a model sees, and back: inferred once, saved with the model."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from vaekit.data.columns import Column, Unknown
from vaekit.data.context import Context
from vaekit.data.frames import Table
from vaekit.data.inference import LeftOutError, infer_column
from vaekit.data.missing import mark_missing, unmarked
from vaekit.data.schema import Schema
from vaekit.data.schemafile import check_choices


@dataclass(frozen=True)
class TableSchema:
    """The columns that a model sees, in its order, and those left out, by name, each with the reason.

    ``native`` is the library the table came in, ``order`` the names of all its columns in its order. ``constants`` are
    those of the columns left out that had a single value, which :meth:`restore` gives back. ``numbered`` says whether
    the table's names are whole numbers. The rest is what a :class:`vaekit.data.Schema` has.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid", "strict": True}

    table: tuple[Column, ...]
    left_out: tuple[tuple[str, str], ...] = ()
    native: str = "numpy"
    kind: Literal["table"] = "table"
    context: Context | None = None
    binarized: Literal[False] = False
    constants: tuple[Column, ...] = ()
    order: tuple[str, ...] = ()
    numbered: bool = False

    @classmethod
    def infer(
        cls,
        raw: Any,
        columns: Sequence[str] = (),
        choices: Mapping[str, Mapping[str, Any]] | None = None,
        *,
        constants: bool = False,
    ) -> TableSchema:
        """Find the columns of a data frame, 2-D array or file (see :meth:`Table.read`).

        ``columns`` are names for those of an array; ``choices`` say what columns are, by name, where it should not be
        guessed (see :mod:`vaekit.data.schemafile`). Left out are columns that are empty, of mixed types, identifiers
        and free text, and constant ones; with ``constants`` these stay, as new rows may differ in them.

        Raises ValueError for fewer than two rows, if no column is left, for infinite values, and for choices that do
        not suit the table.
        """
        table = Table.read(raw, tuple(columns))
        if len(table) < 2:
            raise ValueError(f"Found array with {len(table)} sample(s) while a minimum of 2 is required.")
        choices = check_choices(choices or {}, table.columns)
        kept, constant, left_out = [], [], []
        for name, values in table.columns.items():
            try:
                column = infer_column(name, values, table.dtypes[name], choices.get(name))
            except LeftOutError as reason:
                left_out.append((name, str(reason)))
                continue
            if column.is_constant and not constants:
                constant.append(column)
                left_out.append((name, f"constant: every cell is {column.constant(1)[0]}"))
            else:
                kept.append(column)
        if not kept:
            raise ValueError(f"no column of the table can be used: {left_out[0][0]!r} is left out ({left_out[0][1]})")
        return cls(
            tuple(kept), tuple(left_out), table.native, constants=tuple(constant), order=tuple(table.columns),
            numbered=table.numbered,
        )  # fmt: skip

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
        """The names of the columns that the model sees."""
        return tuple(column.name for column in self.table)

    @property
    def words(self) -> str:
        """What an item is, for people."""
        categories = sum(column.is_category for column in self.table)
        left = f"; {len(self.left_out)} left out" if self.left_out else ""
        numbers = len(self.table) - categories
        return f"rows of {len(self.table)} columns, {numbers} of numbers, {categories} of categories{left}"

    def remarks(self, table: Table | None = None, most: int = 10) -> list[str]:
        """A sentence for each of the first columns that are left out, and on what was not obvious in reading them."""
        said = [f"column {name!r} is left out: {reason}" for name, reason in self.left_out]
        more = [f"and {len(said) - most} more columns are left out"] if len(said) > most else []
        return [*(table.remarks if table else ()), *said[:most], *more]

    def read(self, raw: Any) -> Table:
        """The columns that the model sees, in its order, found by name; those of an array by position.

        Others are ignored: columns that the training data did not have, and constants that have other values now, with
        a warning. Raises ValueError for missing columns.
        """
        table, given = Table.read(raw), unmarked(self.order)
        by_position = "numpy" in (table.native, self.native) and len(table.columns) == len(given)
        if by_position and table.columns.keys() != set(given):
            table = table.renamed(given)
        if len(given) < len(self.order):
            table = mark_missing(table, self.order)
        missing = [name for name in self.columns if name not in table.columns]
        if missing:
            more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
            raise ValueError(
                f"the columns {missing[:5]}{more} of the training data are missing, among {list(table.columns)[:5]}; "
                "add them, empty where unknown"
            )
        _warn_of_ignored(self, table)
        return replace(table, columns={name: table.columns[name] for name in self.columns})

    def normalize(self, raw: Any, unknown: Unknown = "error") -> np.ndarray:
        """Rows in model units, float32 (N, D), NaN where a cell is missing; columns as :meth:`read` finds them.

        A category that the training data did not have is a ValueError or, with ``unknown="missing"``, a missing cell:
        :meth:`unseen` says where, so that a task can weigh them.
        """
        table = self.read(raw)
        x = np.empty((len(table), len(self.table)), np.float32)
        for position, column in enumerate(self.table):
            x[:, position] = column.encode(table.columns[column.name], unknown)
        return x

    def unseen(self, raw: Any) -> np.ndarray:
        """Which cells (N, D) hold a category that the training data did not have."""
        table = self.read(raw)
        return np.column_stack([column.unseen(table.columns[column.name]) for column in self.table])

    def stream(self, path: str | Path, rows: int = 50_000) -> Iterator[Table]:
        """The rows of a CSV or Parquet file for :meth:`normalize`, at most ``rows`` at a time, in constant memory."""
        texts = [column.name for column in self.table if any(isinstance(value, str) for value in column.values)]
        yield from Table.stream(path, rows, texts)

    def restore(self, x: Any) -> Any:
        """Model units (N, D) ↦ rows as the training data were given: a data frame, or an array (N, columns).

        Columns have their types and their order, constants their value. Other columns left out are not in a data frame,
        and NaN (None among objects) in an array. Cells that are NaN come back as missing.
        """
        x = np.asarray(x, np.float64)
        if x.ndim != 2 or x.shape[1] != len(self.table):
            raise ValueError(f"expected model units of shape (N, {len(self.table)}), but got {x.shape}")
        found = {column.name: column.decode(x[:, i]) for i, column in enumerate(self.table)}
        found |= {column.name: column.constant(len(x)) for column in self.constants}
        dtypes = {column.name: column.dtype for column in (*self.table, *self.constants)}
        order = self.order or self.columns
        if self.native == "numpy":
            lost = [name for name, _ in self.left_out if name not in found]
            found |= {name: np.full(len(x), np.nan) for name in lost}
            dtypes |= dict.fromkeys(lost, self.table[0].dtype)
        columns = {name: found[name] for name in order if name in found}
        return Table(columns, dtypes, self.native, numbered=self.numbered).write()

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


def _warn_of_ignored(schema: TableSchema, table: Table) -> None:
    """Say which columns of new rows are not looked at, although they may tell something."""
    known = {*(schema.order or schema.columns)}
    extra = [name for name in table.columns if name not in known]
    if extra:
        warnings.warn(f"columns that the training data did not have are ignored: {extra[:5]}", stacklevel=4)
    for column in schema.constants:
        values = table.columns.get(column.name)
        if values is not None and _differs(column, values):
            text = f"column {column.name!r} was always {column.constant(1)[0]} and is ignored, but has other values now"
            warnings.warn(text, stacklevel=4)


def _differs(column: Column, values: np.ndarray) -> bool:
    try:
        x = column.encode(values)
        return bool((x[~np.isnan(x)] != 0).any())
    except ValueError:
        return True


def schema_from_json(content: Any) -> Schema | TableSchema:
    """A schema of either kind. Raises ValueError if the content is none."""
    is_table = isinstance(content, dict) and content.get("kind") == "table"
    return TableSchema.from_json(content) if is_table else Schema.from_json(content)
