"""The pictures of a run: a trained model and raw items ↦ arrays ↦ a figure."""

from __future__ import annotations

import inspect
import io
import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from vaekit import plots, tasks
from vaekit.container import Reader
from vaekit.data import TableSchema
from vaekit.data.pictures import as_pictures, as_pixels
from vaekit.evaluation.latent import kl_each
from vaekit.evaluation.rate_distortion import peers
from vaekit.evaluation.rate_distortion import rate_distortion as measure
from vaekit.recipes import Examples, Run, codec, codec_files

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STEPS = 11  # pictures in a row of a traversal or interpolation
REACH = 2.5  # how far a traversal goes to both sides, in standard deviations of the prior
COLUMNS = 12  # pictures in a row of what codecs keep
KL_EXAMPLES = 1000  # over which the KL of each dimension is averaged


def manifold(run: Run, n: int = 20, range: float | None = None) -> Figure:
    """The decoded plane of the first two latent dimensions, n × n; see :func:`vaekit.tasks.latent_grid`."""
    images, values = tasks.latent_grid(run.model, n, run.context(1), range=range)
    return plots.manifold(as_pictures(run.schema, images), (values.numpy(), values.numpy()))


def clusters(run: Run, examples: Examples, color_by: str | None = None) -> Figure:
    """The encoded examples in the latent plane, coloured by class, or by a column of a table."""
    if color_by is not None:
        values, known = examples.column(color_by)
        if not known.any():
            raise ValueError(f"no example has a value in column {color_by!r}; colour by another one")
        left = "" if known.all() else f", {np.count_nonzero(~known):,} without {color_by} left out"
        examples = examples.at(np.flatnonzero(known))
        z = tasks.encode(run.model, run.feed(examples.x, examples.y)).numpy()
        return plots.clusters(z, values[known], label_name=color_by, title=f"{examples.description}{left}")
    z = tasks.encode(run.model, run.feed(examples.x, examples.y)).numpy()
    return plots.clusters(z, examples.y, classes=examples.classes, title=examples.description)


def reconstructions(run: Run, examples: Examples, n: int = 20) -> Figure:
    """The first n examples with their reconstructions, and the mean squared error of each."""
    before, after = original_tiles(run, examples.first(n)), reconstruction_tiles(run, examples.first(n))
    if isinstance(run.schema, TableSchema):
        errors, name = np.abs(before - after).mean(1), "mean difference of a column, as a share of its range"
    else:
        errors, name = np.square(before - after).reshape(len(before), -1).mean(1), "mean squared error"
    return plots.reconstructions(before, after, n=n, errors=errors, error_name=name, title=examples.description)


def inpaintings(run: Run, x: Tensor, hidden: Tensor, found: Tensor) -> Figure:
    """Images in model units, their hidden part black, and what it was filled in with."""
    before, after = (as_pictures(run.schema, images) for images in (torch.where(hidden, 0, x), found))
    return plots.reconstructions(before, after, n=len(x), title="hidden parts filled in")


def samples(run: Run, n: int = 100, c: Tensor | None = None, *, draw: bool = False, seed: int = 0) -> Figure:
    """N new items, decoded from draws of the prior; of unknown label unless a context is given."""
    return plots.samples(sample_tiles(run, n, c, draw=draw, seed=seed))


def sample_tiles(run: Run, n: int, c: Tensor | None = None, *, draw: bool = False, seed: int = 0) -> np.ndarray:
    """N new items as pictures."""
    c = run.context(n) if c is None else c
    return as_pictures(run.schema, tasks.generate(run.model, n, c, draw=draw, seed=seed))


def original_tiles(run: Run, examples: Examples) -> np.ndarray:
    """The examples as the model sees them, as pictures; missing cells of a table as the model fills them in."""
    feed = run.feed(examples.x, examples.y)
    x, _, mask = feed.batch(slice(None))
    if mask is not None:
        x = torch.where(mask, x, tasks.reconstruct(run.model, feed))
    return as_pictures(run.schema, x)


def reconstruction_tiles(run: Run, examples: Examples) -> np.ndarray:
    """The examples encoded and decoded again, as pictures."""
    return as_pictures(run.schema, tasks.reconstruct(run.model, run.feed(examples.x, examples.y)))


def traversals(run: Run, examples: Examples, n: int = 10) -> Figure:
    """What each latent dimension does on its own; of many, the n that carry most information about the examples.

    Where the KL does not split into dimensions, the n whose posterior means vary most.
    """
    examples = examples.first(KL_EXAMPLES)
    feed, values = run.feed(examples.x, examples.y), torch.linspace(-REACH, REACH, STEPS)
    kl = kl_each(run.model, feed)
    said = np.array(kl) if kl is not None else tasks.encode(run.model, feed).var(0).numpy()
    dims = sorted(np.argsort(-said)[:n].tolist())
    images = as_pictures(run.schema, tasks.traverse(run.model, dims, values, c=run.context(1)))
    return plots.traversals(images, values.numpy(), dims=dims, kl=None if kl is None else said[dims])


def interpolation(run: Run, examples: Examples, n: int = 5) -> Figure:
    """N walks through the latent space, each from one example to another."""
    n = min(n, len(examples) // 2)
    examples = examples.first(2 * n)
    z = tasks.encode(run.model, run.feed(examples.x, examples.y))
    images = tasks.interpolate(run.model, z[::2], z[1::2], STEPS, run.context(1))
    return plots.interpolation(as_pictures(run.schema, images), title=examples.description)


def rate_distortion(run: Run, examples: Examples, n: int = 400) -> Figure:
    """What is left of the first n examples in lossy files of so many bytes, beside the usual codecs."""
    raw = examples.first(n).x
    if run.schema.kind != "image":
        raise ValueError("rate and distortion are those of pictures; choose other kinds of pictures for this run")

    def pixels(raw: np.ndarray) -> np.ndarray:
        return as_pixels(run.schema, run.schema.normalize(raw))

    def ours(_: np.ndarray, quality: float) -> tuple[int, np.ndarray]:
        stream = io.BytesIO()
        codec.compress(run, codec_files.of_array(run, raw), stream, quality=quality)
        restored = codec.decompress(run, Reader(stream.getvalue()))
        return len(stream.getvalue()), pixels(codec_files.array(restored))

    pictures = pixels(raw)
    points = {name: measure(pictures, each) for name, each in {"vaekit": ours, **peers()}.items()}
    like = points["vaekit"][len(points["vaekit"]) // 2].size
    rows = {"original": pictures[:COLUMNS] / 255}
    for name, found in points.items():
        nearest = min(found, key=lambda point: abs(math.log(point.size / like)))
        rows[f"{name}, {nearest.size:.0f} bytes"] = nearest.decoded[:COLUMNS] / 255
    lines = {name: [point[1:4] for point in found if math.isfinite(point.psnr)] for name, found in points.items()}
    return plots.rate_distortion(lines, rows, title=f"{len(raw):,} of {examples.description}")


def curves(run: Run) -> Figure:
    """Loss, reconstruction, KL and learning rate over the epochs."""
    return plots.curves(run.history)


PICTURES: Mapping[str, Callable[..., Figure]] = {
    function.__name__.replace("_", "-"): function
    for function in (manifold, clusters, reconstructions, samples, traversals, interpolation, rate_distortion, curves)
}
OF_EXAMPLES = ("clusters", "reconstructions", "traversals", "interpolation", "rate-distortion")
ON_REQUEST = {"rate-distortion"}  # takes a while


def sensible(run: Run) -> list[str]:
    """The names in ``PICTURES`` that make sense for a run."""
    without = ON_REQUEST | (set() if tasks.latent_size(run.model) >= 2 else {"manifold"})
    without |= {"manifold", "traversals", "interpolation"} if run.model.discrete else set()
    without |= {"manifold", "interpolation"} if isinstance(run.schema, TableSchema) else set()
    return [name for name in PICTURES if name not in without | (set() if run.history else {"curves"})]


def draw(
    run: Run,
    name: str,
    parts: Mapping[str, Examples],
    *,
    n: int | None = None,
    range: float | None = None,
    color_by: str | None = None,
) -> Figure:
    """The picture of that name, clusters of the training examples, others of the first of the parts; see ``parts_of``.

    ``n``, ``range`` and ``color_by`` are passed to pictures that have them, where they are given.
    """
    given: dict[str, Any] = {"n": n, "range": range, "color_by": color_by}
    if name in OF_EXAMPLES:
        given["examples"] = parts["train"] if name == "clusters" else next(iter(parts.values()))
    known = inspect.signature(PICTURES[name]).parameters
    return PICTURES[name](run, **{key: value for key, value in given.items() if key in known and value is not None})
