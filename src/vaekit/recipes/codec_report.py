"""What compressing some items comes to: beside the model's own bound, and beside what others need."""

from __future__ import annotations

import io
import math
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch

from vaekit.container import Reader
from vaekit.core import Batch, masked_log_prob
from vaekit.evaluation import codecs
from vaekit.models import GaussianCopula
from vaekit.noise import isolated_rng
from vaekit.tasks.chunks import inference

from .baseline import WIDEST
from .codec import compress, decompress
from .codec_items import Arrays, Items, Source, Stored
from .codec_labels import Labels
from .packed_run import pack_run, unpack_run
from .run import Run

ROWS = 256


@dataclass(frozen=True)
class CodecReport:
    """Sizes in bytes: of the ``content``, of the file (``size``) without the ``model``, of this when it goes with the
    file; of the model's evidence bound for the coded items, ``bound``, and for what it does not code, ``side``; of
    ``peers``, among them for tables a Gaussian copula's bound for the same cells, by EM on these, and for the rest.

    ``dimensions`` are the numbers in all items; ``packed`` says by reason how many are packed without the model;
    ``seconds`` to compress and to decompress, without checks; ``exact`` whether all came back.
    """

    items: int
    dimensions: int
    content: int
    size: int
    bound: float
    side: int
    model: int
    seconds: tuple[float, float]
    exact: bool
    packed: dict[str, int]
    peers: dict[str, int]

    def bits(self, size: float) -> float:
        """A size in bits for each dimension."""
        return 8 * size / max(self.dimensions, 1)

    @property
    def gap(self) -> float:
        """How much larger the file is than the evidence bound and what the model does not code, as a share."""
        return self.size / (self.bound + self.side) - 1 if self.bound else math.nan

    def to_json(self) -> dict[str, Any]:
        """All of it, with what follows."""
        rates = {name: round(self.items / max(s, 1e-9)) for name, s in zip(("in", "out"), self.seconds, strict=True)}
        sizes = {"file": self.size, "bound": self.bound + self.side, "model": self.model} | self.peers
        bits = {name: round(self.bits(size), 4) for name, size in sizes.items()}
        return {
            **asdict(self),
            "gap": self.gap,
            "items_per_second": rates,
            "bits_per_dimension": bits,
        }


def report(
    run: Run,
    source: Source,
    path: str | Path | None = None,
    *,
    with_model: bool = False,
    stream: BinaryIO | None = None,
) -> CodecReport:
    """Compress, decompress and compare. ``path`` is the file that the items are from, for peers that read tables.

    The file is written to ``stream``, too. Raises as :func:`compress`.
    """
    own, started = io.BytesIO(), time.perf_counter()
    found = compress(run, source, own, verify=False, with_model=with_model)
    middle = time.perf_counter()
    restored = decompress(None if with_model else run, Reader(own.getvalue()))
    end = time.perf_counter()
    content = source.contents(slice(0, source.count))
    others = codecs.general(content) | _of_kind(source.items, content, source.count, path)
    packed = pack_run(run)
    bound, side = evidence_bound(unpack_run(packed) if with_model else run, source)
    if stream is not None:
        stream.write(own.getvalue())
    return CodecReport(
        items=source.count,
        dimensions=source.count * math.prod(run.model.shapes.x),
        content=len(content) + len(source.frame),
        size=found.size - with_model * len(packed),
        bound=bound,
        side=side + len(source.frame),
        model=len(packed),
        seconds=(middle - started, end - middle),
        exact=restored.content == content,
        packed=found.packed,
        peers=others | _copula(run, source, side),
    )


def evidence_bound(run: Run, source: Source) -> tuple[float, int]:
    """The negative evidence bound of all items in bytes, by one draw of the latents of each, and what comes beside."""
    nats, side, labels = 0.0, 0, Labels(run.schema.context)
    if isinstance(source.items, Stored):
        return 0.0, 0
    grid = source.items.grid
    with inference(run.model), isolated_rng(0):
        for rows in source.chunks():
            n = rows.stop - rows.start
            part = source.items.split(source.contents(rows), n)
            told = labels.of(source.labels_of(rows), n)
            c = labels.context(told)
            side += len(part.side) + len(labels.push(b"", told))
            for at in range(0, n, ROWS):
                symbols = part.symbols[at : at + ROWS]
                mask = None if part.mask is None else part.mask[at : at + ROWS]
                batch = Batch(grid.values(symbols), None if c is None else c[at : at + ROWS], mask)
                trace = run.model.infer(batch)
                nats -= float((masked_log_prob(trace.px, batch.x, mask) + trace.log_ratio()).double().sum())
    return nats / math.log(2) / 8, side


def _copula(run: Run, source: Source, side: int) -> dict[str, int]:
    """The bytes that a table would need under the linear baseline, and what comes beside."""
    columns = run.model.shapes.columns
    if columns is None or len(columns) > WIDEST or isinstance(source.items, Stored) or not source.count:
        return {}
    grid, rows = source.items.grid, []
    for chunk in source.chunks():
        part = source.items.split(source.contents(chunk), chunk.stop - chunk.start)
        x = grid.values(part.symbols)
        rows.append(x if part.mask is None else torch.where(part.mask, x, torch.nan))
    steps = grid.step.expand(len(columns)).tolist()
    coded = [replace(column, step=step) for column, step in zip(columns, steps, strict=True)]
    nats = -GaussianCopula.fit(torch.cat(rows), coded).log_prob(torch.cat(rows)).sum().item()
    return {"a Gaussian copula's bound": round(nats / math.log(2) / 8) + side + len(source.frame)}


def _of_kind(items: Items, content: bytes, count: int, path: str | Path | None) -> dict[str, int]:
    """What is made for pictures or for tables."""
    if not isinstance(items, Arrays):
        return {} if path is None else codecs.of_table(path)
    x = items.array(content, count)
    is_picture = x.dtype == np.uint8 and x.ndim in (3, 4) and x.shape[3:] in ((), (1,), (3,))
    return codecs.of_pictures(x[..., 0] if x.shape[3:] == (1,) else x) if is_picture else {}
