"""The files that commands write besides runs: items, pictures of items, latents."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vaekit import plots, store
from vaekit.data.pictures import as_pixels

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import Tensor

    from vaekit.data import Schema, TableSchema

ARRAYS = (".npy", ".npz")
TABLES = (".csv", ".parquet")
PICTURES = (".png", ".pdf", ".svg")


def check_items(out: str, schema: Schema | TableSchema) -> None:
    """Raise ValueError or OSError if items cannot be written to ``out``, before the work is done."""
    path = Path(out)
    check_parent(path)
    if schema.kind == "table":
        if not is_picture(out):
            check_table(out)
        return
    if path.suffix.lower() not in ("", *ARRAYS, *PICTURES) and not _is_folder(out):
        raise ValueError(f"items are written as {', '.join(ARRAYS + PICTURES)} or into a folder, got {out!r}")
    if _is_folder(out) and path.exists() and any(path.iterdir()):
        raise FileExistsError(f"the folder {out} is not empty; choose another one")


def check_latents(out: str) -> None:
    """Raise ValueError or OSError if latents cannot be written to ``out``, before the work is done."""
    if Path(out).suffix.lower() not in (*ARRAYS, *TABLES):
        raise ValueError(f"latents are written as {', '.join(ARRAYS + TABLES)}, got {out!r}")
    check_parent(Path(out))


def check_table(out: str) -> None:
    """Raise ValueError or OSError if a table cannot be written to ``out``, before the work is done."""
    if Path(out).suffix.lower() not in TABLES:
        raise ValueError(f"rows are written as {' or '.join(TABLES)}, got {out!r}")
    if Path(out).is_dir():
        raise IsADirectoryError(f"{out} is a folder; name a file to write")
    check_parent(Path(out))


def write_table(path: Path, rows: Any) -> None:
    """Write a data frame, or an array (N, D), as CSV or Parquet."""
    import narwhals as nw

    from vaekit.data import Table

    if isinstance(rows, np.ndarray):
        table = Table.read(rows)
        rows = nw.from_dict(dict(table.columns), backend="pyarrow").to_native()
    frame = nw.from_native(rows, eager_only=True)
    with store.replacing(path) as temporary:
        write = frame.write_csv if path.suffix.lower() == ".csv" else frame.write_parquet
        write(str(temporary))


def check_array(path: Path) -> None:
    """Raise ValueError or OSError if raw items cannot be written to ``path``."""
    if path.suffix.lower() not in ARRAYS:
        raise ValueError(f"items are written as {' or '.join(ARRAYS)}, got {str(path)!r}")
    check_parent(path)


def write_array(path: Path, array: np.ndarray) -> None:
    """Write raw items as .npy or .npz."""
    check_array(path)
    _write_arrays(path, array, {"x": array})


def is_picture(out: str) -> bool:
    """Whether ``out`` is one picture of all items."""
    return Path(out).suffix.lower() in PICTURES and not _is_folder(out)


def write_items(out: str, schema: Schema | TableSchema, x: Tensor, figure: Callable[[], Figure]) -> None:
    """Write items in model units (N, *shape): as raw items, as the figure, or as one image file each."""
    path = Path(out)
    if is_picture(out):
        plots.save(figure(), path)
    elif schema.kind == "table":
        write_table(path, schema.restore(x))
    elif _is_folder(out):
        _write_images(path, schema, x)
    else:
        raw = schema.restore(x)
        _write_arrays(path, raw, {"x": raw})


def write_latents(path: Path, z: np.ndarray, y: np.ndarray | None, classes: Sequence[str]) -> None:
    """Write latents (N, D), in tables and .npz with the labels if there are any, in tables by their classes' names."""
    if path.suffix.lower() in ARRAYS:
        labels = {} if y is None else {"y": y, **({"classes": np.array(classes)} if classes else {})}
        _write_arrays(path, z, {"z": z, **labels})
        return
    names = None if y is None else [classes[label] if 0 <= label < len(classes) else label for label in y]
    heads = [f"z{i}" for i in range(z.shape[1])]
    if path.suffix.lower() == ".parquet":
        import narwhals as nw

        columns = {head: z[:, i] for i, head in enumerate(heads)} | ({} if names is None else {"label": names})
        write_table(path, nw.from_dict(columns, backend="pyarrow").to_native())
        return
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow([*heads, *([] if y is None else ["label"])])
    for i, row in enumerate(z.astype(str)):  # the shortest text that reads back to the same float32
        writer.writerow([*row, *([] if names is None else [names[i]])])
    store.write_text(path, text.getvalue())


def _is_folder(out: str) -> bool:
    return out.endswith("/") or not Path(out).suffix or Path(out).is_dir()


def check_parent(path: Path) -> None:
    """Raise FileNotFoundError if there is no folder to write into."""
    if not path.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {path.parent} to write {path.name} into")


def _write_arrays(path: Path, array: np.ndarray, named: dict[str, np.ndarray]) -> None:
    with store.replacing(path) as temporary, temporary.open("wb") as stream:
        if path.suffix.lower() == ".npy":
            np.save(stream, array)
        else:
            np.savez_compressed(stream, allow_pickle=False, **named)


def _write_images(folder: Path, schema: Schema, x: Tensor) -> None:
    """One 8-bit PNG file for each image, numbered from 0."""
    from PIL import Image

    if schema.kind != "image":
        raise ValueError("a folder of PNG files is for images, but the data are vectors; write .npy or .png")
    folder.mkdir(exist_ok=True)
    pixels = as_pixels(schema, x)
    digits = max(4, len(str(len(pixels) - 1)))
    for i, image in enumerate(pixels):
        with store.replacing(folder / f"{i:0{digits}}.png") as temporary:
            Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(temporary)
