"""A file of scores that grows part by part."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from vaekit import store


class ScoreFile:
    """A CSV or Parquet file written in parts, complete or absent; nothing where ``path`` is None."""

    def __init__(self, path: str | None):
        self.path = None if path is None else Path(path)
        self.stack, self.writer = ExitStack(), None
        self.temporary: Path | None = None

    def __enter__(self) -> Self:
        if self.path is not None:
            self.temporary = self.stack.enter_context(store.replacing(self.path))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stack.__exit__(kind, error, trace)

    def write(self, columns: Mapping[str, np.ndarray]) -> None:
        """Add rows."""
        if self.path is None or self.temporary is None:
            return
        import pyarrow as pa

        table = pa.table(dict(columns))
        if self.writer is None:
            self.writer = self.stack.enter_context(self._opened(table.schema))
        self.writer.write_table(table)

    def _opened(self, schema: Any) -> Any:
        if self.path is not None and self.path.suffix.lower() == ".parquet":
            from pyarrow import parquet

            return parquet.ParquetWriter(self.temporary, schema)
        from pyarrow import csv

        return csv.CSVWriter(self.temporary, schema)
