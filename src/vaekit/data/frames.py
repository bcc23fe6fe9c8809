"""Tables as columns of arrays: from data frames, 2-D arrays, CSV and Parquet files, and back."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from vaekit.data import natives
from vaekit.data.arrayfiles import check_memory

FILES = (".csv", ".tsv", ".parquet")
COPIES = 3  # of a file's content that reading holds at once


@dataclass(frozen=True, eq=False)
class Table:
    """Columns by name, each (N,): numbers (NaN where missing), booleans or texts as objects (None where missing), or
    datetime64 in UTC (NaT). ``dtypes`` are the library's names of the columns' types; ``native`` is the library that
    the rows came in, ``"numpy"`` for arrays; ``remarks`` say what was not obvious in reading them. Where the frame's
    names are numbers, the columns are ``numbered``; ``source`` are its own columns, for those that do not change.
    """

    columns: Mapping[str, np.ndarray]
    dtypes: Mapping[str, str]
    native: str = "numpy"
    remarks: tuple[str, ...] = ()
    numbered: bool = False
    source: Mapping[str, natives.Original] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def __getitem__(self, rows: slice | np.ndarray) -> Table:
        """Some of the rows."""
        return replace(self, columns={name: values[rows] for name, values in self.columns.items()}, source={})

    @classmethod
    def read(cls, raw: Any, names: Sequence[str] = ()) -> Table:
        """A data frame, a 2-D array or list (whose columns are called ``names``, or x0, x1, …), or a file's path.

        Texts in a CSV file become what all texts of their column are: whole numbers, numbers (thousands separators
        and decimal commas are understood, with a remark), booleans, ISO dates and times; ``""``, NA, N/A, NaN, null,
        None and ? in any case are missing. Delimiters ``,``, ``;``, tab and ``|`` are found.

        Masked entries of an array are missing. Raises ValueError for two columns of one name, no columns, no rows, or
        another number of dimensions, and for files that cannot be understood; TypeError for what is no table, and for
        columns that are named neither by texts nor by whole numbers.
        """
        if isinstance(raw, Table):
            return raw
        if isinstance(raw, (str, Path)):
            return cls._from_file(Path(raw).expanduser())
        if isinstance(raw, (np.ndarray, list, tuple)) or hasattr(raw, "detach"):
            return cls._from_array(raw, names)
        frame = _as_frame(raw)
        if frame is not None:
            return cls._from_frame(frame)
        if hasattr(raw, "__array__"):
            return cls._from_array(raw, names)
        raise TypeError(f"expected a data frame, a 2-D array or the path of a table, but got {type(raw).__name__}")

    @staticmethod
    def suits(raw: Any) -> bool:
        """Whether this is a table rather than an array of numbers: a data frame, a file, or two dimensions with missing
        cells or texts.
        """
        if isinstance(raw, (Table, str, Path)) or _is_frame(raw):
            return True
        if hasattr(raw, "detach") or not (isinstance(raw, (np.ndarray, list, tuple)) or hasattr(raw, "__array__")):
            return bool(hasattr(raw, "isnan") and raw.dim() == 2 and raw.isnan().any())
        try:
            array = _as_matrix(raw)
        except ValueError:  # rows of unequal length
            return False
        if array.ndim != 2 or array.dtype.kind not in "fOUSMm":
            return np.ma.is_masked(raw) and array.ndim == 2
        if array.dtype.kind == "f":
            return bool(np.isnan(array).any())
        return array.dtype.kind != "O" or any(map(_is_no_number, array.flat))

    @classmethod
    def stream(cls, path: str | Path, rows: int = 50_000, texts: Sequence[str] = ()) -> Iterator[Table]:
        """The rows of a CSV or Parquet file, at most ``rows`` at a time, in constant memory.

        A CSV file's part is typed on its own, so that a column may be whole numbers in one part and numbers in the
        next; columns named in ``texts`` stay texts. For a trained model use :meth:`TableSchema.stream`, which knows
        what the columns are. Raises what :meth:`read` raises.
        """
        path = Path(path).expanduser()
        _check_file(path)
        if path.suffix.lower() == ".parquet":
            import pyarrow as pa

            parts = (pa.Table.from_batches([batch]) for batch in _batches(path, rows))
        else:
            from vaekit.data.delimited import stream_csv

            parts = stream_csv(path, rows, texts)
        part = None
        for part in parts:
            yield cls._from_frame(_as_frame(part))
        if part is None:
            raise ValueError(f"{path} holds the names of columns but no rows")

    @classmethod
    def _from_file(cls, path: Path) -> Table:
        _check_file(path)
        _check_size(path)
        if path.suffix.lower() == ".parquet":
            import pyarrow as pa

            return cls._from_frame(_as_frame(pa.Table.from_batches(_batches(path), _open_parquet(path).schema_arrow)))
        from vaekit.data.delimited import read_csv

        table, remarks = read_csv(path)
        return cls._from_frame(_as_frame(table), remarks)

    @classmethod
    def _from_array(cls, raw: Any, names: Sequence[str]) -> Table:
        try:
            array = raw.detach().cpu().numpy() if hasattr(raw, "detach") else _as_matrix(raw)
        except ValueError as error:
            raise ValueError("expected a table of shape (rows, columns), but its rows are of unequal length") from error
        if array.ndim != 2 or 0 in array.shape:
            column = ". Reshape your data: x[:, None] is a column" if array.ndim == 1 else ""
            raise ValueError(f"expected a table of shape (rows, columns), but got shape {array.shape}{column}")
        names = names or tuple(f"x{i}" for i in range(array.shape[1]))
        if len(names) != array.shape[1]:
            raise ValueError(f"expected a table of the {len(names)} columns {names[:5]}, but got shape {array.shape}")
        if array.dtype.kind == "c":
            raise ValueError("Complex data not supported: expected real numbers, texts, booleans or dates")
        mixed = array.dtype.kind in "OUST"
        cells = array.astype(object) if mixed else array
        columns = {name: natives.from_objects(cells[:, i]) if mixed else cells[:, i] for i, name in enumerate(names)}
        return cls(columns, dict.fromkeys(names, "object" if mixed else array.dtype.name))

    @classmethod
    def _from_frame(cls, frame: Any, remarks: tuple[str, ...] = ()) -> Table:
        if not frame.columns or not len(frame):
            raise ValueError(f"expected a table with rows and columns, but got shape {frame.shape}")
        numbered = _are_numbers(frame.columns)
        series = {str(name): column for name, column in zip(frame.columns, frame.iter_columns(), strict=True)}
        columns = {name: natives.to_numpy(column) for name, column in series.items()}
        dtypes = {name: natives.type_name(column) for name, column in series.items()}
        source = {name: natives.Original(columns[name], column) for name, column in series.items()}
        return cls(columns, dtypes, frame.implementation.value, remarks, numbered, source)

    def renamed(self, names: Sequence[str]) -> Table:
        """The same columns under other names, in their order."""
        columns = dict(zip(names, self.columns.values(), strict=True))
        return replace(self, columns=columns, dtypes=dict(zip(names, self.dtypes.values(), strict=True)))

    def write(self) -> Any:
        """As ``native`` has it: a data frame whose columns have the types ``dtypes``, or an array (N, D). Columns that
        are still the ``source``'s are its own, and so is the index.
        """
        if self.native != "numpy":
            frame = natives.to_frame(self.columns, self.dtypes, self.native, self.source)
            if self.numbered:
                frame.columns = [int(name) if name.lstrip("-").isdigit() else name for name in frame.columns]
            return frame
        mixed = "object" in self.dtypes.values()
        dtype = np.dtype(object) if mixed else np.result_type(*set(self.dtypes.values()))
        if not mixed and dtype.kind in "iub" and any(values.dtype.kind == "f" for values in self.columns.values()):
            dtype = np.dtype(np.float64)  # the type has no room for missing cells
        array = np.empty((len(self), len(self.columns)), dtype)
        for position, values in enumerate(self.columns.values()):
            array[:, position] = natives.blanked(values) if mixed else values
        return array


def _as_matrix(raw: Any) -> np.ndarray:
    """An array, or the rows of a list, whose cells keep their types; None or NaN where it is masked."""
    if np.ma.is_masked(raw):
        numbers = raw.dtype.kind in "biuf"
        cells = raw.data.astype(np.float64 if numbers else object)
        cells[np.ma.getmaskarray(raw)] = np.nan if numbers else None
        return cells
    if isinstance(raw, (list, tuple)) and any(isinstance(cell, str) or cell is None for row in raw for cell in row):
        return np.array(raw, object)
    return np.asarray(raw)


def _is_no_number(cell: Any) -> bool:
    """A text, a date or what stands for a missing cell."""
    return isinstance(cell, (str, bytes, datetime.date, np.datetime64)) or natives.is_missing(cell)


def _are_numbers(names: Sequence[Any]) -> bool:
    """Whether columns are named by whole numbers. TypeError where neither by these nor by texts."""
    strange = [name for name in names if not isinstance(name, str)]
    numbers = len(strange) == len(names) and all(isinstance(name, (int, np.integer)) for name in names)
    if strange and not numbers:
        raise TypeError(
            f"expected columns named by texts, or all by whole numbers, but one is {strange[0]!r}; "
            "rename them, such as by x.columns = x.columns.map(str)"
        )
    return numbers


def _is_frame(raw: Any) -> bool:
    """Whether it is one of pandas', polars' or pyarrow's, without importing anything."""
    return type(raw).__module__.split(".")[0] in ("pandas", "polars", "pyarrow") and hasattr(raw, "columns")


def _as_frame(raw: Any) -> Any:
    import narwhals as nw

    try:
        frame = nw.from_native(raw, eager_only=True, pass_through=True)
    except nw.exceptions.DuplicateError as error:
        raise ValueError(_twice(raw.columns)) from error
    if not isinstance(frame, nw.DataFrame):
        return None
    if len(set(map(str, frame.columns))) < len(frame.columns):
        raise ValueError(_twice(frame.columns))
    return frame


def _twice(names: Sequence[Any]) -> str:
    ((name, _),) = Counter(map(str, names)).most_common(1)
    return f"the table has two columns of the same name, {name!r}; rename one"


def _check_file(path: Path) -> None:
    if path.suffix.lower() not in FILES:
        raise ValueError(f"cannot read {path} as a table: expected {', '.join(FILES)}")
    if find_spec("pyarrow") is None:
        raise ImportError("tables in files need pyarrow: install it with pip install 'vaekit[table]'")
    if not path.is_file():
        raise FileNotFoundError(f"{path} is a folder, not a table" if path.is_dir() else f"no such file: {path}")


def _check_size(path: Path) -> None:
    """Raise ValueError for a file whose rows do not fit into memory at once."""
    size = path.stat().st_size
    if path.suffix.lower() == ".parquet":
        about = _open_parquet(path).metadata
        size = sum(about.row_group(group).total_byte_size for group in range(about.num_row_groups))
    remedy = "use fewer rows or columns; a trained model scores the whole file in parts (vaekit detect)"
    check_memory(COPIES * size, f"the table {path}", remedy)


def _open_parquet(path: Path) -> Any:
    """Raises ValueError for what is no Parquet file."""
    import pyarrow as pa
    from pyarrow import parquet

    try:
        return parquet.ParquetFile(path)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise ValueError(f"{path} is damaged or no Parquet file: {error}") from error


def _batches(path: Path, rows: int = 2**16) -> Iterator[Any]:
    """A Parquet file's rows, ``rows`` at a time. Raises ValueError where they cannot be read."""
    import pyarrow as pa

    file = _open_parquet(path)
    try:
        yield from file.iter_batches(rows)
    except (OSError, pa.ArrowException) as error:
        raise ValueError(f"{path} is damaged: {error}") from error
