"""Data frames as they are compressed: the rows as lines of CSV, and what the columns' types are."""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from vaekit.data import TableSchema

from .codec import Restored
from .codec_items import Source, Stored
from .codec_rows import Rows, split_lines

FORM = "frame"  # of a file in whose frame the library and the types of the columns are


def of_frame(schema: TableSchema, raw: Any) -> Source:
    """The rows of a data frame of pandas, polars or pyarrow, or of a 2-D array of numbers.

    What CSV does not give back exactly, such as lists in cells, is stored without the model. Raises TypeError for other
    things.
    """
    library, table = _to_arrow(raw, schema)
    about = library.encode() + b"\n" + table.schema.serialize().to_pybytes()
    try:
        text = _to_csv(table)
        is_exact = _same(_from_csv(text, table.schema), table)
    except (ValueError, NotImplementedError, KeyError):  # pyarrow's errors are some of these
        is_exact, text = False, b""
    if not is_exact:
        content = _to_ipc(table)
        return Source(Stored(), len(content), lambda rows: content[rows], FORM, about, (_STORED,))
    _, *lines = split_lines(text)
    items = Rows.learn(schema, table.column_names, ",", lines)
    return Source(items, len(lines), lambda rows: b"".join(lines[rows]), FORM, about)


def frame(found: Restored) -> Any:
    """What was compressed. Raises ValueError where it cannot be had whole."""
    import pyarrow as pa

    if found.form != FORM or found.frame is None:
        raise ValueError("the file holds no data frame; write the file itself")
    library, types = found.frame.split(b"\n", 1)
    try:
        if isinstance(found.items, Stored):
            table = pa.ipc.open_stream(found.content).read_all()
        else:
            schema = pa.ipc.read_schema(pa.py_buffer(types))
            table = _from_csv(_to_csv(schema.empty_table()) + found.content, schema)
    except pa.ArrowInvalid as error:
        raise ValueError(f"the data frame is damaged ({error})") from error
    return _from_arrow(library.decode(), table)


_STORED = "the data frame is stored without the model: its cells do not follow from texts"


def _to_arrow(raw: Any, schema: TableSchema) -> tuple[str, Any]:
    """The library that a table came in, and the table."""
    import pyarrow as pa

    library = type(raw).__module__.split(".")[0]
    if library == "pandas":
        return library, pa.Table.from_pandas(raw).combine_chunks()
    if library == "polars":
        return library, raw.to_arrow().combine_chunks()
    if isinstance(raw, pa.Table):
        return library, raw.combine_chunks()
    if isinstance(raw, np.ndarray) and raw.ndim == 2 and raw.dtype.kind in "biuf":
        names = schema.order if len(schema.order) == raw.shape[1] else [f"x{i}" for i in range(raw.shape[1])]
        columns = [pa.array(np.ascontiguousarray(column)) for column in raw.T]
        return f"numpy {raw.dtype.str}", pa.table(columns, names=list(names))
    raise TypeError(f"expected a data frame or a 2-D array of numbers, but got {type(raw).__name__}")


def _from_arrow(library: str, table: Any) -> Any:
    if library == "pandas":
        return table.to_pandas()
    if library == "polars":
        import polars

        return polars.from_arrow(table)
    if library.startswith("numpy "):
        return np.column_stack([column.to_numpy() for column in table.columns]).astype(library[6:])
    return table


def _to_csv(table: Any) -> bytes:
    """Texts without quotes where they need none; a missing cell is no text at all, an empty text two quotes."""
    from pyarrow import csv

    stream = io.BytesIO()
    csv.write_csv(table, stream, csv.WriteOptions(quoting_style="needed"))
    return stream.getvalue()


def _from_csv(text: bytes, schema: Any) -> Any:
    from pyarrow import csv

    options = csv.ConvertOptions(
        column_types=schema, null_values=[""], strings_can_be_null=True, quoted_strings_can_be_null=False
    )
    read = csv.ReadOptions(column_names=schema.names, skip_rows=1, block_size=max(2**20, len(text)))
    parse = csv.ParseOptions(newlines_in_values=True)
    table = csv.read_csv(io.BytesIO(text), read, parse, options)
    return table.cast(schema).combine_chunks()


def _same(one: Any, other: Any) -> bool:
    """Whether two tables are equal, NaN and the sign of 0 included."""
    import pyarrow as pa

    if one.schema != other.schema or len(one) != len(other):
        return False
    for first, second in zip(one.columns, other.columns, strict=True):
        if not pa.types.is_floating(first.type):
            if not first.equals(second):
                return False
            continue
        if not first.is_null().equals(second.is_null()):
            return False
        bits = [each.fill_null(0).to_numpy().tobytes() for each in (first, second)]
        if bits[0] != bits[1]:
            return False
    return True


def _to_ipc(table: Any) -> bytes:
    import pyarrow as pa

    stream = io.BytesIO()
    with pa.ipc.new_stream(stream, table.schema) as writer:
        writer.write_table(table)
    return stream.getvalue()
