"""Tables as columns of arrays: from data frames, 2-D arrays, CSV and Parquet files, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

BACKENDS = ("polars", "pyarrow", "pandas")
FILES = (".csv", ".tsv", ".parquet")


@dataclass(frozen=True, eq=False)
class Table:
    """Columns by name, each (N,): numbers (NaN where missing), booleans or texts as objects (None where missing), or
    datetime64 (NaT). ``dtypes`` are narwhals' names of the columns' types; ``native`` is the library that the rows
    came in, ``"numpy"`` for arrays.
    """

    columns: Mapping[str, np.ndarray]
    dtypes: Mapping[str, str]
    native: str = "numpy"

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def __getitem__(self, rows: slice | np.ndarray) -> Table:
        """Some of the rows."""
        return replace(self, columns={name: values[rows] for name, values in self.columns.items()})

    @classmethod
    def read(cls, raw: Any, names: tuple[str, ...] = ()) -> Table:
        """A data frame, a 2-D array or list (whose columns are called ``names``, or x0, x1, …), or a file's path.

        Raises ValueError for two columns of one name, no columns, no rows, or another number of dimensions; TypeError
        for what is no table.
        """
        if isinstance(raw, Table):
            return raw
        if isinstance(raw, (str, Path)):
            return cls._from_frame(_read_file(Path(raw).expanduser()))
        if hasattr(raw, "__array__") or isinstance(raw, (list, tuple)):
            frame = None if isinstance(raw, (np.ndarray, list, tuple)) or hasattr(raw, "detach") else _as_frame(raw)
            return cls._from_array(raw, names) if frame is None else cls._from_frame(frame)
        frame = _as_frame(raw)
        if frame is None:
            raise TypeError(f"expected a data frame, a 2-D array or the path of a table, but got {type(raw).__name__}")
        return cls._from_frame(frame)

    @classmethod
    def _from_array(cls, raw: Any, names: tuple[str, ...]) -> Table:
        array = raw.detach().cpu().numpy() if hasattr(raw, "detach") else np.asarray(raw)
        if array.ndim != 2 or 0 in array.shape:
            raise ValueError(f"expected a table of shape (rows, columns), but got shape {array.shape}")
        names = names or tuple(f"x{i}" for i in range(array.shape[1]))
        if len(names) != array.shape[1]:
            raise ValueError(f"expected a table of the {len(names)} columns {names[:5]}, but got shape {array.shape}")
        columns = {name: array[:, i] for i, name in enumerate(names)}
        dtype = "Object" if array.dtype.kind in "OUS" else array.dtype.name.capitalize().replace("Bool", "Boolean")
        return cls(columns, dict.fromkeys(names, dtype))

    @classmethod
    def _from_frame(cls, frame: Any) -> Table:
        if not frame.columns or not len(frame):
            raise ValueError(f"expected a table with rows and columns, but got shape {frame.shape}")
        columns = {str(name): series.to_numpy() for name, series in zip(frame.columns, frame.iter_columns())}
        dtypes = {str(name): str(dtype) for name, dtype in frame.schema.items()}
        return cls(columns, dtypes, frame.implementation.value)

    def write(self) -> Any:
        """As ``native`` has it: a data frame, or an array (N, D)."""
        if self.native == "numpy":
            return np.column_stack(list(self.columns.values()))
        import narwhals as nw

        frame = nw.from_dict(dict(self.columns), backend=self.native)  # pyright: ignore[reportArgumentType]
        return frame.to_native()


def _as_frame(raw: Any) -> Any:
    import narwhals as nw

    try:
        frame = nw.from_native(raw, eager_only=True, pass_through=True)
    except nw.exceptions.DuplicateError as error:
        raise ValueError("the table has two columns of the same name; rename one") from error
    return frame if isinstance(frame, nw.DataFrame) else None


def _read_file(path: Path) -> Any:
    import narwhals as nw

    backend = next((name for name in BACKENDS if find_spec(name)), None)
    if backend is None:
        raise ImportError("tables in files need pyarrow: install it with pip install 'vaekit[table]'")
    read = {".parquet": nw.read_parquet, ".csv": nw.read_csv}.get(path.suffix.lower())
    if read is None:
        raise ValueError(f"cannot read {path} as a table: expected {', '.join(FILES)}")
    return read(str(path), backend=backend)  # pyright: ignore[reportArgumentType]
