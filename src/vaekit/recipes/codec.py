"""Items ↦ a .vae file and back, without loss: chunks of what a model codes, each decoded again before it is trusted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from vaekit.container import Chunk, Kind, Reader, Writer, digest, pack, unpack

from .codec_items import Items, Source, Stored, items_from_json
from .codec_lossy import LossyCodec
from .codec_model import Codec, check_model, entry, in_order
from .packed_run import pack_run, unpack_run
from .run import Run

ITEMS = (Kind.CODED, Kind.PACKED)
MOST_FRAME = 2**31  # bytes
MOST_ITEMS = 2**48
SAMPLED, BLOCKS = 512, 8  # items that an estimate codes, and from how many places
OVERHEAD = 300  # bytes of a header, about
NO_MODEL = "no model codes them"

Progress = Callable[[int, int], None]  # items done, and of how many


@dataclass
class Compressed:
    """What became of a source: its items, their bytes and those of the file; how many items a model codes, and by
    reason how many are packed without.
    """

    items: int
    content: int = 0
    size: int = 0
    coded: int = 0
    packed: dict[str, int] = field(default_factory=dict)


@dataclass(eq=False)
class Restored:
    """The items of a file: (first, count, bytes) of what is left of each chunk. ``damage`` says what is lost of the
    ``count`` items that were asked for.
    """

    items: Items
    form: str
    count: int
    frame: bytes | None
    chunks: list[tuple[int, int, bytes]] = field(default_factory=list)
    damage: list[str] = field(default_factory=list)

    @property
    def content(self) -> bytes:
        """Of all items that are there."""
        return b"".join(content for _, _, content in self.chunks)

    @property
    def intact(self) -> int:
        """How many items are there."""
        return sum(n for _, n, _ in self.chunks)


def compress(
    run: Run | None,
    source: Source,
    stream: BinaryIO,
    *,
    quality: float | None = None,
    verify: bool = True,
    with_model: bool = False,
    progress: Progress | None = None,
) -> Compressed:
    """Write a .vae file; with a ``quality`` of 0 to 100 a lossy one, see :class:`LossyCodec`.

    Chunks that the model cannot code, or not in fewer bytes than they have, are packed without it; with ``verify`` each
    chunk is decoded again, and one that does not come back is packed too. The file carries its model ``with_model``,
    whose weights are rounded before (see :func:`pack_run`). Raises TypeError and ValueError for models
    without a code, before anything is written.
    """
    items, found = source.items, Compressed(source.count)
    packed_run = pack_run(run) if run is not None and with_model else b""
    run = unpack_run(packed_run) if packed_run else run
    codec = None if run is None or isinstance(items, Stored) else _codec(run, items, quality)
    header: dict[str, Any] = {"count": source.count, "form": source.form}
    header |= {"items": {"kind": items.kind, **items.to_json()}}
    writer = Writer(stream, header | (codec.to_json(source.count) if codec else {}))
    if packed_run:
        writer.append(Kind.RUN, 0, 0, packed_run, packed_run)
    if source.form != "array":
        writer.append(Kind.FRAME, 0, 0, pack(source.frame), source.frame)
    with closing(in_order(codec, partial(_chunk, codec, source, verify), source.chunks())) as chunks:
        for rows, content, payload, reason in chunks:
            n = rows.stop - rows.start
            if reason:
                found.packed[reason] = found.packed.get(reason, 0) + n
            writer.append(Kind.PACKED if reason else Kind.CODED, rows.start, n, payload, content)
            found.content += len(content)
            if progress:
                progress(rows.stop, source.count)
    found.coded, found.size = source.count - sum(found.packed.values()), writer.size
    return found


def estimate(run: Run, source: Source, quality: float | None = None) -> float:
    """Bytes of the file that :func:`compress` would write, from coding a few items of all places.

    The first item of a chunk costs more than those after it, and is counted apart.
    """
    items, count = source.items, source.count
    if isinstance(items, Stored) or not count:
        return len(pack(source.contents(slice(0, count)))) + len(pack(source.frame)) + OVERHEAD
    size = max(1, min(SAMPLED, items.at_once, count) // BLOCKS)  # of a block
    starts = sorted({*np.linspace(0, count - size, BLOCKS).astype(int).tolist()})
    blocks = [slice(start, start + size) for start in starts]
    content, n = b"".join(map(source.contents, blocks)), size * len(starts)
    labels = None if source.labels is None else np.concatenate([source.labels[rows] for rows in blocks])
    codec = _codec(run, items, quality)
    with codec.alone():
        first = len(codec.encode(source.contents(slice(0, 1)), 1, source.labels_of(slice(0, 1))))
        other = (len(codec.encode(content, n, labels)) - first) / max(n - 1, 1)
    chunks = len(source.chunks())
    return chunks * first + (count - chunks) * other + len(pack(source.frame)) + OVERHEAD


def decompress(
    run: Run | None,
    reader: Reader,
    rows: slice | None = None,
    *,
    recover: bool = False,
    progress: Progress | None = None,
) -> Restored:
    """The items of a file, or some ``rows``; only the chunks that hold them are decoded.

    Raises ValueError where the file is of another model, where this machine computes otherwise than the one that wrote
    it, and where items are damaged: unless ``recover``, with which the others come back.
    """
    header, run = reader.header, run or _own_run(reader)
    check_model(header, run)
    items = items_from_json(entry(header, "items", dict), None if run is None else run.schema)
    start, stop, step = (rows or slice(None)).indices(min(entry(header, "count", int), MOST_ITEMS))
    if step != 1:
        raise ValueError("rows are taken in order: first:end")
    found = Restored(items, entry(header, "form", str), max(0, stop - start), _frame(reader))
    chunks = [c for c in reader.chunks if c.kind in ITEMS and c.start < stop and c.start + c.items > start]
    codec = None
    if any(c.kind == Kind.CODED for c in chunks):
        codec = _codec_of(header, run, items)
    parts, reached = _parts(chunks, start, stop)
    with closing(in_order(codec, partial(_restored, reader, codec, items), parts)) as results:
        for part, (content, error) in zip(parts, results, strict=True):
            if part.low > part.reached:
                found.damage.append(f"items {part.reached:,} to {part.low - 1:,} are lost")
            if error:
                found.damage.append(f"items {part.low:,} to {part.high - 1:,} are damaged: {error}")
            else:
                found.chunks.append((part.low, part.high - part.low, content))
            _refuse(found, recover)
            if progress:
                progress(part.high - start, found.count)
    if found.frame is None and found.form != "array" and rows is None:
        found.damage.append("what is in the file beside the items is damaged")
    if reached < stop:
        found.damage.append(f"items {reached:,} to {stop - 1:,} are lost")
    _refuse(found, recover)
    return found


def _codec(run: Run, items: Items, quality: float | None) -> Codec:
    return Codec(run, items) if quality is None else LossyCodec(run, items, quality)


def _codec_of(header: dict[str, Any], run: Run | None, items: Items) -> Codec:
    """The codec that wrote a file."""
    if run is None:
        raise ValueError("the file was compressed with a model: name its run")
    return (LossyCodec if "quality" in header else Codec).from_json(header, run, items)


def _chunk(codec: Codec | None, source: Source, verify: bool, rows: slice) -> tuple[slice, bytes, bytes, str]:
    """Some items, their bytes, those of their chunk, and if no model codes them why."""
    content = source.contents(rows)
    payload, reason = (b"", NO_MODEL) if codec is None else _coded(codec, source, content, rows, verify)
    return rows, content, pack(content) if reason else payload, reason


def _coded(codec: Codec, source: Source, content: bytes, rows: slice, verify: bool) -> tuple[bytes, str]:
    """A chunk as the model codes it, or why it does not."""
    n = rows.stop - rows.start
    try:
        payload = codec.encode(content, n, source.labels_of(rows))
        if len(payload) >= len(content):
            return b"", "they are unlike anything that the model knows"
        if verify and codec.exact and codec.decode(payload, n) != content:
            return b"", "they did not come back when they were decoded again"
    except ValueError as error:
        return b"", str(error)
    return payload, ""


class _Part(NamedTuple):
    """The items ``low``, …, ``high`` - 1 of a chunk; chunks before it reach to the item ``reached``."""

    chunk: Chunk
    reached: int
    low: int
    high: int


def _parts(chunks: Sequence[Chunk], start: int, stop: int) -> tuple[list[_Part], int]:
    """The items between start and stop that each chunk has, and how far all of them reach."""
    found, reached = [], start
    for chunk in chunks:
        low, high = max(start, chunk.start), min(stop, chunk.start + chunk.items)
        found.append(_Part(chunk, reached, low, high))
        reached = max(reached, high)
    return found, reached


def _restored(reader: Reader, codec: Codec | None, items: Items, part: _Part) -> tuple[bytes, str]:
    """The bytes of items, or what is wrong with them."""
    chunk = part.chunk
    try:
        if part.low < part.reached:
            raise ValueError("they are in another chunk, too")
        content = _content(reader, chunk, items, codec)
    except ValueError as error:
        return b"", str(error)
    return items.take(content, chunk.items, slice(part.low - chunk.start, part.high - chunk.start)), ""


def _content(reader: Reader, chunk: Chunk, items: Items, codec: Codec | None) -> bytes:
    """The bytes of a chunk's items. Raises ValueError where they are not what was compressed."""
    if not 0 < chunk.items <= items.at_once:
        raise ValueError(f"a chunk has at most {items.at_once:,} items, not {chunk.items:,}")
    payload = reader.payload(chunk)
    if chunk.kind == Kind.PACKED:
        content = unpack(payload, items.most_bytes)
    else:
        assert codec is not None
        content = codec.decode(payload, chunk.items)
    is_exact = codec is None or codec.exact or chunk.kind == Kind.PACKED
    if is_exact and digest(content) != chunk.digest:
        raise ValueError("they do not come back as they were")
    return content


def _own_run(reader: Reader) -> Run | None:
    """The run that a file carries, if any. Raises ValueError where it is damaged."""
    chunk = next((chunk for chunk in reader.chunks if chunk.kind == Kind.RUN), None)
    return None if chunk is None else unpack_run(reader.payload(chunk))


def _frame(reader: Reader) -> bytes | None:
    """What surrounds the items in their file; None where it is lost, or there is none."""
    for chunk in reader.chunks:
        if chunk.kind == Kind.FRAME:
            try:
                frame = unpack(reader.payload(chunk), MOST_FRAME)
            except ValueError:
                continue
            if digest(frame) == chunk.digest:
                return frame
    return None


def _refuse(found: Restored, recover: bool) -> None:
    if found.damage and not recover:
        raise ValueError(f"{found.damage[0]}; nothing was written: recover the rest with --recover")
