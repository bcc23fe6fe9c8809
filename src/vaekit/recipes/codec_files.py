"""What a user names ↦ items to compress, and a file's own bytes back."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from vaekit import store
from vaekit.data import Schema, Table, TableSchema, load_dataset
from vaekit.data.arrays import as_array
from vaekit.data.published import PUBLISHED

from .codec import Restored
from .codec_folder import files_of, of_folder
from .codec_frames import FORM as FRAME
from .codec_frames import frame, of_frame
from .codec_items import Arrays, Source, Stored
from .codec_rows import read_rows
from .examples import Part, choose_examples
from .run import Run

_BEFORE = struct.Struct("<Q")  # bytes of a file before its items


def open_source(run: Run, data: str | Path | None, part: Part | None = None) -> Source:
    """What to compress: a data set by name, as an array (without ``data`` the run's own), or a file or folder to the
    byte.

    Files whose items the run does not code, or whose bytes do not follow from their items, are stored as they are, and
    ``remarks`` says so. Raises OSError for files that are not there, ValueError for names that are not known.
    """
    if data is None and isinstance(run.schema, TableSchema):
        data = run.request.data
    if data is None or data in PUBLISHED:
        chosen = choose_examples(run, None if data is None else str(data), part)
        return of_array(run, chosen.x, chosen.y)
    path = Path(data).expanduser()
    if part is not None:
        raise ValueError("parts are those of a data set that is known by name; a file is compressed whole")
    if path.is_dir():
        return of_folder(_schema(run), path)
    if not path.is_file():
        raise FileNotFoundError(f"no such file: {path}")
    whole = path.read_bytes()
    try:
        return _of_file(run, path, whole)
    except ValueError as error:
        return stored(whole, f"{path.name} is stored without the model: {error}")


def of_array(run: Run, raw: Any, y: Any = None) -> Source:
    """The items of an array (N, *layout), whose labels ``y`` a conditional model is told; else they are unknown to it.

    Raises ValueError for other items than the run's, and for other labels.
    """
    if isinstance(run.schema, TableSchema):
        return of_frame(run.schema, raw)
    x, _ = as_array(raw)
    x = np.ascontiguousarray(raw if isinstance(raw, np.ndarray) else x)  # in its own byte order
    items, context = Arrays(_schema(run), x.dtype.str, x.shape[1:]), run.schema.context
    labels = None if y is None or context is None or context.kind != "labels" else context.positions(y, len(x))
    return Source(items, len(x), lambda rows: x[rows].tobytes(), labels=labels)


def stored(content: bytes, *remarks: str) -> Source:
    """A file that no model codes."""
    return Source(Stored(), len(content), lambda rows: content[rows], "file", _BEFORE.pack(0), remarks)


def file_bytes(found: Restored) -> bytes:
    """The file that was compressed. Raises ValueError where it cannot be had whole."""
    if found.form != "file" or found.frame is None or len(found.frame) < _BEFORE.size:
        raise ValueError("the file's own bytes are not there, only its items: write them to a .npy or .npz file")
    (before,) = _BEFORE.unpack(found.frame[: _BEFORE.size])
    rest = found.frame[_BEFORE.size :]
    return b"".join([rest[:before], found.content, rest[before:]])


def write_back(found: Restored, path: Path) -> None:
    """Write the file or folder that was compressed, or of a folder the files that are there."""
    if found.form != "folder":
        store.write_bytes(path, file_bytes(found))
        return
    with store.replacing_folder(path) as temporary:
        for name, content in files_of(found):
            place = temporary / name
            place.parent.mkdir(parents=True, exist_ok=True)
            with place.open("xb") as stream:  # no file twice
                stream.write(content)


def array(found: Restored) -> Any:
    """The items (N, *layout) that are there. Raises ValueError where they are none of an array."""
    if found.form == FRAME:
        return frame(found)
    if not isinstance(found.items, Arrays):
        raise ValueError("the file holds no array; write the file itself")
    return found.items.array(found.content, found.intact)


def _of_file(run: Run, path: Path, whole: bytes) -> Source:
    """The items whose bytes lie in a file, with what is before and after them."""
    if isinstance(run.schema, TableSchema):
        items, lines, names = read_rows(run.schema, path, whole)
        return Source(items, len(lines), lambda rows: b"".join(lines[rows]), "file", _BEFORE.pack(len(names)) + names)
    x = load_dataset(path).x
    if isinstance(x, Table):
        raise ValueError(f"it is a table, but the run was trained on {run.schema.words}")
    for dtype in (x.dtype, x.dtype.newbyteorder()):
        source = of_array(run, x.astype(dtype, copy=False))
        content = source.contents(slice(None))
        if (at := whole.find(content)) >= 0:
            frame = _BEFORE.pack(at) + whole[:at] + whole[at + len(content) :]
            return replace(source, form="file", frame=frame)
    raise ValueError("its bytes do not follow from its items; unpack it, if it is compressed")


def _schema(run: Run) -> Schema:
    if not isinstance(run.schema, Schema):
        raise ValueError(f"the run is of {run.schema.words}")
    return run.schema
