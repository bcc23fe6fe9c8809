"""Tables as columns of arrays: from data frames, 2-D arrays, CSV and Parquet files, and back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
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
    the rows came in, ``"numpy"`` for arrays; ``remarks`` say what was not obvious in reading them.
    """

    columns: Mapping[str, np.ndarray]
    dtypes: Mapping[str, str]
    native: str = "numpy"
    remarks: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def __getitem__(self, rows: slice | np.ndarray) -> Table:
        """Some of the rows."""
        return replace(self, columns={name: values[rows] for name, values in self.columns.items()})

    @classmethod
    def read(cls, raw: Any, names: Sequence[str] = ()) -> Table:
        """A data frame, a 2-D array or list (whose columns are called ``names``, or x0, x1, …), or a file's path.

        Texts in a CSV file become what all texts of their column are: whole numbers, numbers (thousands separators
        and decimal commas are understood, with a remark), booleans, ISO dates and times; ``""``, NA, N/A, NaN, null,
        None and ? in any case are missing. Delimiters ``,``, ``;``, tab and ``|`` are found.

        Raises ValueError for two columns of one name, no columns, no rows, or another number of dimensions, and for
        files that cannot be understood; TypeError for what is no table.
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
        if array.ndim != 2 or array.dtype.kind not in "fOUS":
            return False
        if array.dtype.kind == "f":
            return bool(np.isnan(array).any())
        return any(isinstance(cell, str) or cell is None or cell != cell for cell in array.flat)

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

            parts = (pa.Table.from_batches([batch]) for batch in _open_parquet(path).iter_batches(rows))
        else:
            from vaekit.data.delimited import stream_csv

            parts = stream_csv(path, rows, texts)
        for part in parts:
            yield cls._from_frame(_as_frame(part))

    @classmethod
    def _from_file(cls, path: Path) -> Table:
        _check_file(path)
        _check_size(path)
        if path.suffix.lower() == ".parquet":
            return cls._from_frame(_as_frame(_open_parquet(path).read()))
        from vaekit.data.delimited import read_csv

        table, remarks = read_csv(path)
        return cls._from_frame(_as_frame(table), remarks)

    @classmethod
    def _from_array(cls, raw: Any, names: Sequence[str]) -> Table:
        array = raw.detach().cpu().numpy() if hasattr(raw, "detach") else _as_matrix(raw)
        if array.ndim != 2 or 0 in array.shape:
            raise ValueError(f"expected a table of shape (rows, columns), but got shape {array.shape}")
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
        series = {str(name): column for name, column in zip(frame.columns, frame.iter_columns(), strict=True)}
        columns = {name: natives.to_numpy(column) for name, column in series.items()}
        dtypes = {name: natives.type_name(column) for name, column in series.items()}
        return cls(columns, dtypes, frame.implementation.value, remarks)

    def renamed(self, names: Sequence[str]) -> Table:
        """The same columns under other names, in their order."""
        columns = dict(zip(names, self.columns.values(), strict=True))
        return replace(self, columns=columns, dtypes=dict(zip(names, self.dtypes.values(), strict=True)))

    def write(self) -> Any:
        """As ``native`` has it: a data frame whose columns have the types ``dtypes``, or an array (N, D)."""
        if self.native != "numpy":
            return natives.to_frame(self.columns, self.dtypes, self.native)
        mixed = "object" in self.dtypes.values()
        dtype = np.dtype(object) if mixed else np.result_type(*set(self.dtypes.values()))
        if not mixed and dtype.kind in "iub" and any(values.dtype.kind == "f" for values in self.columns.values()):
            dtype = np.dtype(np.float64)  # the type has no room for missing cells
        array = np.empty((len(self), len(self.columns)), dtype)
        for position, values in enumerate(self.columns.values()):
            array[:, position] = natives.blanked(values) if mixed else values
        return array


def _as_matrix(raw: Any) -> np.ndarray:
    """An array, or the rows of a list, whose cells keep their types."""
    if isinstance(raw, (list, tuple)) and any(isinstance(cell, str) or cell is None for row in raw for cell in row):
        return np.array(raw, object)
    return np.asarray(raw)


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
        raise FileNotFoundError(f"no such file: {path}")


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
