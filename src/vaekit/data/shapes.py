"""Pictures of shapes drawn from known factors, in the manner of dSprites (Matthey et al., 2017)."""

from __future__ import annotations

from itertools import product

import numpy as np

SIDE, FINE = 32, 4  # pixels of a side; points of a pixel's side at which the shape is looked up
STEP = 6  # points from one place to the next
CLASSES = ("square", "ellipse", "heart")
FACTORS = {"shape": 3, "scale": 4, "orientation": 8, "x": 8, "y": 8}  # the number of values of each


def draw_shapes() -> tuple[np.ndarray, np.ndarray]:
    """All 6,144 combinations of the factors once: images uint8 (N, 32, 32) of 0 and 1, factors int64 (N, 5).

    A shape's radius is 5 to 9 pixels, its center at most 5.25 pixels from the picture's on each axis, its orientation a
    multiple of 90 / 8 degrees below 90, which tells all turns of all three shapes apart.
    """
    factors = np.array(list(product(*map(range, FACTORS.values()))), np.int64)
    places = FACTORS["x"] * FACTORS["y"]
    images = [_placed(_mask(*forms[0, :3])) for forms in factors.reshape(-1, places, len(FACTORS))]
    return np.concatenate(images), factors


def _mask(shape: int, scale: int, turn: int) -> np.ndarray:
    """A shape in the middle of a wider picture, looked up at fine points: bool."""
    side = SIDE * FINE + STEP * (FACTORS["x"] - 1)
    at = (np.arange(side) + 0.5 - side / 2) / FINE / (5 + 4 * scale / 3)
    x, y, angle = at[None, :], at[:, None], np.pi / 2 * turn / FACTORS["orientation"]
    return INSIDE[shape](np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x)


def _placed(mask: np.ndarray) -> np.ndarray:
    """The shape at every x and y, x first: (64, 32, 32), 1 where it covers half of a pixel."""
    starts = [STEP * (FACTORS["x"] - 1 - place) for place in range(FACTORS["x"])]
    windows = (mask[row:, column:][: SIDE * FINE, : SIDE * FINE] for column in starts for row in starts)
    covered = [window.reshape(SIDE, FINE, SIDE, FINE).sum((1, 3)) for window in windows]
    return (2 * np.stack(covered) >= FINE**2).astype(np.uint8)


def _square(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return np.maximum(np.abs(u), np.abs(v)) <= np.sqrt(0.5)


def _ellipse(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return u**2 + (2 * v) ** 2 <= 1


def _heart(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """The curve (a² + b² - 1)³ = a² b³, whose widest part is within the unit circle."""
    a, b = 1.25 * u, 0.1 - 1.25 * v
    return (a**2 + b**2 - 1) ** 3 <= a**2 * b**3


INSIDE = (_square, _ellipse, _heart)
