"""A model as a code of items: on the machine that decodes the same one as on that which encoded, or none at all."""

from __future__ import annotations

import copy
import math
import platform
import struct
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from itertools import accumulate
from typing import Any, Self, TypeVar

import numpy as np
import torch

from vaekit import __version__
from vaekit.container import digest
from vaekit.core import LatentModel
from vaekit.tasks.bits_back import ROWS, Code, Part, decode_examples, encode_examples
from vaekit.tasks.chunks import device_of, inference

from .codec_items import Items
from .codec_labels import Labels
from .run import Run

Argument = TypeVar("Argument")
Result = TypeVar("Result")
PROBED = 64  # examples at most
PLAIN = 128  # marks a batch, whose byte is its size less one
MOST_TOLD = 2**16 - 1  # batches
_LENGTHS = struct.Struct("<IH")


class Codec:
    """A run's model as a code of chunks of items, each by one thread of the processor, inside of :meth:`alone`.

    A model that is told labels is told those of the items, which are coded with them.
    """

    exact = True

    def __init__(self, run: Run, items: Items):
        on_cpu = device_of(run.model).type == "cpu"
        self.model = run.model if on_cpu else copy.deepcopy(run.model).cpu()  # where sums have one order
        self.items, self.labels = items, Labels(run.schema.context)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """While open, torch computes with one thread, and threads of the program may share the model."""
        with _one_thread(), inference(self.model):
            yield

    def encode(self, content: bytes, n: int, labels: np.ndarray | None = None) -> bytes:
        """A chunk of n items. Raises ValueError for items off the grid, TypeError where the model has no code."""
        part, labels = self.items.split(content, n), self.labels.of(labels, n)
        code = encode_examples(self.model, part.symbols, self.items.grid, part.mask, self.labels.context(labels))
        data = self.labels.push(code.data, labels)
        batches = _told(code.parts)
        if len(batches) > MOST_TOLD:
            raise ValueError("the model leaves too few bits to code its latents in batches")
        return _LENGTHS.pack(len(data), len(batches)) + data + batches + part.side

    def decode(self, payload: bytes, n: int) -> bytes:
        """The reverse. Raises ValueError for what cannot be a chunk of this model."""
        length, count = _LENGTHS.unpack(payload[: _LENGTHS.size].ljust(_LENGTHS.size, b"\xff"))
        data, batches, side = _cut(payload[_LENGTHS.size :], length, count)
        parts = _completed(tuple(Part(batch % PLAIN + 1, batch >= PLAIN) for batch in batches), n)
        side = self.items.open(side, n)
        data, labels = self.labels.pop(data, n)
        code, c = Code(data, parts), self.labels.context(labels)
        return self.items.join(decode_examples(self.model, code, self.items.grid, side.mask, c), side)

    def probe(self, count: int) -> str:
        """A digest of the code of fixed examples, ``count`` at most: where it differs, what is decoded would."""
        n = min(count, PROBED)
        shape, c = (n, *self.model.shapes.x), self.labels.context(self.labels.of(None, n))
        mixed = (torch.arange(math.prod(shape)) * 2654435761 % 2**32 >> 12).view(shape)
        with self.alone():
            code = encode_examples(self.model, mixed % self.items.grid.counts, self.items.grid, None, c)
        return digest(code.data).hex()

    def to_json(self, count: int) -> dict[str, Any]:
        """What a file's header says of the code of ``count`` items."""
        return {"model": fingerprint(self.model), "probe": self.probe(count), "made": _here()}

    @classmethod
    def from_json(cls, header: Mapping[str, Any], run: Run, items: Items) -> Self:
        """The codec that wrote a file. Raises ValueError where it computes otherwise here."""
        codec, probe = cls(run, items), entry(header, "probe", str)
        if codec.probe(entry(header, "count", int)) != probe:
            made, here = entry(header, "made", dict), _here()
            differing = [
                f"{name} {made.get(name)!s:.40} (here {own})" for name, own in here.items() if made.get(name) != own
            ]
            where = f": it was written with {', '.join(differing)}" if differing else ""
            raise ValueError(f"the model computes otherwise here than where the file was written{where}")
        return codec


def in_order(
    codec: Codec | None, function: Callable[[Argument], Result], arguments: Iterable[Argument]
) -> Generator[Result]:
    """``function`` of each argument, in their order. As many as torch has threads are computed at once, each by one."""
    at_once = torch.get_num_threads()
    waiting: deque[Future[Result]] = deque()
    with ExitStack() as stack:
        stack.enter_context(_one_thread() if codec is None else codec.alone())
        pool = stack.enter_context(ThreadPoolExecutor(at_once, initializer=torch.set_num_threads, initargs=(1,)))
        stack.callback(pool.shutdown, cancel_futures=True)
        for argument in arguments:
            waiting.append(pool.submit(function, argument))
            if len(waiting) > at_once:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


@contextmanager
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


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


def _told(parts: tuple[Part, ...]) -> bytes:
    """A byte for each batch before the last ones that are as large as they can be."""
    told = len(parts) - (1 if parts and not parts[-1].plain else 0)
    while 0 < told < len(parts) and parts[told - 1] == (ROWS, False):
        told -= 1
    return bytes(part.size - 1 + PLAIN * part.plain for part in parts[:told])


def _completed(parts: tuple[Part, ...], n: int) -> tuple[Part, ...]:
    """The batches of n items of which these are the first. Raises ValueError where they have more items."""
    left = n - sum(part.size for part in parts)
    if left < 0:
        raise ValueError(f"the chunk's batches have more than its {n} items")
    full, rest = divmod(left, ROWS)
    return (*parts, *[Part(ROWS, False)] * full, *[Part(rest, False)] * (rest > 0))


def _cut(payload: bytes, *lengths: int) -> list[bytes]:
    """Parts of these lengths, and the rest."""
    ends = list(accumulate(lengths, initial=0))
    if len(payload) < ends[-1]:
        raise ValueError("the chunk is shorter than what it should hold")
    return [payload[start:end] for start, end in zip(ends, [*ends[1:], None], strict=True)]


def entry(header: Mapping[str, Any], name: str, kind: type) -> Any:
    """What a header says. Raises ValueError where it does not, or a number is negative."""
    value = header.get(name)
    if type(value) is not kind or (isinstance(value, int) and value < 0):
        raise ValueError(f"the file's header is damaged: it has no {name!r}")
    return value


def _here() -> dict[str, str]:
    versions = {name: version(name) for name in ("torch", "constriction")}
    return {"vaekit": __version__, **versions, "platform": f"{platform.system()} {platform.machine()}"}
