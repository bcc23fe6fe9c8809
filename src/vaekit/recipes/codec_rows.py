"""The rows of a table as they are compressed: the lines of a delimited file, back to the byte."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vaekit.coding import Stack
from vaekit.container import pack, unpack
from vaekit.data import Column, TableSchema
from vaekit.data.delimited import DELIMITERS, layout
from vaekit.data.spelling import CODED, MISSED, ODD
from vaekit.distributions.coded import Grid

from .cell_states import STATES, count_states, pop_states, push_states
from .codec_items import BYTES_AT_ONCE, Items, Part, Side
from .coded_column import CodedColumn

LINE = 3  # state of a cell whose line is kept as it is
MOST_ROWS = 2**16  # of a chunk
_LENGTHS = struct.Struct("<III")  # bytes of the code of states and low digits, of the states' counts, and of texts


@dataclass(eq=False)
class Beside(Side):
    """The ``states`` of the cells that are coded (n, C), the ``stack`` of their low digits, the texts of all other
    cells, and odd lines.
    """

    states: np.ndarray
    stack: Stack
    texts: bytes
    odd: bytes


class Rows(Items):
    """Lines of a file whose cells are between ``delimiter``s, on the grids of the columns that the model knows.

    ``names`` are the file's columns, ``coded`` says which of them the model codes, and how their cells are written.
    Cells that are written otherwise, columns that the model does not know and lines that are not so divided are kept
    as they are, packed.
    """

    kind = "rows"

    def __init__(
        self, schema: TableSchema, names: Sequence[str], delimiter: str, ending: str, longest: int,
        coded: Sequence[CodedColumn] = (),
    ):  # fmt: skip
        self.schema, self.names, self.delimiter, self.ending = schema, list(names), delimiter, ending
        self.longest, self.coded = longest, sorted(coded, key=lambda each: each.at)
        grids = dict.fromkeys(range(len(schema.table)), (0.0, 1.0, 1)) | {each.at: each.grid for each in self.coded}
        low, step, counts = (torch.tensor(values) for values in zip(*grids.values(), strict=True))
        self.grid = Grid(low.double(), step.double(), counts)
        self.seen = [each.at for each in self.coded]
        self.others = sorted(set(range(len(names))) - {each.place for each in self.coded})
        mark = re.escape(delimiter)
        self._cell = re.compile(rf'(?:^|{mark})((?:"(?:[^"]|"")*")|[^{mark}"]*)')

    @classmethod
    def learn(cls, schema: TableSchema, names: Sequence[str], delimiter: str, lines: Sequence[bytes]) -> Rows:
        """What the columns of a file look like, from all its ``lines``."""
        some = lines[:1000]
        ending = "\r\n" if 2 * sum(line.endswith(b"\r\n") for line in some) > len(some) else "\n"
        plain = cls(schema, names, delimiter, ending, max(map(len, lines), default=1))
        cells, _ = plain._cells(lines)
        found = (
            CodedColumn.learn(at, place, column, cells[place]) for at, place, column in _matched(schema, plain.names)
        )
        return cls(schema, names, delimiter, ending, plain.longest, [each for each in found if each is not None])

    @classmethod
    def from_json(cls, content: Any, schema: TableSchema) -> Rows:
        """What ``to_json`` gave. Raises ValueError where it does not fit the schema."""
        try:
            names, own = zip(*((str(name), each) for name, each in content["columns"]), strict=True)
            coded = [
                CodedColumn.from_json(at, place, column, own[place])
                for at, place, column in _matched(schema, names)
                if own[place] is not None
            ]
            longest, delimiter, ending = content["longest"], content["delimiter"], content["ending"]
            if type(longest) is not int or longest < 1 or len(delimiter) != 1 or ending not in ("\n", "\r\n"):
                raise ValueError("its lines are not described")
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f"the file's header does not say how its rows are written ({error})") from error
        return cls(schema, names, delimiter, ending, longest, coded)

    def to_json(self) -> dict[str, Any]:
        """How lines are divided, and how cells are written."""
        own: list[Any] = [None] * len(self.names)
        for each in self.coded:
            own[each.place] = each.to_json()
        columns = [list(pair) for pair in zip(self.names, own, strict=True)]
        return {"delimiter": self.delimiter, "ending": self.ending, "longest": self.longest, "columns": columns}

    def split(self, content: bytes, n: int) -> Part:
        """The cells of n lines."""
        lines = split_lines(content)
        if len(lines) != n:
            raise ValueError(f"{n} rows are not {len(lines)} lines")
        cells, fine = self._cells(lines)
        numbers = np.zeros((n, len(self.schema.table)), np.int64)
        states = np.full((n, len(self.coded)), LINE, np.uint8)
        texts: list[str] = []
        for own, each in enumerate(self.coded):
            numbers[fine, each.at], states[fine, own] = each.spelling.read(each.column, cells[each.place])
            texts += [cells[each.place][row] for row in np.flatnonzero(states[fine, own] == ODD)]
        for place in self.others:
            texts += cells[place]
        odd = b"".join(line for line, is_fine in zip(lines, fine, strict=True) if not is_fine)
        counts, stack, symbols = count_states(states), Stack(), torch.from_numpy(numbers)
        high, mask = self._high(symbols), torch.from_numpy(states == CODED)
        for own, each in reversed(list(enumerate(self.coded))):
            if each.width > 1:
                each.low(high[:, each.at]).push(stack, symbols[:, each.at] % each.width, mask[:, own])
        push_states(stack, states, counts)
        said = "\n".join(texts).encode("utf-8", "surrogateescape")
        data, table = stack.to_bytes(), pack(counts.astype("<u4").tobytes())
        side = _LENGTHS.pack(len(data), len(table), len(said)) + data + table + pack(said + odd)
        return Part(high, self._spread(mask), side)

    def open(self, side: bytes, n: int) -> Beside:
        """The states of the cells that are coded, the stack of their low digits, and the texts."""
        if len(side) < _LENGTHS.size:
            raise ValueError("the chunk does not say which of its cells are there")
        data, table, length = _LENGTHS.unpack(side[: _LENGTHS.size])
        stack, size = Stack(side[_LENGTHS.size :][:data]), 4 * len(self.coded) * STATES**2
        counts = unpack(side[_LENGTHS.size + data :][:table], size)
        if len(counts) != size:
            raise ValueError("the chunk does not say how many of its cells are there")
        states = pop_states(stack, n, np.frombuffer(counts, "<u4").reshape(-1, STATES, STATES))
        packed = unpack(side[_LENGTHS.size + data + table :], self.most_bytes)
        mask = self._spread(torch.from_numpy(states == CODED))
        return Beside(mask, states, stack, packed[:length], packed[length:])

    def join(self, symbols: Tensor, side: Beside) -> bytes:
        """The lines."""
        symbols, states, mask = symbols.clone(), side.states, torch.from_numpy(side.states == CODED)
        texts = iter(side.texts.decode("utf-8", "surrogateescape").split("\n"))
        odd = iter(split_lines(side.odd))
        for own, each in enumerate(self.coded):
            if each.width > 1:
                low = each.low(symbols[:, each.at]).pop(side.stack, mask[:, own])
                symbols[:, each.at] = symbols[:, each.at] * each.width + low
        fine = states[:, 0] != LINE if self.coded else np.ones(len(symbols), bool)
        try:
            rows = zip(*self._written(symbols.numpy()[fine], states[fine], texts), strict=True)
            lines = [
                (self.delimiter.join(next(rows)) + self.ending).encode("utf-8", "surrogateescape")
                if good
                else next(odd)
                for good in fine.tolist()
            ]
        except StopIteration as error:
            raise ValueError("there are fewer cells than rows have") from error
        return b"".join(lines)

    def take(self, content: bytes, n: int, rows: slice) -> bytes:
        """Some of the lines."""
        return b"".join(split_lines(content)[rows])

    @property
    def at_once(self) -> int:
        """65,536, or fewer long ones."""
        return max(1, min(MOST_ROWS, BYTES_AT_ONCE // self.longest))

    @property
    def most_bytes(self) -> int:
        """Of as many."""
        return self.at_once * self.longest

    def _cells(self, lines: Sequence[bytes]) -> tuple[list[list[str]], np.ndarray]:
        """The texts of each column of the lines that have as many as usual, and which these are."""
        rows, fine = [], np.zeros(len(lines), bool)
        for number, line in enumerate(lines):
            text = line.decode("utf-8", "surrogateescape")
            body = text.removesuffix(self.ending)
            cells = self._cell.findall(body) if '"' in body else body.split(self.delimiter)
            same = len(cells) == len(self.names) and self.delimiter.join(cells) + self.ending == text
            if same and "\n" not in body and len(line) <= self.longest:
                rows.append(cells)
                fine[number] = True
        return [list(column) for column in zip(*rows, strict=True)] or [[] for _ in self.names], fine

    def _written(self, numbers: np.ndarray, states: np.ndarray, texts: Iterator[str]) -> list[list[str]]:
        """The texts of each column of the file."""
        columns: list[list[str]] = [[] for _ in self.names]
        for own, each in enumerate(self.coded):
            column = np.where(states[:, own] == CODED, numbers[:, each.at], 0)
            columns[each.place] = [
                text if state == CODED else each.spelling.missing if state == MISSED else next(texts)
                for text, state in zip(each.spelling.write(each.column, column), states[:, own].tolist(), strict=True)
            ]
        for place in self.others:
            columns[place] = [next(texts) for _ in range(len(numbers))]
        return columns

    def _high(self, symbols: Tensor) -> Tensor:
        """What the model codes."""
        widths = torch.ones(symbols.shape[1], dtype=torch.long)
        for each in self.coded:
            widths[each.at] = each.width
        return symbols // widths

    def _spread(self, mask: Tensor) -> Tensor:
        """(N, coded columns) ↦ (N, columns of the model)."""
        whole = torch.zeros(len(mask), len(self.schema.table), dtype=torch.bool)
        whole[:, self.seen] = mask
        return whole


def _matched(schema: TableSchema, names: Sequence[str]) -> list[tuple[int, int, Column]]:
    """The columns that model and file have in common: where in the model, and where in the file."""
    places = {name: place for place, name in enumerate(names)}
    return [(at, places[each.name], each) for at, each in enumerate(schema.table) if each.name in places]


def split_lines(content: bytes) -> list[bytes]:
    """Each with its end."""
    return re.findall(rb"[^\n]*\n|[^\n]+$", content)


def read_rows(schema: TableSchema, path: Path, whole: bytes) -> tuple[Rows, list[bytes], bytes]:
    """The rows of a delimited file, its lines, and the line of names before them. Raises ValueError for other files."""
    if path.suffix.lower() not in DELIMITERS:
        raise ValueError("only the rows of .csv and .tsv files give its bytes back")
    encoding, delimiter, names = layout(path)
    if encoding != "utf-8":
        raise ValueError(f"it is encoded in {encoding}, not in UTF-8")
    first, *lines = split_lines(whole)
    return Rows.learn(schema, names, delimiter, lines), lines, first
