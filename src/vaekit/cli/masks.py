"""The hidden part of images, as ``--mask`` says it."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from vaekit.data.arrayfiles import read_npy

RECTANGLE = re.compile(r"(-?\d*):(-?\d*),(-?\d*):(-?\d*)")


def hidden_part(mask: str, n: int, size: tuple[int, int]) -> np.ndarray:
    """Where n images of a size (H, W) are hidden, bool (1 or N, 1, H, W): a rectangle "top:bottom,left:right", or a
    .npy file of an array (H, W) or (N, H, W) that is true there.

    Raises ValueError for another spelling or shape, and where nothing would be hidden.
    """
    found = _of_file(Path(mask), n, size) if mask.endswith(".npy") else _of_rectangle(mask, size)
    if not found.any():
        raise ValueError(f"the mask {mask} hides nothing of images of {size[0]} × {size[1]}")
    return found.reshape(-1, 1, *size)


def _of_file(path: Path, n: int, size: tuple[int, int]) -> np.ndarray:
    if not path.is_file():
        raise FileNotFoundError(f"no such file: {path}")
    found = read_npy(path)
    if found.shape not in (size, (1, *size), (n, *size)):
        raise ValueError(
            f"the mask {path} has shape {found.shape}; expected {size}, or {(n, *size)}, one for each of the images"
        )
    return found.astype(bool)


def _of_rectangle(mask: str, size: tuple[int, int]) -> np.ndarray:
    parts = RECTANGLE.fullmatch(mask.replace(" ", ""))
    if parts is None:
        raise ValueError(f"--mask is top:bottom,left:right or a .npy file, got {mask!r}")
    top, bottom, left, right = (int(end) if end else None for end in parts.groups())
    found = np.zeros(size, bool)
    found[top:bottom, left:right] = True
    return found
