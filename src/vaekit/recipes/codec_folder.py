"""A folder of pictures as items that a model codes, and the same files back to the byte."""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from PIL import Image

from vaekit.container import digest
from vaekit.data import Schema

from .codec import Restored
from .codec_items import Arrays, Source

WAYS: tuple[dict[str, Any], ...] = ({}, {"optimize": True}, *({"compress_level": level} for level in (1, 9, 3, 0)))
_INDEX = struct.Struct("<Q")  # bytes of the index of the files, which comes before what is stored of them


def of_folder(schema: Schema, folder: Path) -> Source:
    """All files below a folder, in order of their paths.

    Pictures are items where they have the schema's shape and their file's bytes follow from their pixels: PNG files
    that Pillow writes, and files that hold the pixels as they are, such as PPM. Every other file is stored.
    """
    items = Arrays(schema, "|u1", schema.layout)
    index, pixels, kept, ways = [], [], [], list(WAYS)
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()):
        whole = path.read_bytes()
        entry: dict[str, Any] = {"path": path.relative_to(folder).as_posix(), "digest": digest(whole).hex()}
        picture = _pixels(whole, schema.layout)
        way = None if picture is None else _way(picture, whole, ways)
        if picture is None or way is None:
            kept.append(whole)
            index.append(entry | {"stored": len(whole)})
        else:
            pixels.append(picture)
            kept.append(way.pop("kept", b""))
            index.append(entry | way)
    text = json.dumps(index, separators=(",", ":"), ensure_ascii=False).encode()
    frame = b"".join([_INDEX.pack(len(text)), text, *kept])
    remarks = () if len(pixels) == len(index) else (_remark(len(index) - len(pixels), len(index), schema),)
    return Source(items, len(pixels), lambda rows: np.stack(pixels[rows]).tobytes(), "folder", frame, remarks)


def files_of(found: Restored) -> Iterator[tuple[PurePosixPath, bytes]]:
    """The files, as path and content: stored ones, and the pictures that are there.

    Raises ValueError where the list of files is lost or leads out of the folder, and for a file that does not come back
    as it was.
    """
    index, kept = _read_index(found.frame)
    items, number, at = found.items, 0, 0
    pictures = {start + i: (content, i) for start, n, content in found.chunks for i in range(n)}
    for entry in index:
        size = _number(entry, "stored" if "stored" in entry else "before")
        size += 0 if "stored" in entry else _number(entry, "after")
        part, at = kept[at : at + size], at + size
        if "stored" not in entry:
            number += 1
            if number - 1 not in pictures:
                continue
            content, i = pictures[number - 1]
            part = _spelled(_item(items, content, i), entry, part)
        if digest(part).hex() != entry.get("digest"):
            raise ValueError(f"{entry['path']} does not come back as it was: another Pillow may have written it")
        yield _inside(entry["path"]), part


def _pixels(whole: bytes, layout: tuple[int, ...]) -> np.ndarray | None:
    """The pixels of a picture of the layout, and of no other."""
    try:
        with Image.open(io.BytesIO(whole), formats=("PNG", "PPM", "BMP", "TIFF")) as image:
            shape = (image.height, image.width, *((3,) if image.mode == "RGB" else ()))
            fits = image.mode in ("L", "RGB") and shape == layout
            return np.asarray(image) if fits else None
    except Exception:  # decoders raise many kinds, and what is no picture is no mistake
        return None


def _way(pixels: np.ndarray, whole: bytes, ways: list[dict[str, Any]]) -> dict[str, Any] | None:
    """How the file follows from its pixels, the way that was found last being tried first; None if it does not."""
    at = whole.find(pixels.tobytes())
    if at >= 0:
        end = at + pixels.nbytes
        return {"before": at, "after": len(whole) - end, "kept": whole[:at] + whole[end:]}
    for way in ways if whole.startswith(b"\x89PNG") else ():
        if _png(pixels, way) == whole:
            ways.remove(way)
            ways.insert(0, way)
            return {"png": way}
    return None


def _spelled(pixels: np.ndarray, entry: dict[str, Any], around: bytes) -> bytes:
    """The file of a picture."""
    if "png" in entry:
        if entry["png"] not in WAYS:
            raise ValueError("the list of files is damaged: it names an unknown way of writing PNG files")
        return _png(pixels, entry["png"])
    before = _number(entry, "before")
    return around[:before] + pixels.tobytes() + around[before:]


def _png(pixels: np.ndarray, way: dict[str, Any]) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG", **way)
    return stream.getvalue()


def _read_index(frame: bytes | None) -> tuple[Sequence[dict[str, Any]], bytes]:
    if frame is None or len(frame) < _INDEX.size:
        raise ValueError("the list of files is lost: the pictures alone can be written to a .npy or .npz file")
    (length,) = _INDEX.unpack(frame[: _INDEX.size])
    try:
        index = json.loads(frame[_INDEX.size : _INDEX.size + length])
        if all(isinstance(entry, dict) and isinstance(entry["path"], str) for entry in index):
            return index, frame[_INDEX.size + length :]
    except (ValueError, TypeError, KeyError, RecursionError):
        pass
    raise ValueError("the list of files is damaged")


def _number(entry: dict[str, Any], name: str) -> int:
    value = entry.get(name, 0)
    if type(value) is not int or value < 0:
        raise ValueError("the list of files is damaged: it holds a size that is none")
    return value


def _item(items: Any, content: bytes, i: int) -> np.ndarray:
    if not isinstance(items, Arrays) or items.dtype != np.uint8:
        raise ValueError("the items are no pictures")
    size = items.item_bytes
    return items.array(content[i * size : (i + 1) * size], 1)[0]


def _inside(path: str) -> PurePosixPath:
    """Raises ValueError for a path that leads out of the folder."""
    parts = path.split("/")
    if not path or any(part in ("", ".", "..") or set(part) & set("\\:\0") for part in parts):
        raise ValueError(f"the list of files is damaged: {path[:80]!r} is no path within a folder")
    return PurePosixPath(path)


def _remark(stored: int, count: int, schema: Schema) -> str:
    size = " × ".join(map(str, schema.layout))
    return (
        f"{stored:,} of {count:,} files are stored as they are: they are no pictures of {size}, or their bytes do not "
        "follow from their pixels"
    )
