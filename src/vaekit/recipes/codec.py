"""Items ↦ a .vae file and back, without loss: chunks of what a model codes, each decoded again before it is trusted."""

from __future__ import annotations

import copy
import math
import platform
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any, BinaryIO

import numpy as np
import torch

from vaekit.container import Chunk, Kind, Reader, Writer, digest, pack, unpack
from vaekit.core import LatentModel
from vaekit.tasks.bits_back import Code, batches, decode_examples, encode_examples
from vaekit.tasks.chunks import device_of

from .codec_items import Items, Part, Stored, items_from_json
from .run import Run

MOST_THREADS = 256
MOST_FRAME = 2**31  # bytes
MOST_ITEMS = 2**48
PROBED = 256  # examples at most
SAMPLED, BLOCKS = 512, 8  # items that an estimate codes, and from how many places
OVERHEAD = 300  # bytes of a header, about
NO_MODEL = "no model codes them"
_LENGTH = struct.Struct("<I")

Progress = Callable[[int, int], None]  # items done, and of how many


@dataclass(frozen=True, eq=False)
class Source:
    """``count`` items to compress: ``contents`` gives the bytes of some of them.

    ``form`` says in the header what they come back as: an array, or a file of which ``frame`` is the rest. ``remarks``
    are for the user.
    """

    items: Items
    count: int
    contents: Callable[[slice], bytes]
    form: str = "array"
    frame: bytes = b""
    remarks: tuple[str, ...] = ()


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


class Codec:
    """A model as a code of chunks of items. What is computed depends on the number of ``threads``, which is fixed.

    Raises ValueError for models that are told labels.
    """

    def __init__(self, model: LatentModel, items: Items, threads: int | None = None):
        if model.shapes.c is not None:
            raise ValueError("a conditional model does not code items, as their labels are not there to decode them")
        on_cpu = device_of(model).type == "cpu"
        self.model = model if on_cpu else copy.deepcopy(model).cpu()  # where sums have one order
        self.items, self.threads = items, threads or min(torch.get_num_threads(), MOST_THREADS)

    def encode(self, content: bytes, n: int) -> bytes:
        """A chunk of n items. Raises ValueError for items off the grid, TypeError where the model has no code."""
        part = self.items.split(content, n)
        with _threads(self.threads):
            code = encode_examples(self.model, part.symbols, self.items.grid, part.mask)
        return _LENGTH.pack(len(code.data)) + code.data + np.packbits(code.plain).tobytes() + part.side

    def decode(self, payload: bytes, n: int) -> bytes:
        """The reverse. Raises ValueError for what cannot be a chunk of this model."""
        count = sum(1 for _ in batches(n))
        (length,) = _LENGTH.unpack(payload[:4].ljust(4, b"\xff"))
        data, end = payload[4 : 4 + length], 4 + length + -(-count // 8)
        if len(payload) < end:
            raise ValueError("the chunk is shorter than what it should hold")
        plain = np.unpackbits(np.frombuffer(payload[4 + length : end], np.uint8), count=count)
        side = payload[end:]
        mask = self.items.mask(side, n)
        with _threads(self.threads):
            symbols = decode_examples(self.model, Code(data, n, tuple(map(bool, plain))), self.items.grid, mask)
        return self.items.join(Part(symbols, mask, side))

    def probe(self, count: int) -> str:
        """A digest of the code of fixed examples: where it differs, what is decoded would."""
        shape = (min(count, PROBED), *self.model.shapes.x)
        mixed = (torch.arange(math.prod(shape)) * 2654435761 % 2**32 >> 12).view(shape)
        with _threads(self.threads):
            code = encode_examples(self.model, mixed % self.items.grid.counts, self.items.grid)
        return digest(code.data).hex()


def fingerprint(model: LatentModel) -> str:
    """A digest of the weights, 32 hexadecimal digits."""
    tensors = sorted(model.state_dict().items())
    parts = [name.encode() + value.cpu().contiguous().numpy().tobytes() for name, value in tensors]
    return digest(b"".join(digest(part, 16) for part in parts), 16).hex()


def compress(
    run: Run | None, source: Source, stream: BinaryIO, *, verify: bool = True, progress: Progress | None = None
) -> Compressed:
    """Write a .vae file.

    Chunks that the model cannot code, or not in fewer bytes than they have, are packed without it; with ``verify`` each
    chunk is decoded again, and one that does not come back is packed too. Raises TypeError and ValueError for models
    without a code, before anything is written.
    """
    items, found = source.items, Compressed(source.count)
    codec = None if run is None or isinstance(items, Stored) else Codec(run.model, items)
    writer = Writer(stream, _header(source, codec))
    if source.form != "array":
        writer.append(Kind.FRAME, 0, 0, pack(source.frame), source.frame)
    for start in range(0, source.count, items.at_once):
        n = min(items.at_once, source.count - start)
        content = source.contents(slice(start, start + n))
        payload, reason = (b"", NO_MODEL) if codec is None else _coded(codec, content, n, verify)
        if reason:
            found.packed[reason] = found.packed.get(reason, 0) + n
        writer.append(Kind.PACKED if reason else Kind.CODED, start, n, pack(content) if reason else payload, content)
        found.content += len(content)
        if progress:
            progress(start + n, source.count)
    found.coded, found.size = source.count - sum(found.packed.values()), writer.size
    return found


def estimate(run: Run, source: Source) -> float:
    """Bytes of the file that :func:`compress` would write, from coding a few items of all places.

    The first item of a chunk costs more than those after it, and is counted apart.
    """
    items, count = source.items, source.count
    if isinstance(items, Stored) or not count:
        return len(pack(source.contents(slice(0, count)))) + len(pack(source.frame)) + OVERHEAD
    size = max(1, min(SAMPLED, items.at_once, count) // BLOCKS)  # of a block
    starts = sorted({*np.linspace(0, count - size, BLOCKS).astype(int).tolist()})
    content = b"".join(source.contents(slice(start, start + size)) for start in starts)
    codec, n = Codec(run.model, items), size * len(starts)
    first = len(codec.encode(source.contents(slice(0, 1)), 1))
    other = (len(codec.encode(content, n)) - first) / max(n - 1, 1)
    chunks = math.ceil(count / items.at_once)
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
    header = reader.header
    _check_model(run, header)
    items = items_from_json(_get(header, "items", dict), None if run is None else run.schema)
    start, stop, step = (rows or slice(None)).indices(min(_get(header, "count", int), MOST_ITEMS))
    if step != 1:
        raise ValueError("rows are taken in order: first:end")
    found = Restored(items, _get(header, "form", str), max(0, stop - start), _frame(reader))
    chunks = [c for c in reader.chunks if c.kind != Kind.FRAME and c.start < stop and c.start + c.items > start]
    codec = _codec_of(run, items, header) if any(c.kind == Kind.CODED for c in chunks) else None
    reached = start
    for chunk in chunks:
        low, high = max(start, chunk.start), min(stop, chunk.start + chunk.items)
        try:
            if low < reached:
                raise ValueError("they are in another chunk, too")
            content = _content(reader, chunk, items, codec)
        except ValueError as error:
            found.damage.append(f"items {low:,} to {high - 1:,} are damaged: {error}")
            _refuse(found, recover)
            reached = max(reached, high)
            continue
        if low > reached:
            found.damage.append(f"items {reached:,} to {low - 1:,} are lost")
        within = items.take(content, chunk.items, slice(low - chunk.start, high - chunk.start))
        found.chunks.append((low, high - low, within))
        reached = high
        _refuse(found, recover)
        if progress:
            progress(high - start, found.count)
    if reached < stop:
        found.damage.append(f"items {reached:,} to {stop - 1:,} are lost")
    _refuse(found, recover)
    return found


def _coded(codec: Codec, content: bytes, n: int, verify: bool) -> tuple[bytes, str]:
    """A chunk as the model codes it, or why it does not."""
    try:
        payload = codec.encode(content, n)
        if len(payload) >= len(content):
            return b"", "they are unlike anything that the model knows"
        if verify and codec.decode(payload, n) != content:
            return b"", "they did not come back when they were decoded again"
    except ValueError as error:
        return b"", str(error)
    return payload, ""


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
    if digest(content) != chunk.digest:
        raise ValueError("they do not come back as they were")
    return content


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


def _header(source: Source, codec: Codec | None) -> dict[str, Any]:
    header: dict[str, Any] = {
        "count": source.count, "form": source.form, "items": {"kind": source.items.kind, **source.items.to_json()},
        "made": _here(),
    }  # fmt: skip
    if codec is not None:
        header |= {"threads": codec.threads, "model": fingerprint(codec.model), "probe": codec.probe(source.count)}
    return header


def _check_model(run: Run | None, header: Mapping[str, Any]) -> None:
    """Raises ValueError where a file needs a model, and this is not it."""
    if "model" not in header:
        return
    if run is None:
        raise ValueError("the file was compressed with a model: name its run")
    model, own = _get(header, "model", str), fingerprint(run.model)
    if model != own:
        raise ValueError(f"the file was compressed with another model ({model[:8]}…, the run's is {own[:8]}…)")


def _codec_of(run: Run | None, items: Items, header: Mapping[str, Any]) -> Codec:
    """The codec that wrote a file. Raises ValueError where it computes otherwise here."""
    threads = _get(header, "threads", int)
    if run is None or not 1 <= threads <= MOST_THREADS:
        raise ValueError(f"the file's header is damaged: it cannot be coded with {threads} threads")
    codec = Codec(run.model, items, threads)
    if codec.probe(_get(header, "count", int)) != _get(header, "probe", str):
        made, here = _get(header, "made", dict), _here()
        differing = [
            f"{name} {made.get(name)!s:.40} (here {here[name]})" for name in here if made.get(name) != here[name]
        ]
        where = f": it was written with {', '.join(differing)}" if differing else ""
        raise ValueError(
            f"the model computes otherwise here than where the file was written{where}; decompress it there"
        )
    return codec


def _here() -> dict[str, str]:
    versions = {name: version(name) for name in ("torch", "constriction")}
    from vaekit import __version__

    return {"vaekit": __version__, **versions, "platform": f"{platform.system()} {platform.machine()}"}


def _get(header: Mapping[str, Any], name: str, kind: type) -> Any:
    value = header.get(name)
    if type(value) is not kind or (kind is int and value < 0):
        raise ValueError(f"the file's header is damaged: it has no {name!r}")
    return value


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
