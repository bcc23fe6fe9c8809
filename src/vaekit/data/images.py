"""Folders of image files as one array, and the resizing of images."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from vaekit.data.arrayfiles import check_memory
from vaekit.data.arrays import Size

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm")
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM")
PARTS = {"train", "training", "val", "valid", "validation", "test"}
SWAPPED = (5, 6, 7, 8)  # EXIF orientations that exchange height and width


@dataclass(frozen=True)
class Header:
    """What is known of an image file before its pixels are read; ``size`` is (height, width) as it is looked at."""

    path: Path
    size: Size
    color: bool
    deep: bool


def read_folder(root: Path, resize: Size | None = None) -> tuple[np.ndarray, np.ndarray | None, tuple[str, ...]]:
    """Return the images below ``root``, their labels and the class names.

    Images in the folder itself have no labels (None); images in subfolders are labeled by the subfolder, in sorted
    order of names. Images come in sorted order of paths; hidden files and other file types are left out. If all
    files are grey the array is (N, H, W), uint8 or, if one has 16 bits, uint16; if any has color it is
    (N, H, W, 3) uint8. Transparency is composited on white, EXIF orientation is applied, and of several frames the
    first is taken. With ``resize`` each image is scaled to that height and width, whatever its proportions.

    Raises ``ValueError`` for a folder without images or with images beside subfolders of images, for images of
    several sizes without ``resize``, for a file that cannot be read, and for more than memory can hold.
    """
    paths, labels, classes = _find(root)
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        headers = [_header(path) for path in paths]
        color, deep = any(h.color for h in headers), any(h.deep for h in headers)
        height, width = resize or _common_size(headers)
        shape = (len(paths), height, width, 3) if color else (len(paths), height, width)
        dtype = np.dtype(np.uint16 if deep and not color else np.uint8)
        check_memory(int(np.prod(shape, dtype=object)) * dtype.itemsize, f"the {len(paths)} images in {root}")
        x = np.empty(shape, dtype)
        for index, header in enumerate(headers):
            pixels = _decode(header, color, dtype)
            x[index] = pixels if resize is None else resize_image(pixels, resize, 0, np.iinfo(dtype).max)
    return x, labels, classes


def resize_image(pixels: np.ndarray, size: Size, low: float, high: float) -> np.ndarray:
    """Return an image (H, W) or (H, W, C) scaled to ``size`` (height, width) with a Lanczos filter, in its dtype.

    The filter can overshoot at edges, so the result is clipped to [low, high].
    """
    if pixels.ndim == 3:
        planes = [resize_image(pixels[:, :, c], size, low, high) for c in range(pixels.shape[2])]
        return np.stack(planes, axis=2)
    height, width = size
    plane = np.ascontiguousarray(pixels, None if pixels.dtype == np.uint8 else np.float32)
    scaled = np.asarray(Image.fromarray(plane).resize((width, height), Image.Resampling.LANCZOS))
    if pixels.dtype.kind in "biu":
        scaled = np.rint(scaled)
    return np.clip(scaled, low, high).astype(pixels.dtype)


def read_image(content: bytes, size: Size, *, color: bool) -> np.ndarray:
    """Return the pixels of one image file, (H, W) or with ``color`` (H, W, 3), uint8, as :func:`read_folder` would:
    of what has other proportions than ``size`` (height, width) the middle. Raises ``ValueError`` as that does.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with _opened(BytesIO(content), "this file") as image:
            if image.mode == "F":
                raise ValueError("its pixels are floating-point numbers; save it as PNG")
            image = ImageOps.exif_transpose(image)
            if image.mode.startswith("I"):
                image = Image.fromarray(_deep_pixels(image, np.dtype(np.uint8)).astype(np.uint8))
            image, (height, width) = _opaque(image).convert("RGB" if color else "L"), size
            return np.asarray(ImageOps.fit(image, (width, height), Image.Resampling.LANCZOS))


def _find(root: Path) -> tuple[list[Path], np.ndarray | None, tuple[str, ...]]:
    """Return the image files below ``root`` with labels and class names, if they lie in subfolders."""
    direct = [path for path in _visible(root) if path.is_file() and _is_image(path)]
    folders = {path.name: _walk(path) for path in _visible(root) if path.is_dir()}
    folders = {name: paths for name, paths in folders.items() if paths}
    if direct and folders:
        raise ValueError(
            f"{root} holds images beside subfolders of images ({', '.join(list(folders)[:3])}); put all images into "
            "subfolders, one for each class, or none"
        )
    if not direct and not folders:
        raise ValueError(f"{root} holds no images ({', '.join(SUFFIXES)}) and no IDX files")
    if set(folders) & PARTS and set(folders) <= PARTS:
        names = ", ".join(folders)
        raise ValueError(f"the subfolders of {root} ({names}) are parts of a data set, not classes; give one of them")
    if direct:
        return direct, None, ()
    labels = np.repeat(np.arange(len(folders)), [len(paths) for paths in folders.values()])
    return [path for paths in folders.values() for path in paths], labels, tuple(folders)


def _visible(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def _walk(folder: Path) -> list[Path]:
    found = []
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(parent, name) for name in names if not name.startswith(".") and _is_image(Path(name))]
    return sorted(found)


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES


def _common_size(headers: list[Header]) -> Size:
    first = headers[0]
    for other in headers:
        if other.size != first.size:
            (height, width), (other_height, other_width) = first.size, other.size
            raise ValueError(
                f"the images differ in size: {first.path} is {height} x {width} (height x width), {other.path} is "
                f"{other_height} x {other_width}; scale all of them to one size with resize (--resize 64)"
            )
    return first.size


@contextmanager
def _opened(file: Path | BytesIO, name: str = "") -> Iterator[Image.Image]:
    """Open an image file; whatever goes wrong until it is closed is a ``ValueError`` that names the file."""
    name = name or f"the image {file}"
    try:
        # as a stream: a path would be memory-mapped, and pillow 13.0 then scrambles uncompressed TIFF files with EXIF
        opened = file.open("rb") if isinstance(file, Path) else file
        with opened as stream, Image.open(stream, formats=FORMATS) as image:
            yield image
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ValueError(f"{name} has too many pixels and is refused ({error})") from error
    except UnidentifiedImageError as error:
        raise ValueError(f"cannot read {name}: it is no image of a known kind ({', '.join(FORMATS)})") from error
    except Exception as error:  # decoders raise many kinds, SyntaxError among them
        raise ValueError(f"cannot read {name} ({error}); repair or remove it") from error


def _header(path: Path) -> Header:
    with _opened(path) as image:
        if image.mode == "F":
            raise ValueError("its pixels are floating-point numbers; save them as .npy")
        height, width = image.height, image.width
        # a TIFF file's size is upright already; asking a PNG file without early EXIF data would decode its pixels
        turned = image.format not in ("PNG", "TIFF") or (image.format == "PNG" and "exif" in image.info)
        if turned and image.getexif().get(ExifTags.Base.Orientation) in SWAPPED:
            height, width = width, height
        return Header(path, (height, width), _has_color(image), image.mode.startswith("I"))


def _has_color(image: Image.Image) -> bool:
    if image.mode in ("P", "PA"):
        entries = np.reshape(image.getpalette("RGB") or [0, 0, 0], (-1, 3))
        return bool((entries != entries[:, :1]).any())
    return image.mode not in ("1", "L", "LA", "La") and not image.mode.startswith("I")


def _decode(header: Header, color: bool, dtype: np.dtype) -> np.ndarray:
    """Return the pixels as (H, W) or (H, W, 3) in ``dtype``, upright and without transparency."""
    with _opened(header.path) as image:
        image = ImageOps.exif_transpose(image)
        if header.deep:
            pixels = _deep_pixels(image, dtype)
        else:
            pixels = np.asarray(_opaque(image).convert("RGB" if color else "L"))
            pixels = pixels.astype(np.uint16) * 257 if dtype == np.uint16 else pixels
        if pixels.shape[:2] != header.size:
            raise ValueError("its pixels are not of the size that its header says")
    return pixels[:, :, None] if color and pixels.ndim == 2 else pixels


def _deep_pixels(image: Image.Image, dtype: np.dtype) -> np.ndarray:
    pixels = np.asarray(image)
    if pixels.min() < 0 or pixels.max() > 65535:
        raise ValueError("its values need more than 16 bits")
    return (pixels.astype(np.uint32) + 128) // 257 if dtype == np.uint8 else pixels.astype(np.uint16)


def _opaque(image: Image.Image) -> Image.Image:
    if not image.has_transparency_data:
        return image
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image.convert("RGBA"))
