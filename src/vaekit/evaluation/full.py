"""Every measure of one model, gathered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from vaekit.core import LatentModel
from vaekit.tasks import encode, importance
from vaekit.training.feed import Feed

from .diagnosis import Finding, diagnose, share_at_bound
from .disentanglement import Disentanglement, assess_disentanglement
from .features import Features, label_features, random_features, value_features
from .latent import LatentSpace, assess_latents
from .likelihood import Likelihood, estimate_likelihood
from .report import Evaluation, evaluate
from .samples import Comparison, SampleQuality, assess_samples


@dataclass(frozen=True)
class Sizes:
    """How much each measure looks at: importance samples of every example, and ``many`` of the ``corrected`` ones;
    examples generated and bootstrap ``replicates``; examples encoded, and draws that stand for q(z).
    """

    samples: int = 100
    many: int = 5000
    corrected: int = 500
    generated: int = 10_000
    replicates: int = 100
    encoded: int = 5000
    points: int = 1000


QUICK = Sizes(samples=20, many=500, corrected=100, generated=1000, replicates=50, encoded=1000, points=200)


@dataclass(frozen=True)
class Report:
    """``sample_quality`` has one entry for each set of features, ``linear_gaussian`` is the mean log-likelihood of the
    linear-Gaussian model and ``gaussian_copula`` that of its copula; what does not apply to a model or its data is
    None.
    """

    evaluation: Evaluation
    likelihood: Likelihood | None
    sample_quality: list[SampleQuality]
    latents: LatentSpace
    disentanglement: Disentanglement | None
    findings: list[Finding]
    linear_gaussian: float | None = None
    gaussian_copula: float | None = None

    def to_json(self) -> dict[str, Any]:
        """A plain dictionary: the numbers of the evaluation, and the other parts by name."""
        return {**self.evaluation.to_json(), **{k: v for k, v in asdict(self).items() if k != "evaluation"}}


def evaluate_fully(
    model: LatentModel,
    test: Feed,
    train: Feed,
    *,
    y_test: np.ndarray | None = None,
    y_train: np.ndarray | None = None,
    factors: np.ndarray | None = None,
    features: Sequence[Features] | None = None,
    floors: Mapping[str, Comparison] | None = None,
    history: Sequence[Mapping[str, Any]] = (),
    baselines: Mapping[str, float] | None = None,
    sizes: Sizes | None = None,
    seed: int = 0,
) -> Report:
    """Measure a model on test examples that it has not seen, with the training examples beside them.

    ``factors`` (N, F) are those of the test examples; ``features`` those of :func:`choose_features` (made here if not
    given) and ``floors`` by their SHA-256 what another model's report on the same data says of the training examples;
    ``history`` is as in :func:`vaekit.evaluation.diagnose`, and ``baselines`` are mean log-likelihoods of the same
    examples by name, as in :class:`Report`.
    """
    sizes = sizes or Sizes()
    features = choose_features(train, y_train, seed=seed) if features is None else features
    estimate = importance(model, test, sizes.samples if model.has_density else 1, common=False, seed=seed)
    evaluation = evaluate(model, test, sizes.samples, seed=seed, estimate=estimate)
    likelihood = estimate_likelihood(
        model, test, sizes.samples, many=sizes.many, corrected=sizes.corrected,
        drift_from=min(500, sizes.many), each=estimate.log_likelihood, seed=seed,
    )  # fmt: skip
    latents = assess_latents(
        model, test, train, y_test=y_test, y_train=y_train, features=features[0] if features else None,
        n=sizes.encoded, points=sizes.points, seed=seed,
    )  # fmt: skip
    samples = [
        assess_samples(
            model, test, train, each, n=sizes.generated, floor=(floors or {}).get(each.sha256),
            replicates=sizes.replicates, seed=seed,
        )
        for each in features
    ]  # fmt: skip
    findings = diagnose(
        evaluation, history, latents=latents, likelihood=likelihood, noise_at_bound=share_at_bound(model, test),
        baseline=max((baselines or {}).values(), default=None),
    )  # fmt: skip
    disentangled = None if factors is None else assess_disentanglement(encode(model, test).numpy(), factors, seed=seed)
    return Report(evaluation, likelihood, samples, latents, disentangled, findings, **(baselines or {}))


def choose_features(train: Feed, y: np.ndarray | None = None, *, steps: int = 1000, seed: int = 0) -> list[Features]:
    """The features in which models of these data are compared: a classifier's where there are labels of at least two
    classes, none of them unknown (-1), else random ones and the values themselves.
    """
    if y is not None and np.min(y) >= 0 and len(np.unique(y)) > 1:
        return [label_features(train, y, steps=steps, seed=seed)]
    return [random_features(train, seed=seed), value_features(train)]
