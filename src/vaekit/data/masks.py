"""The hidden part of images, as the option ``mask`` says it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from vaekit.data.arrayfiles import read_npy

RECTANGLE = r"(-?\d{0,6}):(-?\d{0,6}),(-?\d{0,6}):(-?\d{0,6})"  # top:bottom,left:right


def hidden_part(mask: str | Any, n: int, size: tuple[int, int]) -> np.ndarray:
    """Where n images of a size (H, W) are hidden, bool (1 or N, 1, H, W): a rectangle "top:bottom,left:right", or an
    array (H, W) or (N, H, W) that is true there, or the path of one in a .npy file.

    Raises ValueError for another spelling or shape, and where nothing would be hidden.
    """
    what = f"the mask {mask}" if isinstance(mask, str) else "the mask"
    if not isinstance(mask, str):
        found = _of_array(mask, n, size, what)
    elif mask.endswith(".npy"):
        if not Path(mask).is_file():
            raise FileNotFoundError(f"no such file: {mask}")
        found = _of_array(read_npy(Path(mask)), n, size, what)
    else:
        found = _of_rectangle(mask, size)
    if not found.any():
        raise ValueError(f"{what} hides nothing of images of {size[0]} × {size[1]}")
    return found.reshape(-1, 1, *size)


def _of_array(mask: Any, n: int, size: tuple[int, int], what: str) -> np.ndarray:
    try:
        found = np.asarray(mask, bool)
    except ValueError as error:
        raise ValueError(f"{what} is no array of one shape") from error
    if found.shape not in (size, (1, *size), (n, *size)):
        raise ValueError(
            f"{what} has shape {found.shape}; expected {size}, or {(n, *size)}, one for each of the images"
        )
    return found


def _of_rectangle(mask: str, size: tuple[int, int]) -> np.ndarray:
    parts = re.fullmatch(RECTANGLE, mask.replace(" ", ""))
    if parts is None:
        raise ValueError(f"the mask is top:bottom,left:right or a .npy file, got {mask!r}")
    top, bottom, left, right = (_end(end) for end in parts.groups())
    found = np.zeros(size, bool)
    found[top:bottom, left:right] = True
    return found


def _end(text: str) -> int | None:
    return int(text) if text.strip("-") else None
