"""The latent space of a model: what it holds, how well the prior describes it, how smoothly it decodes."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from vaekit.core import LatentModel, Prior
from vaekit.noise import Noise, isolated_rng
from vaekit.tasks import encode, sample_latents
from vaekit.tasks.chunks import batches, inference
from vaekit.training.feed import Feed

from .aggregate import information_and_mismatch
from .features import Features
from .neighbors import neighbors
from .paths import Smoothness, assess_paths
from .report import count_active, is_deterministic
from .subsets import select, subset

Kind = Literal["density", "point", "code"]


@dataclass(frozen=True)
class LatentSpace:
    """Measures on ``n`` examples, in nats where nothing else is said; what a model has not is None.

    ``kind``: whether the posterior is a ``density``, a ``point`` or a ``code`` for each example.
    ``active_units`` of ``dims``: latents whose posterior mean varies by more than 0.01 (Burda et al., 2016).
    ``kl_each``: mean KL(q(z|x) || p(z)) of each latent dimension, where posterior and prior factorize.
    ``mutual_information`` I(x; z) under q and ``mismatch`` = KL(q(z) || p(z)) add up to the mean KL (Hoffman and
    Johnson, 2016); with q(z) that of these n examples, the information cannot exceed log n, and near it the mismatch
    says little. ``holes``: share of prior draws outside the neighbourhoods of posterior draws; ``holes_floor``: the
    same for other posterior draws. ``neighbor_accuracy`` (of five neighbours) and
    ``linear_accuracy`` (logistic regression): how well labels are read off the posterior means, fitted on training
    examples. ``smoothness`` is of decoded interpolations.
    """

    n: int
    kind: Kind
    dims: int
    active_units: int
    kl_each: list[float] | None
    mutual_information: float | None
    mismatch: float | None
    holes: float
    holes_floor: float
    neighbor_accuracy: float | None
    linear_accuracy: float | None
    smoothness: Smoothness

    def to_json(self) -> dict[str, Any]:
        """A plain dictionary."""
        return asdict(self)


def assess_latents(
    model: LatentModel,
    test: Feed,
    train: Feed | None = None,
    *,
    y_test: np.ndarray | None = None,
    y_train: np.ndarray | None = None,
    features: Features | None = None,
    n: int = 5000,
    points: int = 1000,
    seed: int = 0,
) -> LatentSpace:
    """Measure on at most n test examples. Accuracies need training examples and both labels.

    ``points`` draws stand for q(z); interpolations are judged in ``features``, or in the values of the data.
    """
    chosen = select(test, n)
    means = encode(model, chosen)
    information, mismatch = information_and_mismatch(model, chosen, points, seed=seed)
    holes, floor = hole_share(model, chosen, seed=seed)
    neighbor = linear = None
    if train is not None and y_test is not None and y_train is not None:
        neighbor, linear = label_accuracy(*_codes(model, train, y_train, n), *_codes(model, test, y_test, n))
    return LatentSpace(
        n=len(chosen),
        kind=kind_of(model, chosen),
        dims=means.shape[1],
        active_units=count_active(means),
        kl_each=kl_each(model, chosen),
        mutual_information=information,
        mismatch=mismatch,
        holes=holes,
        holes_floor=floor,
        neighbor_accuracy=neighbor,
        linear_accuracy=linear,
        smoothness=assess_paths(model, means, features, c=None if chosen.c is None else chosen.c[:1], seed=seed),
    )


def kind_of(model: LatentModel, examples: Feed) -> Kind:
    """What the posterior of an example is."""
    if any(isinstance(part, Prior) and part.discrete for part in model.modules()):
        return "code"
    return "point" if is_deterministic(model, examples) else "density"


def kl_each(model: LatentModel, examples: Feed) -> list[float] | None:
    """Mean KL(q(z|x) || p(z)) of each latent dimension in closed form, where there is one."""
    total: Tensor | None = None
    with inference(model), isolated_rng(0):
        for batch in batches(model, examples, 512):
            each = model.infer(batch).kl_each()
            if each is None:
                return None
            rows = each.double().sum(0)
            total = rows if total is None else total + rows
    assert total is not None
    return (total / len(examples)).tolist()


def posterior_draws(model: LatentModel, examples: Feed, *, seed: int = 0) -> Tensor:
    """One draw of all latents from the posterior of each example, (N, D)."""
    with inference(model), isolated_rng(seed):
        parts = [
            torch.cat([latent.z[0].flatten(1) for latent in model.infer(batch, 1, Noise()).latents], 1).cpu()
            for batch in batches(model, examples, 512)
        ]
    return torch.cat(parts)


def hole_share(model: LatentModel, examples: Feed, *, seed: int = 0) -> tuple[float, float]:
    """The share of prior draws outside the neighbourhoods of half of the posterior draws, and that of the other half.

    A prior that matches the aggregate posterior gives the same share twice; draws beyond are decoded where the decoder
    has learned nothing.
    """
    drawn = posterior_draws(model, examples, seed=seed)
    half = len(drawn) // 2
    c = None if examples.c is None else examples.c[half:]
    prior = sample_latents(model, len(drawn) - half, c, seed=seed + 1)
    inside = [neighbors(points, drawn[:half]).precision.mean().item() for points in (prior, drawn[half:])]
    return 1 - inside[0], 1 - inside[1]


def label_accuracy(z_train: Tensor, y_train: np.ndarray, z_test: Tensor, y_test: np.ndarray) -> tuple[float, float]:
    """How often five nearest neighbours, and a logistic regression, name the label of test codes (M, D).

    Both are fitted on training codes (N, D), those of the regression standardized.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    neighbor = KNeighborsClassifier(min(5, len(z_train)))
    linear = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    codes, held = z_train.double().numpy(), z_test.double().numpy()
    scores = [model.fit(codes, y_train).score(held, y_test) for model in (neighbor, linear)]
    return float(scores[0]), float(scores[1])


def _codes(model: LatentModel, examples: Feed, y: np.ndarray, n: int) -> tuple[Tensor, np.ndarray]:
    if len(y) != len(examples):
        raise ValueError(f"expected one label for each of {len(examples)} examples, got {len(y)}")
    index = subset(len(examples), n)
    return encode(model, examples.select(index)), np.asarray(y)[index.numpy()]
