"""CSV and TSV files: which delimiter and encoding they have, and what the texts in their cells are."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

DELIMITERS = {".csv": ",;\t|", ".tsv": "\t,;|"}  # the usual one first
UNUSUAL = ":~^! "  # that a file in one column may turn out to be divided by
MISSING = ("", "na", "n/a", "nan", "null", "none", "?")  # in any case, with spaces around
SNIFFED_BYTES, SNIFFED_LINES = 2**16, 100
GROUPED = re.compile(r"[-+]?\d{1,3}(,\d{3})+(\.\d+)?|[-+]?\d{1,3}(\.\d+)?")  # 1,234,567.8
COMMA = re.compile(r"[-+]?(\d+|\d{1,3}(\.\d{3})+)(,\d+)?")  # 3,14 and 1.234.567,8


def read_csv(path: Path) -> tuple[pa.Table, tuple[str, ...]]:
    """All rows with the types that their texts suggest, and remarks on what was not obvious.

    Raises ValueError for another encoding than UTF-8 (or UTF-16 with its mark), an unknown delimiter, lines of unequal
    length, names that occur twice, and no rows.
    """
    import pyarrow as pa

    chunks = list(_texts(path, None))
    if not chunks:
        raise ValueError(f"{path} holds the names of columns but no rows")
    return type_texts(pa.Table.from_batches(chunks))


def stream_csv(path: Path, rows: int, texts: Sequence[str] = ()) -> Iterator[pa.Table]:
    """``rows`` rows at a time, in constant memory, each part typed on its own; columns in ``texts`` stay texts."""
    import pyarrow as pa

    held: list[pa.RecordBatch] = []
    for batch in _texts(path, 2**23):
        held.append(batch)
        while sum(map(len, held)) >= rows:
            whole = pa.Table.from_batches(held)
            yield type_texts(whole[:rows], texts)[0]
            held = whole[rows:].to_batches()
    if sum(map(len, held)):
        yield type_texts(pa.Table.from_batches(held), texts)[0]


def layout(path: Path) -> tuple[str, str, list[str]]:
    """The encoding, the delimiter and the names of the columns. Raises what :func:`read_csv` raises of them."""
    encoding, lines = _first_lines(path)
    delimiter = _delimiter(path, lines)
    return encoding, delimiter, _names(path, lines, delimiter)


def type_texts(table: pa.Table, texts: Sequence[str] = ()) -> tuple[pa.Table, tuple[str, ...]]:
    """Columns of texts ↦ whole numbers, numbers, booleans, dates or texts, whichever all cells of a column are.

    Markers of missing values become null. Texts keep their spelling, spaces and leading zeros included.
    """
    import pyarrow as pa

    columns, remarks = [], []
    for name in table.column_names:
        column, remark = _typed(table[name], name in texts)
        columns.append(column)
        remarks += [f"column {name!r} {remark}"] if remark else []
    return pa.table(columns, names=table.column_names), tuple(remarks)


def _texts(path: Path, block: int | None) -> Iterator[pa.RecordBatch]:
    """The file's rows as texts, ``block`` bytes at a time, or as many as there are."""
    import pyarrow as pa
    from pyarrow import csv as arrow

    encoding, delimiter, names = layout(path)
    read = arrow.ReadOptions(
        encoding=encoding, column_names=names, skip_rows=1, block_size=block or max(2**20, path.stat().st_size)
    )
    parse = arrow.ParseOptions(delimiter=delimiter, newlines_in_values=True)
    convert = arrow.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False)
    try:
        with arrow.open_csv(str(path), read, parse, convert) as reader:
            yield from reader
    except pa.ArrowInvalid as error:
        problem = str(error).splitlines()[0].removeprefix("CSV parse error: ")
        raise ValueError(_not_utf8(path) if "UTF8" in problem else f"cannot read {path}: {problem[:200]}") from error


def _first_lines(path: Path) -> tuple[str, list[str]]:
    """The encoding, and the first lines that are whole."""
    with path.open("rb") as stream:
        head = stream.read(SNIFFED_BYTES)
    encoding = "utf-16" if head[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    whole = len(head) < SNIFFED_BYTES
    try:
        text = head[: len(head) // 2 * 2].decode(encoding) if encoding == "utf-16" else _decoded(head, whole)
    except UnicodeDecodeError as error:
        raise ValueError(_not_utf8(path)) from error
    if "\0" in text:
        raise ValueError(f"{path} is no text: it holds bytes of zero; save it as CSV")
    lines = text.splitlines()
    if not any(line.strip() for line in lines):
        raise ValueError(f"{path} is empty; expected the names of the columns and rows")
    return encoding.removesuffix("-sig"), lines if whole or len(lines) == 1 else lines[:-1]


def _decoded(head: bytes, whole: bool) -> str:
    """UTF-8, whose last character may have been cut in two."""
    try:
        return head.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if whole or error.start < len(head) - 4:
            raise
        return head[: error.start].decode("utf-8-sig")


def _not_utf8(path: Path) -> str:
    return (
        f"{path} is not encoded in UTF-8; convert it first, such as with: "
        f"iconv -f windows-1252 -t utf-8 {path.name} > {path.stem}-utf8{path.suffix}"
    )


def _delimiter(path: Path, lines: list[str]) -> str:
    """The first of the usual ones that divides all lines into as many parts, at least two; else there is one column."""
    usual = DELIMITERS.get(path.suffix.lower(), ",;\t|")
    lines = [line for line in lines[:SNIFFED_LINES] if line.strip()]
    widths = {mark: [len(row) for row in csv.reader(lines, delimiter=mark)] for mark in usual + UNUSUAL}
    equal = [mark for mark, found in widths.items() if min(found) == max(found) > 1]
    if equal and equal[0] in usual:
        return equal[0]
    if equal and len(lines) > 1 and max(max(widths[mark]) for mark in usual) == 1:
        raise ValueError(
            f"{path} seems to be divided by {equal[0]!r} into {widths[equal[0]][0]} columns; "
            "divide it by commas, semicolons, tabs or |"
        )
    return next((mark for mark in usual if widths[mark][0] > 1), usual[0])  # unequal lines are refused in reading


def _names(path: Path, lines: list[str], delimiter: str) -> list[str]:
    names = [name.strip() for name in next(csv.reader(lines, delimiter=delimiter))]
    names = [name or f"column_{position}" for position, name in enumerate(names)]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ValueError(f"{path} has two columns of the same name, {twice[0]!r}; rename one")
    counted = names[0].isdigit() and names == [str(int(names[0]) + place) for place in range(len(names))]
    if len(names) > 1 and not counted and all(map(is_number, names)):
        raise ValueError(f"the first line of {path} holds numbers; put a line with the names of the columns before it")
    return names


def is_number(text: str) -> bool:
    """Whether a text is that of a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def _typed(text: pa.ChunkedArray, keep: bool) -> tuple[Any, str]:
    """A column with its type, and a remark."""
    import pyarrow as pa

    pc: Any = import_module("pyarrow.compute")
    trimmed = pc.utf8_trim_whitespace(text)
    missing = pc.is_in(pc.utf8_lower(trimmed), pa.array(MISSING))
    null = pa.scalar(None, pa.string())
    kept, trimmed = pc.if_else(missing, null, text), pc.if_else(missing, null, trimmed)
    if keep or trimmed.null_count == len(trimmed):
        return kept, ""
    coded = pc.any(pc.match_substring_regex(trimmed, r"^[-+]?0\d+$")).as_py()  # 02139 is no number
    stamp = pa.timestamp("us")
    numbers = [] if coded else [pa.int64(), pa.float64()]
    first = trimmed.drop_null()[:1]  # a refusal is slow
    for kind in (*numbers, pa.bool_(), pa.date32(), stamp, pa.timestamp("us", "UTC")):
        try:
            pc.cast(first, kind)
            if kind == pa.float64() and all(map(_are_whole, (first, trimmed))):  # but too long for int64
                return kept, ""
            return pc.cast(trimmed, kind), ""
        except pa.ArrowInvalid:
            continue
    return (kept, "") if coded else _with_separators(kept, trimmed)


def _are_whole(texts: Any) -> bool:
    """Whether all are digits and a sign."""
    pc: Any = import_module("pyarrow.compute")
    return pc.all(pc.match_substring_regex(texts, r"^[-+]?\d+$")).as_py()


def _with_separators(kept: Any, trimmed: Any) -> tuple[Any, str]:
    """Numbers written with thousands separators or decimal commas, where every value of the column is one."""
    import pyarrow as pa

    pc: Any = import_module("pyarrow.compute")
    values = pc.unique(trimmed).drop_null().to_pylist()
    if not any("," in value for value in values[:1000]):
        return kept, ""
    grouped, comma = (all(map(pattern.fullmatch, values)) for pattern in (GROUPED, COMMA))
    if grouped and comma:
        return kept, "may hold thousands separators or decimal commas, as in '1,234'; it stays text: write one or none"
    if not (grouped or comma):
        return kept, ""
    plain = pc.replace_substring(trimmed, "," if grouped else ".", "")
    plain = plain if grouped else pc.replace_substring(plain, ",", ".")
    return pc.cast(
        plain, pa.float64()
    ), f"has {'thousands separators' if grouped else 'decimal commas'}; read as numbers"
