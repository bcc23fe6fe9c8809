"""Reading arrays from .npy, .npz and IDX files; every declared size is checked against the bytes before it is used."""

from __future__ import annotations

import gzip
import math
import os
import re
import zipfile
import zlib
from io import BufferedIOBase, BytesIO
from pathlib import Path
from typing import IO

import numpy as np

from vaekit.data.arrays import check_numbers

ITEMS = ("x", "X", "x_train", "data", "images", "arr_0")
LABELS = ("y", "y_train", "labels", "target")
IDX_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
DEFLATE_LIMIT = 1040  # no deflated byte can stand for more bytes than this
CHUNK = 2**20
SMALLER = "use fewer items, or smaller images with resize (--resize 64)"
DAMAGE = (EOFError, zipfile.BadZipFile, zlib.error, gzip.BadGzipFile, NotImplementedError, RuntimeError)

Arrays = tuple[np.ndarray, np.ndarray | None]


def read_npy(path: Path) -> np.ndarray:
    """Return the array in a .npy file; raise ``ValueError`` if it is damaged or would need to be unpickled."""
    with path.open("rb") as stream:
        return check_numbers(_read_array(stream, path.stat().st_size, str(path)), f"the array in {path}")


def parse_npy(content: bytes, what: str) -> np.ndarray:
    """The same for the bytes of such a file; ``what`` they are called in errors."""
    return check_numbers(_read_array(BytesIO(content), len(content), what), what)


def read_npz(path: Path) -> tuple[Arrays, Arrays | None]:
    """Return the training and the test (items, labels) of a .npz file; labels and the test part may be None.

    The items are the array named x, X, x_train, data, images or arr_0, or the only one; the labels y, y_train,
    labels or target; the test part ``x_test`` and ``y_test``. Raises ``ValueError`` if the file is damaged or it is
    not clear which array holds the items.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
            items = next((name for name in ITEMS if name in members), None)
            if items is None:
                if len(members) != 1:
                    raise ValueError(
                        f"{path} must hold an array named {', '.join(ITEMS[:-1])} or {ITEMS[-1]}, or only one; it "
                        f"holds {', '.join(members) or 'none'}"
                    )
                (items,) = members
            labels = next((name for name in LABELS if name in members), None)
            names = (items, labels, "x_test", "y_test")
            arrays = [_read_member(archive, members.get(name or ""), path) for name in names]
    except DAMAGE as error:
        raise ValueError(f"{path} is damaged or not a .npz file ({error})") from error
    x, y, x_test, y_test = arrays
    assert x is not None
    return (x, y), None if x_test is None else (x_test, y_test)


def read_idx(path: Path) -> np.ndarray:
    """Return the array in an IDX file (the format of MNIST), gzipped or not, in native byte order.

    Raises ``ValueError`` if the header is not one, declares more than the file can hold, or the bytes do not match.
    """
    size = path.stat().st_size
    with path.open("rb") as raw:
        zipped = raw.read(2) == b"\x1f\x8b"
    try:
        with gzip.open(path) if zipped else path.open("rb") as stream:
            dtype, shape, header = _idx_header(stream, path)
            expected = math.prod(shape) * dtype.itemsize
            possible = size * DEFLATE_LIMIT if zipped else size - header
            if expected > possible:
                raise ValueError(f"{path} is truncated: its header declares {expected} bytes, more than it can hold")
            check_memory(expected, str(path))
            content = bytearray()
            while len(content) <= expected and (chunk := stream.read(CHUNK)):
                content += chunk
    except DAMAGE as error:
        raise ValueError(f"{path} is damaged or truncated ({error})") from error
    if len(content) != expected:
        problem = "truncated" if len(content) < expected else "too long"
        raise ValueError(f"{path} is {problem}: its header declares {expected} bytes of data for shape {shape}")
    return check_numbers(np.frombuffer(content, dtype).reshape(shape), f"the array in {path}")


def read_idx_pair(images: Path) -> Arrays:
    """Return the images of an IDX file and the labels of the file that MNIST's naming puts beside it, or None."""
    name = re.sub(r"idx\d", "idx1", images.name.replace("images", "labels"))
    plain = name.removesuffix(".gz")
    beside = [images.with_name(other) for other in (name, plain, f"{plain}.gz") if other != images.name]
    labels = next((path for path in beside if path.is_file()), None)
    return read_idx(images), None if labels is None else read_idx(labels)


def holds_idx(folder: Path) -> bool:
    """Say whether ``folder`` has an IDX file of training images, by MNIST's naming."""
    return _find_idx(folder, "train") is not None


def read_idx_folder(folder: Path) -> tuple[Arrays, Arrays | None]:
    """Return the training and, if it is there, the test (images, labels) of a folder with MNIST's files."""
    train, test = _find_idx(folder, "train"), _find_idx(folder, "t10k")
    if train is None:
        raise FileNotFoundError(f"{folder} has no train-images-idx3-ubyte, with or without .gz")
    return read_idx_pair(train), None if test is None else read_idx_pair(test)


def check_memory(needed: int, what: str, remedy: str = SMALLER) -> None:
    """Raise ``ValueError`` if ``needed`` bytes are more than the memory that is available, as far as that is known."""
    available = _available_memory()
    if available is not None and needed > available:
        raise ValueError(
            f"{what} would need {needed / 1e9:.1f} GB of memory, but {available / 1e9:.1f} GB is available; {remedy}"
        )


def _available_memory() -> int | None:
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None


def _find_idx(folder: Path, part: str) -> Path | None:
    names = [f"{part}-images{mark}idx3-ubyte{end}" for mark in "-." for end in ("", ".gz")]
    return next((folder / name for name in names if (folder / name).is_file()), None)


def _idx_header(stream: BufferedIOBase, path: Path) -> tuple[np.dtype, tuple[int, ...], int]:
    """Return the dtype, the shape and the header's length."""
    magic = stream.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in IDX_TYPES or not 1 <= magic[3] <= 4:
        raise ValueError(f"{path} is not an IDX file: it does not start with the magic number of one")
    sizes = stream.read(4 * magic[3])
    if len(sizes) < 4 * magic[3]:
        raise ValueError(f"{path} is truncated: its header ends early")
    return np.dtype(IDX_TYPES[magic[2]]), tuple(np.frombuffer(sizes, ">u4").tolist()), 4 + len(sizes)


def _read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo | None, path: Path) -> np.ndarray | None:
    if info is None:
        return None
    what = f"array {info.filename.removesuffix('.npy')!r} of {path}"
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"{what} is compressed in a way that numpy does not write; save it with np.savez_compressed")
    if info.file_size > DEFLATE_LIMIT * max(1, info.compress_size):
        raise ValueError(f"{what} is damaged: it declares more bytes than it can hold")
    with archive.open(info) as stream:
        return check_numbers(_read_array(stream, info.file_size, what), what)


def _read_array(stream: IO[bytes], size: int, what: str) -> np.ndarray:
    """Return the array of a .npy stream of ``size`` bytes, after checking that its header promises no more."""
    fmt = np.lib.format
    try:
        read_header = {(1, 0): fmt.read_array_header_1_0, (2, 0): fmt.read_array_header_2_0}[fmt.read_magic(stream)]
        shape, _, dtype = read_header(stream)
    except (ValueError, KeyError) as error:
        raise ValueError(f"{what} is empty, damaged or not a .npy file") from error
    if dtype.hasobject:
        raise ValueError(f"{what} holds Python objects, which are not read because that could run code; save numbers")
    needed = math.prod(shape) * dtype.itemsize
    if stream.tell() + needed > size:
        raise ValueError(f"{what} is truncated: its header declares {needed} bytes of data for shape {shape}")
    check_memory(needed, what)
    stream.seek(0)
    return fmt.read_array(stream, allow_pickle=False)
