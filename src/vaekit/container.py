"""The file of compressed items, a ``.vae`` file: a header, and chunks that are checked, found and read one by one.

It knows no model: what the header says and what a chunk's bytes mean is for others to know. See docs/format.md.
"""

from __future__ import annotations

import json
import lzma
import struct
import zlib
from enum import IntEnum
from hashlib import blake2b
from typing import Any, BinaryIO, NamedTuple, Protocol

MAGIC = b"\x89VAE\r\n\x1a\n"  # not text, so that a transfer as text is noticed
VERSION = 1
MOST_HEADER = 2**22  # bytes of its JSON
MARK = b"\xc5vae"  # where a chunk starts
_START = struct.Struct("<8sHI4s")  # magic, version, bytes of the header, their check
_HEAD = struct.Struct("<4sBQII4s8s")  # mark, kind, first item, items, bytes, their check, digest of the content
_CHECK = 4  # bytes of a check; digests have 8
_XZ = {"format": lzma.FORMAT_RAW, "filters": [{"id": lzma.FILTER_LZMA2, "preset": 6}]}


class Kind(IntEnum):
    """What a chunk holds: what surrounds the items, items as a model codes them, items packed without one, or the run
    of that model.
    """

    FRAME = 0
    CODED = 1
    PACKED = 2
    RUN = 3


class Chunk(NamedTuple):
    """Items ``start``, …, ``start + items - 1``; their bytes are ``length`` from ``offset`` on in the file."""

    kind: Kind
    start: int
    items: int
    offset: int
    length: int
    check: bytes
    digest: bytes


class _Bytes(Protocol):
    """What bytes and maps of files have in common."""

    def __len__(self) -> int: ...
    def __getitem__(self, at: slice, /) -> bytes: ...
    def find(self, part: bytes, start: int, /) -> int: ...


def digest(content: bytes, size: int = 8) -> bytes:
    """BLAKE2b."""
    return blake2b(content, digest_size=size).digest()


class Writer:
    """Writes the header at once and chunks as they come."""

    def __init__(self, stream: BinaryIO, header: dict[str, Any]):
        self.stream, self.size = stream, 0
        packed = zlib.compress(json.dumps(header, separators=(",", ":")).encode(), 9)
        self._write(_START.pack(MAGIC, VERSION, len(packed), digest(packed, _CHECK)) + packed)

    def append(self, kind: Kind, start: int, items: int, payload: bytes, content: bytes) -> None:
        """A chunk whose bytes are ``payload``; ``content`` is what they must decode to."""
        head = _HEAD.pack(MARK, kind, start, items, len(payload), digest(payload, _CHECK), digest(content))
        self._write(head + digest(head, _CHECK) + payload)

    def _write(self, data: bytes) -> None:
        self.stream.write(data)
        self.size += len(data)


class Reader:
    """The ``header`` of a file, its intact ``chunks``, and in ``damage`` the parts of the file that are none.

    ``data`` are the bytes of the file, or a map of it: chunks are found by their heads alone, of which each says where
    the next one is; where one is damaged, the next is searched for. Raises ValueError where the header cannot be read.
    """

    def __init__(self, data: _Bytes):
        self.data = data
        self.header, start = _read_header(data)
        self.chunks: list[Chunk] = []
        self.damage: list[str] = []
        while start < len(data):
            chunk = self._chunk_at(start)
            if chunk is None:
                start = self._skip(start)
            else:
                self.chunks.append(chunk)
                start = chunk.offset + chunk.length

    def payload(self, chunk: Chunk) -> bytes:
        """A chunk's bytes. Raises ValueError where they are damaged."""
        payload = self.data[chunk.offset : chunk.offset + chunk.length]
        if digest(payload, _CHECK) != chunk.check:
            raise ValueError(f"the bytes from {chunk.offset:,} to {chunk.offset + chunk.length:,} are damaged")
        return payload

    def _chunk_at(self, start: int) -> Chunk | None:
        """None where there is no intact head, or the file ends before the chunk does."""
        offset = start + _HEAD.size + _CHECK
        head = self.data[start : start + _HEAD.size]
        if offset > len(self.data) or head[:4] != MARK or digest(head, _CHECK) != self.data[offset - _CHECK : offset]:
            return None
        _, kind, first, items, length, check, content = _HEAD.unpack(head)
        if kind not in list(Kind) or offset + length > len(self.data):
            return None
        return Chunk(Kind(kind), first, items, offset, length, check, content)

    def _skip(self, start: int) -> int:
        """Where the next intact head is, or the file's end."""
        at = start
        while (at := self.data.find(MARK, at + 1)) >= 0 and self._chunk_at(at) is None:
            pass
        end = len(self.data) if at < 0 else at
        self.damage.append(f"the bytes from {start:,} to {end:,} hold no intact chunk")
        return end


def pack(content: bytes) -> bytes:
    """LZMA2, for what no model codes."""
    return lzma.compress(content, **_XZ)


def unpack(packed: bytes, most: int) -> bytes:
    """The reverse. Raises ValueError where the bytes are damaged or yield more than ``most``."""
    machine = lzma.LZMADecompressor(**_XZ)
    try:
        content = machine.decompress(packed, most + 1)
    except lzma.LZMAError as error:
        raise ValueError(f"packed bytes are damaged ({error})") from error
    if len(content) > most or not machine.eof:
        raise ValueError(f"packed bytes hold something else than at most {most:,} bytes")
    return content


def _read_header(data: _Bytes) -> tuple[dict[str, Any], int]:
    """The header, and where it ends."""
    if len(data) < _START.size or data[:8] != MAGIC:
        raise ValueError("this is not a .vae file: it does not start as one")
    _, version, length, check = _START.unpack(data[: _START.size])
    end = _START.size + length
    if version != VERSION:
        raise ValueError(f"the file has format {version}, this vaekit reads format {VERSION}; upgrade it")
    if end > len(data):
        raise ValueError(f"the file is cut off: its header should end at byte {end:,}, it has {len(data):,}")
    packed = data[_START.size : end]
    if digest(packed, _CHECK) != check:
        raise ValueError("the file's header is damaged")
    try:
        machine = zlib.decompressobj()
        text = machine.decompress(packed, MOST_HEADER)
        header = json.loads(text) if machine.eof else None
    except (zlib.error, ValueError, RecursionError) as error:
        raise ValueError(f"the file's header is damaged ({error})") from error
    if not isinstance(header, dict):
        raise ValueError("the file's header is damaged: it is no JSON object of an acceptable size")
    return header, end
