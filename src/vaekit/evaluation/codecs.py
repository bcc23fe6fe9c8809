"""What others need for the same bytes, pictures or tables."""

from __future__ import annotations

import bz2
import io
import lzma
import shutil
import subprocess
import tempfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from .sheets import Formats, on_a_sheet, writable

FORMATS: Formats = {  # with the settings of the smallest files
    "PNG": ("PNG", {"optimize": True}),
    "WebP": ("WEBP", {"lossless": True, "quality": 100, "method": 6}),
    "JPEG XL": ("JXL", {"lossless": True, "effort": 9}),
}
EACH = 1000  # pictures from which the mean size of one is taken
SHEET = 16_383  # pixels across that WebP can hold


def general(content: bytes) -> dict[str, int]:
    """Bytes by gzip, bz2, xz and, where its program is installed, zstd, each at its hardest."""
    sizes = {
        "gzip": len(zlib.compress(content, 9)) + 12,
        "bz2": len(bz2.compress(content, 9)),
        "xz": len(lzma.compress(content, preset=9 | lzma.PRESET_EXTREME)),
    }
    if program := shutil.which("zstd"):
        done = subprocess.run([program, "--ultra", "-22", "-c"], input=content, capture_output=True, check=True)
        sizes["zstd"] = len(done.stdout)
    return sizes


def of_pictures(pictures: np.ndarray) -> dict[str, int]:
    """Bytes of pictures (N, H, W) or (N, H, W, 3), uint8: of a file for each, extrapolated from the first thousand, and
    of one file with all of them on a sheet. WebP and JPEG XL are left out where Pillow lacks them.
    """
    if not len(pictures):
        return {}
    found, sheet = {}, on_a_sheet(pictures)
    for name, (format, settings) in writable(FORMATS).items():
        some = sum(_size(picture, format, settings) for picture in pictures[:EACH])
        found[f"{name} each"] = round(some * len(pictures) / min(EACH, len(pictures)))
        if max(sheet.shape[:2]) <= SHEET:
            found[f"{name} sheet"] = _size(sheet, format, settings)
    return found


def of_table(path: str | Path) -> dict[str, int]:
    """Bytes of a table's file as Parquet with zstd; nothing where it cannot be read or pyarrow is missing."""
    try:
        import pyarrow
        from pyarrow import csv, parquet
    except ImportError:
        return {}
    try:
        table = parquet.read_table(path) if Path(path).suffix == ".parquet" else csv.read_csv(path)
    except (OSError, pyarrow.ArrowInvalid):
        return {}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "table.parquet"
        parquet.write_table(table, file, compression="zstd", compression_level=22)
        return {"Parquet with zstd": file.stat().st_size}


def _size(picture: np.ndarray, format: str, settings: Mapping[str, Any]) -> int:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, format, **settings)
    return len(file.getvalue())
