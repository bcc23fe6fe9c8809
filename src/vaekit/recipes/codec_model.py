"""A model as a code of items: on the machine that decodes the same one as on that which encoded, or none at all."""

from __future__ import annotations

import copy
import math
import platform
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any, Self

import numpy as np
import torch

from vaekit import __version__
from vaekit.container import digest
from vaekit.core import LatentModel
from vaekit.tasks.bits_back import Code, batches, decode_examples, encode_examples
from vaekit.tasks.chunks import device_of

from .codec_items import Items, Part
from .run import Run

MOST_THREADS = 256
PROBED = 256  # examples at most
_LENGTH = struct.Struct("<I")


class Codec:
    """A model as a code of chunks of items. What is computed depends on the number of ``threads``, which is fixed.

    Raises ValueError for models that are told labels.
    """

    exact = True

    def __init__(self, model: LatentModel, items: Items, threads: int | None = None):
        if model.shapes.c is not None:
            raise ValueError("a conditional model does not code items, as their labels are not there to decode them")
        on_cpu = device_of(model).type == "cpu"
        self.model = model if on_cpu else copy.deepcopy(model).cpu()  # where sums have one order
        self.items, self.threads = items, threads or min(torch.get_num_threads(), MOST_THREADS)

    def encode(self, content: bytes, n: int) -> bytes:
        """A chunk of n items. Raises ValueError for items off the grid, TypeError where the model has no code."""
        part = self.items.split(content, n)
        with _threads(self.threads):
            code = encode_examples(self.model, part.symbols, self.items.grid, part.mask)
        return _LENGTH.pack(len(code.data)) + code.data + np.packbits(code.plain).tobytes() + part.side

    def decode(self, payload: bytes, n: int) -> bytes:
        """The reverse. Raises ValueError for what cannot be a chunk of this model."""
        count = sum(1 for _ in batches(n))
        (length,) = _LENGTH.unpack(payload[:4].ljust(4, b"\xff"))
        data, end = payload[4 : 4 + length], 4 + length + -(-count // 8)
        if len(payload) < end:
            raise ValueError("the chunk is shorter than what it should hold")
        plain = np.unpackbits(np.frombuffer(payload[4 + length : end], np.uint8), count=count)
        side = payload[end:]
        mask = self.items.mask(side, n)
        with _threads(self.threads):
            symbols = decode_examples(self.model, Code(data, n, tuple(map(bool, plain))), self.items.grid, mask)
        return self.items.join(Part(symbols, mask, side))

    def probe(self, count: int) -> str:
        """A digest of the code of fixed examples, ``count`` at most: where it differs, what is decoded would."""
        shape = (min(count, PROBED), *self.model.shapes.x)
        mixed = (torch.arange(math.prod(shape)) * 2654435761 % 2**32 >> 12).view(shape)
        with _threads(self.threads):
            code = encode_examples(self.model, mixed % self.items.grid.counts, self.items.grid)
        return digest(code.data).hex()

    def to_json(self, count: int) -> dict[str, Any]:
        """What a file's header says of the code of ``count`` items."""
        return {"threads": self.threads, "model": fingerprint(self.model), "probe": self.probe(count), "made": _here()}

    @classmethod
    def from_json(cls, header: Mapping[str, Any], run: Run | None, items: Items) -> Self:
        """The codec that wrote a file. Raises ValueError where it computes otherwise here."""
        threads, probe = entry(header, "threads", int), entry(header, "probe", str)
        if run is None or not 1 <= threads <= MOST_THREADS:
            raise ValueError(f"the file's header is damaged: no model codes it with {threads} threads")
        codec = cls(run.model, items, threads)
        if codec.probe(entry(header, "count", int)) != probe:
            made, here = entry(header, "made", dict), _here()
            differing = [
                f"{name} {made.get(name)!s:.40} (here {own})" for name, own in here.items() if made.get(name) != own
            ]
            where = f": it was written with {', '.join(differing)}" if differing else ""
            raise ValueError(f"the model computes otherwise here than where the file was written{where}")
        return codec


def fingerprint(model: LatentModel) -> str:
    """A digest of the weights, 32 hexadecimal digits."""
    tensors = sorted(model.state_dict().items())
    parts = [name.encode() + value.cpu().contiguous().numpy().tobytes() for name, value in tensors]
    return digest(b"".join(digest(part, 16) for part in parts), 16).hex()


def check_model(header: Mapping[str, Any], run: Run | None) -> None:
    """Raises ValueError where a file needs a model, and this is not it."""
    if "model" not in header:
        return
    if run is None:
        raise ValueError("the file was compressed with a model: name its run")
    model, own = entry(header, "model", str), fingerprint(run.model)
    if model != own:
        raise ValueError(f"the file was compressed with another model ({model[:8]}…, the run's is {own[:8]}…)")


def entry(header: Mapping[str, Any], name: str, kind: type) -> Any:
    """What a header says. Raises ValueError where it does not, or a number is negative."""
    value = header.get(name)
    if type(value) is not kind or (isinstance(value, int) and value < 0):
        raise ValueError(f"the file's header is damaged: it has no {name!r}")
    return value


def _here() -> dict[str, str]:
    versions = {name: version(name) for name in ("torch", "constriction")}
    return {"vaekit": __version__, **versions, "platform": f"{platform.system()} {platform.machine()}"}


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
