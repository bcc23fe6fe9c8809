"""A model as a lossy code of pictures: their latents and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np

from vaekit.tasks.lossy import check_lossy, decode_latents, encode_latents

from .codec_items import Items, Side
from .codec_model import Codec, entry, fingerprint
from .run import Run


class LossyCodec(Codec):
    """The means of p(x|z), on the grid of the items, for latents as fine as the ``quality`` of 0 to 100 asks.

    What comes back is not what went in, and on another machine it may differ in a rounding. Raises TypeError for models
    without such a code, ValueError for another quality.
    """

    exact = False

    def __init__(self, run: Run, items: Items, quality: float):
        super().__init__(run, items)
        check_lossy(self.model, quality)
        self.quality = float(quality)

    def encode(self, content: bytes, n: int, labels: np.ndarray | None = None) -> bytes:
        """A chunk of n pictures. Raises ValueError for values off the grid."""
        return encode_latents(self.model, self.items.grid.values(self.items.split(content, n).symbols), self.quality)

    def decode(self, payload: bytes, n: int) -> bytes:
        """What is left of them. Raises ValueError for what cannot be a chunk of this model."""
        return self.items.join(self.items.grid.nearest(decode_latents(self.model, payload, n)), Side(None))

    def to_json(self, count: int) -> dict[str, Any]:
        """What a file's header says, without a probe: a checksum in each chunk tells whether its latents come back."""
        return {"quality": self.quality, "model": fingerprint(self.model)}

    @classmethod
    def from_json(cls, header: Mapping[str, Any], run: Run, items: Items) -> Self:
        """The codec that wrote a file."""
        return cls(run, items, entry(header, "quality", float))
