"""The pictures of a run: a trained model and raw items ↦ arrays ↦ a figure."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from vaekit import plots, tasks
from vaekit.data import Schema
from vaekit.evaluation.latent import kl_each
from vaekit.recipes import Examples, Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STEPS = 11  # pictures in a row of a traversal or interpolation
REACH = 2.5  # how far a traversal goes to both sides, in standard deviations of the prior
KL_EXAMPLES = 1000  # over which the KL of each dimension is averaged


def manifold(run: Run, n: int = 20, range: float | None = None) -> Figure:
    """The decoded plane of the first two latent dimensions, n × n; see :func:`vaekit.tasks.latent_grid`."""
    images, values = tasks.latent_grid(run.model, n, run.context(1), range=range)
    return plots.manifold(as_pictures(run.schema, images), (values.numpy(), values.numpy()))


def clusters(run: Run, examples: Examples) -> Figure:
    """The encoded examples in the latent plane, coloured by class."""
    z = tasks.encode(run.model, run.feed(examples.x, examples.y)).numpy()
    return plots.clusters(z, examples.y, classes=examples.classes, title=examples.description)


def reconstructions(run: Run, examples: Examples, n: int = 20) -> Figure:
    """The first n examples with their reconstructions, and the mean squared error of each."""
    before, after = original_tiles(run, examples.first(n)), reconstruction_tiles(run, examples.first(n))
    errors = np.square(before - after).reshape(len(before), -1).mean(1)
    return plots.reconstructions(
        before, after, n=n, errors=errors, error_name="mean squared error", title=examples.description
    )


def samples(run: Run, n: int = 100, c: Tensor | None = None, *, draw: bool = False, seed: int = 0) -> Figure:
    """N new items, decoded from draws of the prior; of unknown label unless a context is given."""
    return plots.samples(sample_tiles(run, n, c, draw=draw, seed=seed))


def sample_tiles(run: Run, n: int, c: Tensor | None = None, *, draw: bool = False, seed: int = 0) -> np.ndarray:
    """N new items as pictures."""
    c = run.context(n) if c is None else c
    return as_pictures(run.schema, tasks.generate(run.model, n, c, draw=draw, seed=seed))


def original_tiles(run: Run, examples: Examples) -> np.ndarray:
    """The examples as the model sees them, as pictures."""
    return as_pictures(run.schema, run.feed(examples.x, examples.y).batch(slice(None)).x)


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


def curves(run: Run) -> Figure:
    """Loss, reconstruction, KL and learning rate over the epochs."""
    return plots.curves(run.history)


PICTURES: Mapping[str, Callable[..., Figure]] = {
    function.__name__: function
    for function in (manifold, clusters, reconstructions, samples, traversals, interpolation, curves)
}
OF_EXAMPLES = ("clusters", "reconstructions", "traversals", "interpolation")


def sensible(run: Run) -> list[str]:
    """The names in ``PICTURES`` that make sense for a run."""
    without = set() if tasks.latent_size(run.model) >= 2 else {"manifold"}
    without |= {"manifold", "traversals", "interpolation"} if run.model.discrete else set()
    return [name for name in PICTURES if name not in without | (set() if run.history else {"curves"})]


def draw(
    run: Run, name: str, parts: Mapping[str, Examples], *, n: int | None = None, range: float | None = None
) -> Figure:
    """The picture of that name, clusters of the training examples, others of the first of the parts; see ``parts_of``.

    ``n`` and ``range`` are passed to pictures that have them, where they are given.
    """
    given: dict[str, Any] = {"n": n, "range": range}
    if name in OF_EXAMPLES:
        given["examples"] = parts["train"] if name == "clusters" else next(iter(parts.values()))
    known = inspect.signature(PICTURES[name]).parameters
    return PICTURES[name](run, **{key: value for key, value in given.items() if key in known and value is not None})


def as_pictures(schema: Schema, x: Tensor) -> np.ndarray:
    """Model units (..., C, H, W) ↦ images (..., H, W, C), clipped to [0, 1], on white; vectors stay."""
    array = x.float().cpu().numpy()
    if schema.kind != "image":
        return array
    array = np.moveaxis(array, -3, -1).clip(0, 1)
    if array.shape[-1] == 4:
        color, opacity = array[..., :3], array[..., 3:].clip(0, 1)
        array = color * opacity + 1 - opacity
    return array
