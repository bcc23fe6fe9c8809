"""The one plane through a latent space that shows most of the data."""

from __future__ import annotations

from typing import Any

import numpy as np

from .encoding import Axes

BEYOND = 1.5  # times as far as the prior reaches to which places are decoded, as screens are wide


class Plane:
    """Two directions from a center, with their names and how far they reach."""

    def __init__(self, center: np.ndarray, directions: np.ndarray, ends: np.ndarray, names: list[str]):
        self.center, self.directions, self.ends, self.names = center, directions, ends, names

    @classmethod
    def of(cls, axes: Axes) -> Plane:
        """The whole latent space where it has two dimensions, else the directions along which the data vary most."""
        if len(axes.center) == 2:
            ends = np.stack([axes.low, axes.high], 1)
            return cls(np.zeros(2, np.float32), np.eye(2, dtype=np.float32), ends, ["z[0]", "z[1]"])
        return cls(axes.center, axes.directions[:2], axes.ends[:2], ["direction 1", "direction 2"])

    def coordinates(self, z: np.ndarray) -> np.ndarray:
        """Latents (N, D) ↦ where they lie on the plane (N, 2)."""
        return (z - self.center) @ self.directions.T

    def grid(self, side: int) -> tuple[np.ndarray, dict[str, Any]]:
        """Latents of side × side places, row by row from below, and where they are."""
        middle, reach = self.ends.mean(1), BEYOND * np.diff(self.ends)[:, 0] / 2
        x, y = (np.linspace(m - r, m + r, side, dtype=np.float32) for m, r in zip(middle, reach, strict=True))
        points = np.stack(np.meshgrid(x, y), -1).reshape(-1, 2)
        places = {"side": side, "low": [float(x[0]), float(y[0])], "high": [float(x[-1]), float(y[-1])]}
        return self.center + points @ self.directions, places

    def axes(self, axes: Axes) -> dict[str, Any]:
        """The same as /axes of a model whose latents are the plane's coordinates."""
        low, high = self.ends.T.tolist()
        return {"order": [0, 1], "importance": None, "measure": None, "names": self.names, "center": [0, 0],
                "directions": [[1, 0], [0, 1]], "shares": axes.shares[:2], "ends": self.ends.tolist(), "low": low,
                "high": high}  # fmt: skip
