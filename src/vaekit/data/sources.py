"""Data by name or path: arrays with their labels, class names and origin."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from vaekit.data import arrayfiles
from vaekit.data.arrays import Size, check_numbers
from vaekit.data.download import fetch
from vaekit.data.frames import FILES, Table
from vaekit.data.published import PUBLISHED, lookup
from vaekit.data.scaling import channel_axis, item_layout

Resize = int | Size | None
FORMATS = ".csv, .tsv, .parquet, .npy, .npz, an IDX file (with or without .gz) or a folder of images"


@dataclass(frozen=True, eq=False)
class Dataset:
    """Items with what is known of them.

    ``x`` (N, ...) in its own dtype: images (N, H, W), (N, H, W, C) or (N, C, H, W), or vectors (N, D); or a
    :class:`Table` of N rows; ``y`` (N,) int64 labels or None; ``x_test``, ``y_test`` a published test set, never used
    for decisions, or None; ``classes`` the class names in the order of the labels, () if unknown; ``columns`` the names
    of a data frame's columns, else (); ``source`` where the data came from. ``factors`` (N, F) int64 are the values
    from which items were
    made and ``factor_names`` their names, where these are known, else None and ().
    """

    name: str
    x: Any
    y: np.ndarray | None = None
    x_test: Any = None
    y_test: np.ndarray | None = None
    classes: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    source: str = ""
    factors: np.ndarray | None = None
    factor_names: tuple[str, ...] = ()


def load(source: str | Path, *, resize: Resize = None) -> tuple[Any, np.ndarray | None]:
    """Return the training part of a data set, ``x`` and its labels ``y`` or None: see `load_dataset`."""
    dataset = load_dataset(source, resize=resize)
    return dataset.x, dataset.y


def load_dataset(source: str | Path, *, resize: Resize = None) -> Dataset:
    """Load a data set by name (see `catalogue`) or from a path.

    A path is a table, .csv, .tsv or .parquet; a .npy file; a .npz file (items named x, X, x_train, data, images or
    arr_0; labels y, y_train, labels or target; a test set x_test and y_test); an IDX file, gzipped or not, with the
    labels that MNIST's naming puts beside it; a folder of MNIST's four IDX files; or a folder of images, with one
    subfolder for each class if there are classes. A name goes before a path: write ``./digits`` for a folder of that
    name. ``resize``, one number or (height, width), scales every image, whatever its proportions.

    Raises ``ValueError`` for an unknown name and for content that is not valid, ``OSError`` (``FileNotFoundError``)
    for what cannot be found, read or downloaded.
    """
    if not isinstance(source, str | os.PathLike):
        raise TypeError(
            f"expected the name or path of a data set, but got {type(source).__name__}; arrays need no loading"
        )
    size = _size(resize)
    if isinstance(source, str) and source in PUBLISHED:
        return _resized(_load_published(source), size)
    path = Path(source).expanduser()
    if source == "" or not path.exists():
        if isinstance(source, str) and len(path.parts) <= 1 and not path.suffix:
            lookup(source)
        raise FileNotFoundError(f"no such file or folder: {path}; expected {FORMATS}")
    if path.suffix.lower() in FILES:
        return Dataset(path.stem, Table.read(path), source=str(path))
    if path.is_dir() and not arrayfiles.holds_idx(path):
        return _load_images(path, size)
    return _resized(_load_arrays(path), size)


def _load_published(name: str) -> Dataset:
    data = PUBLISHED[name]
    source = f"{data.page} ({data.licence})"
    if data.drawn:
        from vaekit.data.shapes import FACTORS, draw_shapes

        x, factors = draw_shapes()
        names = tuple(FACTORS)
        return Dataset(name, x, factors[:, 0], classes=data.classes, source=source, factors=factors, factor_names=names)
    if not data.files:
        from sklearn.datasets import load_digits

        digits: Any = load_digits()
        x, y = digits.images.astype(np.uint8), digits.target.astype(np.int64)
        return Dataset(name, x, y, classes=data.classes, source=source)
    folder = fetch(name)
    x, y, x_test, y_test = (arrayfiles.read_idx(folder / file.name) for file in data.files)
    return _checked(name, (x, y), (x_test, y_test), data.classes, source)


def _load_arrays(path: Path) -> Dataset:
    suffix = path.suffix.lower()
    test = None
    if path.is_dir():
        train, test = arrayfiles.read_idx_folder(path)
    elif suffix == ".npy":
        train = arrayfiles.read_npy(path), None
    elif suffix == ".npz":
        train, test = arrayfiles.read_npz(path)
    elif suffix == ".gz" or "idx" in path.name or "ubyte" in path.name:
        train = arrayfiles.read_idx_pair(path)
    else:
        raise ValueError(f"cannot read {path}: expected {FORMATS}; read other files yourself and pass the array")
    return _checked(path.name.split(".")[0] or path.name, train, test, (), str(path))


def _load_images(folder: Path, size: Size | None) -> Dataset:
    from vaekit.data.images import read_folder

    x, y, classes = read_folder(folder, size)
    return Dataset(folder.resolve().name, x, y, classes=classes, source=str(folder))


def _checked(
    name: str,
    train: arrayfiles.Arrays,
    test: arrayfiles.Arrays | None,
    classes: tuple[str, ...],
    source: str,
) -> Dataset:
    """Return the parts as a data set, or raise ``ValueError`` if they are empty or do not belong together."""
    (x, y), (x_test, y_test) = train, test or (None, None)
    for part in (x, x_test):
        if part is not None and part.size == 0:
            raise ValueError(f"{source} holds an empty array, of shape {part.shape}")
    if x_test is not None and x_test.shape[1:] != x.shape[1:]:
        raise ValueError(f"{source}: test items of shape {x_test.shape[1:]} are unlike training items, {x.shape[1:]}")
    y = None if y is None else _labels(y, len(x), source)
    y_test = None if y_test is None or x_test is None else _labels(y_test, len(x_test), source)
    return Dataset(name, x, y, x_test, y_test, classes=classes, source=source)


def _labels(y: np.ndarray, n: int, source: str) -> np.ndarray:
    y = check_numbers(y, f"the labels in {source}")
    if y.shape not in ((n,), (n, 1)):
        raise ValueError(f"{source}: expected one label for each of {n} items, but the labels have shape {y.shape}")
    labels = y.reshape(n).astype(np.int64)
    if not np.array_equal(labels, y.reshape(n)):
        raise ValueError(f"{source}: labels must be whole numbers, one for each class; leave other targets out")
    return labels


def _size(resize: Resize) -> Size | None:
    if resize is None:
        return None
    height, width = resize if isinstance(resize, tuple | list) and len(resize) == 2 else (resize, resize)
    if not all(isinstance(side, int) and not isinstance(side, bool) and side > 0 for side in (height, width)):
        raise ValueError(f"resize must be one positive whole number of pixels, or (height, width); got {resize!r}")
    return height, width  # pyright: ignore[reportReturnType]


def _resized(dataset: Dataset, size: Size | None) -> Dataset:
    if size is None:
        return dataset
    x_test = None if dataset.x_test is None else _resize_images(dataset.x_test, size)
    return replace(dataset, x=_resize_images(dataset.x, size), x_test=x_test)


def _resize_images(x: np.ndarray, size: Size) -> np.ndarray:
    """Return images of any layout scaled to ``size``, in their dtype and range."""
    from vaekit.data.images import resize_image

    layout = item_layout(x.shape)
    if len(layout) == 1:
        raise ValueError(f"resize applies to images, but the data are vectors, of shape {x.shape}; leave it out")
    first = channel_axis(layout) == -3
    items = np.moveaxis(x, 1, -1) if first else x
    shape = (len(x), *size, *items.shape[3:])
    arrayfiles.check_memory(math.prod(shape) * x.itemsize, "the resized images")
    resized = np.empty(shape, x.dtype)
    low, high = float(x.min()), float(x.max())
    for index, item in enumerate(items):
        resized[index] = resize_image(item, size, low, high)
    return np.moveaxis(resized, -1, 1) if first else resized
