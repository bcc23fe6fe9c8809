"""The quality of generated examples: distances from the data, each beside what the data's own noise makes of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from vaekit.core import LatentModel
from vaekit.tasks import decode, sample_latents
from vaekit.tasks.chunks import as_feed
from vaekit.training.feed import Feed

from .bootstrap import Interval, interval, mean_interval, resample
from .distances import frechet, kernel_distance, mean_kernel, moments, normal_distance
from .features import Features
from .neighbors import neighbors, radii
from .sharpness import sharpness
from .subsets import select

MOST_MOMENTS = 256  # features beyond which covariances are not estimated
NEIGHBORS = 5


@dataclass(frozen=True)
class Comparison:
    """A set of examples against real ones, each number with its 95 % bootstrap interval.

    ``frechet`` and ``kernel`` are distances, 0 for equal distributions (:mod:`vaekit.evaluation.distances`);
    ``frechet`` is None for more than 256 features. ``precision`` and ``density`` say how likely generated examples
    look, ``recall`` and ``coverage`` how much of the data they reach (:mod:`vaekit.evaluation.neighbors`); their
    intervals hold the neighbourhoods fixed. ``sharpness`` is the variance of the Laplacian relative to the real
    images', None for other data.
    """

    frechet: Interval | None
    kernel: Interval
    precision: Interval
    recall: Interval
    density: Interval
    coverage: Interval
    sharpness: Interval | None


@dataclass(frozen=True)
class SampleQuality:
    """``n`` examples of each kind against as many of the test set, in one set of features.

    ``draws`` are drawn from p(x|z) with z from the prior; ``means`` are the means of p(x|z) at the same z, which is
    what is usually shown. ``floor`` is training examples against the test set: what a perfect model would get.
    ``features``: their kind, size, accuracy on the data's labels and the SHA-256 of their weights.
    """

    n: int
    features: dict[str, Any]
    draws: Comparison
    means: Comparison
    floor: Comparison

    def to_json(self) -> dict[str, Any]:
        """A plain dictionary."""
        return asdict(self)


def assess_samples(
    model: LatentModel,
    test: Feed | Tensor,
    train: Feed | Tensor,
    features: Features,
    *,
    n: int = 10_000,
    floor: Comparison | None = None,
    replicates: int = 100,
    seed: int = 0,
) -> SampleQuality:
    """Generate min(n, test, train) examples and compare them with as many test examples.

    Conditional models are given the test examples' contexts. A ``floor`` known from another model on the same data,
    with the same n and features, is not computed again.
    """
    test, train = as_feed(test), as_feed(train)
    n = min(n, len(test), len(train))
    real = select(test, n)
    c = real.c
    z = sample_latents(model, n, c, seed=seed)
    against = Against(real, features, replicates, seed)
    return SampleQuality(
        n=n,
        features=describe_features(features),
        draws=against.compare(decode(model, z, c, draw=True, seed=seed + 1)),
        means=against.compare(decode(model, z, c)),
        floor=floor or against.compare(select(train, n)),
    )


class Against:
    """Real examples with their features, and what of every comparison depends on them alone.

    Raises ValueError for fewer than 10 examples.
    """

    def __init__(self, real: Feed | Tensor, features: Features, replicates: int = 100, seed: int = 0):
        self.features, self.seed = features, seed
        self.real = as_feed(real)
        self.embedded = features(_enough(self.real))
        self.weights = resample(len(self.embedded), replicates, torch.Generator().manual_seed(seed))
        self.moments = moments(self.embedded, self.weights) if features.size <= MOST_MOMENTS else None
        self.kernel = mean_kernel(self.embedded, self.weights)
        self.radius = radii(self.embedded, NEIGHBORS)

    def compare(self, examples: Feed | Tensor) -> Comparison:
        """Examples in model units, at least 10."""
        feed = _enough(as_feed(examples))
        a, b = self.features(feed), self.embedded
        weights = resample(len(a), len(self.weights), torch.Generator().manual_seed(self.seed + 1))
        near = neighbors(a, b, NEIGHBORS, self.radius)
        kernels = mean_kernel(a, weights) + self.kernel - 2 * mean_kernel(a, weights, b, self.weights)
        normals = None if self.moments is None else normal_distance(moments(a, weights), self.moments)
        return Comparison(
            frechet=None if normals is None else interval(frechet(a, b).item(), normals),
            kernel=interval(kernel_distance(a, b).item(), kernels),
            precision=mean_interval(near.precision, weights),
            recall=mean_interval(near.recall, self.weights),
            density=mean_interval(near.density, weights),
            coverage=mean_interval(near.coverage, self.weights),
            sharpness=self._sharpness(feed, weights),
        )

    def _sharpness(self, feed: Feed, weights: Tensor) -> Interval | None:
        if feed.x.dim() != 4 or min(feed.x.shape[2:]) < 3:
            return None
        ours, theirs = (torch.cat([sharpness(batch.x) for batch in f.chunks(1024)]).cpu() for f in (feed, self.real))
        weighted = [w.double() @ x / w.double().sum(1) for w, x in ((weights, ours), (self.weights, theirs))]
        return interval((ours.mean() / theirs.mean()).item(), weighted[0] / weighted[1])


def describe_features(features: Features) -> dict[str, Any]:
    """What a report says of the features."""
    return {
        "kind": features.kind,
        "size": features.size,
        "accuracy": features.accuracy,
        "sha256": features.sha256,
    }


def _enough(feed: Feed) -> Feed:
    if len(feed) < 10:
        raise ValueError(f"a comparison needs at least 10 examples of each kind, got {len(feed)}")
    return feed
