"""What is compressed: items as bytes, and the whole numbers that a model codes in their place."""

from __future__ import annotations

import itertools
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vaekit.data import Schema, TableSchema
from vaekit.data.scaling import channel_axis
from vaekit.distributions.coded import Grid

BYTES_AT_ONCE = 2**23  # of items in a chunk
VALUES_AT_ONCE = 2**21  # of those of arrays


@dataclass(frozen=True, eq=False)
class Part:
    """Items as a model codes them: ``symbols`` (n, *event) on a grid, ``mask`` (True = there) or None, and ``side``,
    bytes of what the symbols do not say, the mask included.
    """

    symbols: Tensor
    mask: Tensor | None = None
    side: bytes = b""


@dataclass(eq=False)
class Side:
    """What is known of items before their symbols are."""

    mask: Tensor | None


class Items(ABC):
    """Items of one kind: how their bytes, of which a chunk is a string, become whole numbers on ``grid`` and back.

    The bytes of several items are those of each in a row.
    """

    kind: str  # in a file's header
    grid: Grid

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """What :func:`items_from_json` needs to know, beside the run's schema, to make this again."""

    @abstractmethod
    def split(self, content: bytes, n: int) -> Part:
        """The bytes of n items as a model codes them. Raises ValueError where the grid does not hold them exactly."""

    def open(self, side: bytes, n: int) -> Side:
        """What comes beside the symbols of n items. Raises ValueError where it is damaged."""
        return Side(None)

    @abstractmethod
    def join(self, symbols: Tensor, side: Any) -> bytes:
        """The bytes of items of these symbols, ``side`` being what :meth:`open` made of what comes beside them."""

    @abstractmethod
    def take(self, content: bytes, n: int, rows: slice) -> bytes:
        """The bytes of some of n items."""

    @property
    @abstractmethod
    def at_once(self) -> int:
        """How many items make a chunk."""

    @property
    @abstractmethod
    def most_bytes(self) -> int:
        """More bytes than a chunk's content ever has."""


@dataclass(frozen=True, eq=False)
class Source:
    """``count`` items to compress: ``contents`` gives the bytes of some of them.

    ``form`` says in the header what they come back as: an array, or a file of which ``frame`` is the rest. ``labels``
    are what a conditional model is told of them, the positions of their classes (N,), where known. ``remarks`` are for
    the user.
    """

    items: Items
    count: int
    contents: Callable[[slice], bytes]
    form: str = "array"
    frame: bytes = b""
    remarks: tuple[str, ...] = ()
    labels: np.ndarray | None = None

    def chunks(self) -> list[slice]:
        """The items of each chunk: of about the same number, and of no more than a chunk's."""
        count = math.ceil(self.count / self.items.at_once)
        ends = np.linspace(0, self.count, count + 1).round().astype(int).tolist()
        return [slice(*pair) for pair in itertools.pairwise(ends)]

    def labels_of(self, rows: slice) -> np.ndarray | None:
        """Those of some items."""
        return None if self.labels is None else self.labels[rows]


class Arrays(Items):
    """Items of an array (N, *layout) of ``dtype``, on the grid of the run's schema.

    Raises ValueError for items of another shape than the run's and for a run on continuous values.
    """

    kind = "array"

    def __init__(self, schema: Schema, dtype: str, layout: tuple[int, ...]):
        if layout != schema.layout:
            raise ValueError(f"items of shape {_times(layout)} are not coded by a run on {_times(schema.layout)}")
        if schema.step is None or isinstance(schema.low, tuple) or isinstance(schema.high, tuple):
            raise ValueError(
                f"the run was trained on continuous values ({schema.words}), which have no exact code: train on the "
                "whole numbers that were recorded"
            )
        self.schema, self.dtype, self.layout = schema, np.dtype(dtype), layout
        self.low, self.step = schema.low, (schema.high - schema.low if schema.binarized else schema.step)
        self.counts = round((schema.high - schema.low) / self.step) + 1
        low, step = (schema.low - schema.offset[0]) / schema.scale[0], self.step / schema.scale[0]
        ends = torch.tensor([low, step], dtype=torch.float64)
        self.grid = Grid(ends[0], ends[1], torch.tensor(self.counts))

    def to_json(self) -> dict[str, Any]:
        """Dtype and shape."""
        return {"dtype": self.dtype.str, "layout": list(self.layout)}

    def split(self, content: bytes, n: int) -> Part:
        """Their positions on the grid."""
        x = self.array(content, n)
        with np.errstate(all="ignore"):
            symbols = np.rint((x.astype(np.float64) - self.low) / self.step)
            fine = bool(((symbols >= 0) & (symbols < self.counts)).all())
        if not fine or self._values(symbols).tobytes() != content:
            raise ValueError(f"there are values that are not on the grid of the run's data ({self.schema.words})")
        axis = None if self.schema.kind == "vector" else channel_axis(self.layout)
        if self.schema.kind == "image":
            symbols = symbols[:, None] if axis is None else np.moveaxis(symbols, axis, -3)
        return Part(torch.from_numpy(np.ascontiguousarray(symbols, np.int64)))

    def join(self, symbols: Tensor, side: Any) -> bytes:
        """The values there."""
        found = symbols.numpy()
        if self.schema.kind == "image":
            axis = channel_axis(self.layout)
            found = found[:, 0] if axis is None else np.moveaxis(found, -3, axis)
        return self._values(found).tobytes()

    def take(self, content: bytes, n: int, rows: slice) -> bytes:
        """All items have the same number of bytes."""
        start, stop, _ = rows.indices(n)
        return content[start * self.item_bytes : stop * self.item_bytes]

    def array(self, content: bytes, n: int) -> np.ndarray:
        """The items (n, *layout). Raises ValueError for another number of bytes."""
        if len(content) != n * self.item_bytes:
            raise ValueError(f"{n} items of {self.item_bytes} bytes are not {len(content)} bytes")
        return np.frombuffer(content, self.dtype).reshape(n, *self.layout)

    @property
    def item_bytes(self) -> int:
        """Bytes of an item."""
        return math.prod(self.layout) * self.dtype.itemsize

    @property
    def at_once(self) -> int:
        """8,192, or fewer large ones, so that a few thousand pictures are chunks for several processors."""
        return max(1, min(8192, VALUES_AT_ONCE // math.prod(self.layout)))

    @property
    def most_bytes(self) -> int:
        """Of as many."""
        return self.at_once * self.item_bytes

    def _values(self, symbols: np.ndarray) -> np.ndarray:
        per_unit = round(1 / self.step) if self.step < 1 else 1  # divided by, as k / 255 is what 8-bit pictures hold
        values = self.low + (symbols / per_unit if per_unit > 1 else symbols * self.step)
        return np.ascontiguousarray(values.astype(self.dtype))


class Stored(Items):
    """The bytes of a file that no model codes, each an item."""

    kind = "bytes"
    at_once = most_bytes = BYTES_AT_ONCE  # pyright: ignore[reportAssignmentType, reportIncompatibleMethodOverride]

    def to_json(self) -> dict[str, Any]:
        """Nothing."""
        return {}

    def split(self, content: bytes, n: int) -> Part:
        """Refused."""
        raise ValueError("these bytes are not coded by a model")

    def join(self, symbols: Tensor, side: Any) -> bytes:
        """Refused."""
        raise ValueError("these bytes are not coded by a model")

    def take(self, content: bytes, n: int, rows: slice) -> bytes:
        """As they lie."""
        return content[rows]


def items_from_json(content: Mapping[str, Any], schema: Any) -> Items:
    """What a header says of the items. Raises ValueError where it does not fit the schema of the run, or None."""
    try:
        if content["kind"] == Stored.kind:
            return Stored()
        if content["kind"] == Arrays.kind and isinstance(schema, Schema):
            dtype, layout = content["dtype"], tuple(content["layout"])
            if np.dtype(dtype).kind in "biuf" and all(type(size) is int for size in layout):
                return Arrays(schema, dtype, layout)
        if content["kind"] == "rows" and isinstance(schema, TableSchema):
            from .codec_rows import Rows

            return Rows.from_json(content, schema)
    except (KeyError, TypeError) as error:
        raise ValueError(f"the file's header does not say what the items are ({error})") from error
    raise ValueError(f"the file holds items of kind {str(content['kind'])[:40]!r}, which this run does not code")


def _times(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape))
