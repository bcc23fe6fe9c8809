"""Pictures side by side in one picture, and the formats of files that such a picture can be written to."""

from __future__ import annotations

import math
from contextlib import suppress
from importlib import import_module
from typing import Any

import numpy as np
from PIL import Image

Formats = dict[str, tuple[str, dict[str, Any]]]  # what Pillow calls a format, and settings


def writable(formats: Formats) -> Formats:
    """Those of the formats that Pillow can write here; JPEG XL where pillow-jxl-plugin is installed."""
    with suppress(ImportError):
        import_module("pillow_jxl")
    Image.init()
    return {name: choice for name, choice in formats.items() if choice[0] in Image.SAVE}


def on_a_sheet(pictures: np.ndarray) -> np.ndarray:
    """Pictures (N, H, W, ...) in rows, as square as it gets; what is left is black."""
    count, height, width, *channels = pictures.shape
    columns = max(1, math.ceil(math.sqrt(count)))
    rows = -(-count // columns)
    tiles = np.zeros((rows * columns, height, width, *channels), pictures.dtype)
    tiles[:count] = pictures
    tiles = tiles.reshape(rows, columns, height, width, *channels).swapaxes(1, 2)
    return tiles.reshape(rows * height, columns * width, *channels)


def off_a_sheet(sheet: np.ndarray, count: int, height: int, width: int) -> np.ndarray:
    """The reverse: ``count`` pictures of a size."""
    rows, columns, channels = sheet.shape[0] // height, sheet.shape[1] // width, sheet.shape[2:]
    tiles = sheet.reshape(rows, height, columns, width, *channels).swapaxes(1, 2)
    return tiles.reshape(-1, height, width, *channels)[:count]
