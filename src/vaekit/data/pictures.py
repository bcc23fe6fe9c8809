"""Items as pictures to look at, and pictures as items."""

from __future__ import annotations

from typing import Any

import numpy as np

from vaekit.data.arrays import as_array
from vaekit.data.images import read_image
from vaekit.data.schema import Schema
from vaekit.data.table import TableSchema


def as_pictures(schema: Schema | TableSchema, x: Any) -> np.ndarray:
    """Model units (..., C, H, W) ↦ images (..., H, W, C), clipped to [0, 1], on white; vectors stay; of the rows of a
    table each column is scaled from its range to [0, 1].
    """
    array = as_array(x)[0].astype(np.float32, copy=False)
    if isinstance(schema, TableSchema):
        low = np.array([(column.low - column.offset) / column.scale for column in schema.table])
        span = np.array([(column.high - column.low) / column.scale or 1.0 for column in schema.table])
        return ((array - low) / span).clip(0, 1)
    if schema.kind != "image":
        return array
    array = np.moveaxis(array, -3, -1).clip(0, 1)
    if array.shape[-1] == 4:
        color, opacity = array[..., :3], array[..., 3:].clip(0, 1)
        array = color * opacity + 1 - opacity
    return array


def as_pixels(schema: Schema | TableSchema, x: Any) -> np.ndarray:
    """Model units (..., C, H, W) ↦ 8-bit pixels (..., H, W, C), C = 1 or 3.

    Raises ValueError for what is no image and for values that are not finite.
    """
    if schema.kind != "image":
        raise ValueError(f"pictures are those of images, but this run was trained on {schema.words}")
    pictures = as_pictures(schema, x)
    if not np.isfinite(pictures).all():
        raise ValueError("the model gives no numbers there; expected latents nearer to those of the data")
    return np.rint(255 * pictures).astype(np.uint8)


def item_from_file(schema: Schema | TableSchema, content: bytes) -> np.ndarray:
    """An image file ↦ one raw item (1, *layout): its middle, in the proportions of the training data's images, scaled
    to their size, in grey where they are grey, black being their lowest value and white their highest.

    Raises ValueError for a file that is no image and for a schema that is not of images.
    """
    if not isinstance(schema, Schema) or schema.kind != "image":
        raise ValueError(f"expected {schema.words}, but got an image file")
    channels, height, width = schema.shape
    pixels = read_image(content, (height, width), color=channels > 1)
    x = np.moveaxis(pixels.reshape(height, width, -1) / np.float32(255), -1, 0)
    if channels == 4:
        x = np.concatenate([x, np.ones_like(x[:1])])
    return schema.restore(x[None])
