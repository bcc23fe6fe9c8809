"""How much is left of pictures at how many bytes, by one codec or another."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image

from .sheets import Formats, off_a_sheet, on_a_sheet, writable
from .ssim import ssim

QUALITIES = (0, 5, 10, 20, 30, 40, 50, 60, 70, 80, 90)  # to some codecs 100 means something else
FORMATS: Formats = {  # with the settings of small files
    "JPEG": ("JPEG", {"optimize": True, "progressive": True}),
    "WebP": ("WEBP", {"method": 6}),
    "AVIF": ("AVIF", {}),
    "JPEG XL": ("JXL", {}),
}

Pictures = np.ndarray  # (N, H, W, C) of one or three channels, uint8
Codec = Callable[[Pictures, float], tuple[int, Pictures]]  # pictures, quality ↦ bytes of a file, what it decodes to


class Point(NamedTuple):
    """What a quality comes to: ``size`` in bytes for each picture; ``psnr`` in dB, that of the mean squared error over
    all pictures, infinite where nothing is lost; ``ssim``, the mean structural similarity; what is ``decoded``.
    """

    quality: float
    size: float
    psnr: float
    ssim: float
    decoded: Pictures


def rate_distortion(pictures: Pictures, codec: Codec, qualities: Sequence[float] = QUALITIES) -> list[Point]:
    """A point for each quality, smallest file first."""
    points = (_point(pictures, quality, *codec(pictures, quality)) for quality in qualities)
    return sorted(points, key=lambda point: point.size)


def peers() -> dict[str, Codec]:
    """JPEG, WebP, AVIF and, where pillow-jxl-plugin is installed, JPEG XL: all pictures in one file, side by side, so
    that they share its header and its tables.
    """
    return {name: _codec(*choice) for name, choice in writable(FORMATS).items()}


def _point(pictures: Pictures, quality: float, size: int, decoded: Pictures) -> Point:
    error = float(np.square(pictures.astype(float) - decoded).mean())
    psnr = 10 * math.log10(255**2 / error) if error else math.inf
    before, after = (torch.from_numpy(np.moveaxis(each, -1, 1) / 255) for each in (pictures, decoded))
    return Point(quality, size / len(pictures), psnr, float(ssim(before, after).mean()), decoded)


def _codec(format: str, settings: Mapping[str, Any]) -> Codec:
    def codec(pictures: Pictures, quality: float) -> tuple[int, Pictures]:
        count, height, width, channels = pictures.shape
        whole = on_a_sheet(pictures)
        sheet = Image.fromarray(whole.squeeze(2) if channels == 1 else whole)
        file = io.BytesIO()
        sheet.save(file, format, quality=round(quality), **settings)
        decoded = np.asarray(Image.open(file).convert(sheet.mode)).reshape(whole.shape)
        return len(file.getvalue()), off_a_sheet(decoded, count, height, width)

    return codec
