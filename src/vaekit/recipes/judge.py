"""The numbers by which runs are compared, all on examples that none of them has seen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vaekit.evaluation import Features, choose_features, evaluate
from vaekit.evaluation.latent import assess_latents
from vaekit.evaluation.samples import Comparison, assess_samples
from vaekit.tasks import latent_size
from vaekit.training import Feed

from .baseline import baseline_scores
from .comparison import Measure
from .examples import Examples
from .run import Run

MEASURES = {
    "log_likelihood": Measure("log-likelihood", "nats", "higher", "importance-sampled, of an example"),
    "linear_gaussian": Measure("linear-Gaussian model", "nats", None, "what factor analysis, or the normal, has"),
    "gaussian_copula": Measure("Gaussian copula", "nats", None, "what it has of a table's rows"),
    "elbo": Measure("bound", "nats", "higher", "evidence lower bound of an example"),
    "bits_per_dim": Measure("bits per dimension", "bits", "lower", "code length of one value"),
    "reconstruction": Measure("reconstruction", "nats", None, "cost of an example given its latents"),
    "kl": Measure("KL", "nats", None, "cost of its latents"),
    "mse": Measure("squared error", "", "lower", "of a reconstructed value, on the model's scale"),
    "ssim": Measure("structural similarity", "", "higher", "of reconstructed images; 1 is equal"),
    "frechet": Measure("Fréchet, draws", "above floor", "lower", "distance of draws from p(x|z) to the data"),
    "frechet_means": Measure("Fréchet, means", "above floor", "lower", "distance of means of p(x|z) to the data"),
    "kernel": Measure("kernel distance", "above floor", "lower", "maximum mean discrepancy of draws to the data"),
    "precision": Measure("precision", "", "higher", "share of draws that look like data"),
    "recall": Measure("recall", "", "higher", "share of the data that draws reach"),
    "density": Measure("density", "", "higher", "how densely draws lie among the data; 1 is as the data"),
    "coverage": Measure("coverage", "", "higher", "share of the data with a draw nearby"),
    "sharpness": Measure("sharpness", "", None, "variance of the Laplacian of means; 1 is as the data"),
    "active_units": Measure("active units", "latents", None, "that say something about the examples"),
    "mutual_information": Measure("information", "nats", None, "of the latents about the examples"),
    "mismatch": Measure("mismatch", "nats", "lower", "divergence of the aggregate posterior from the prior"),
    "neighbor_accuracy": Measure("neighbour accuracy", "", "higher", "labels by five nearest neighbours' codes"),
    "linear_accuracy": Measure("linear accuracy", "", "higher", "labels by logistic regression on codes"),
    "parameters": Measure("parameters", "", None, "numbers that are learned"),
    "seconds": Measure("training", "seconds", None, "time of training"),
}
STEPS = 2000  # of the classifier whose features are used
FEWEST = 50  # examples below which distances between sets mean nothing


class Judge:
    """Gives the numbers of a run. The features are trained once, on the first run's training examples, and kept in the
    comparison's folder; what depends on the data alone is not computed again.
    """

    def __init__(self, folder: str | Path, samples: int = 100, n: int = 10_000):
        self.path, self.samples, self.n = Path(folder) / "features.safetensors", samples, n
        self.features: Features | None = None
        self.floor: Comparison | None = None
        self.linear: dict[int, dict[str, float]] = {}

    def __call__(self, run: Run, test: Examples, train: Examples) -> dict[str, float | None]:
        """Numbers by the names in ``MEASURES``; None, or absent, for what a run has not."""
        seen, unseen = run.feed(train.x, train.y), run.feed(test.x, test.y)
        evaluation = evaluate(run.model, unseen, self.samples)
        numbers: dict[str, Any] = {name: value for name, value in vars(evaluation).items() if name in MEASURES}
        numbers |= self._linear(run, seen, unseen)
        if not run.model.has_density:
            numbers.update(elbo=None, reconstruction=None, kl=None)
        if min(len(test), len(train)) < FEWEST:
            return numbers
        features = None
        if run.schema.kind != "table":  # whose rows have categories and missing cells
            features = self._features(seen, train)
            quality = assess_samples(run.model, unseen, seen, features, n=self.n, floor=self.floor)
            self.floor = quality.floor
            numbers |= _of_samples(quality.draws, quality.means, quality.floor)
        latents = assess_latents(run.model, unseen, seen, y_test=test.y, y_train=train.y, features=features)
        return numbers | {name: value for name, value in vars(latents).items() if name in MEASURES}

    def _linear(self, run: Run, seen: Feed, unseen: Feed) -> dict[str, float]:
        """The linear models' log-likelihoods: for tables the same for all runs, else for all of as many latents."""
        if not run.model.has_density:
            return {}
        key = latent_size(run.model) if run.schema.kind != "table" else 0
        if key not in self.linear:
            self.linear[key] = baseline_scores(run, seen, unseen)
        return self.linear[key]

    def _features(self, seen: Feed, train: Examples) -> Features:
        if self.features is None and self.path.exists():
            self.features = Features.load(self.path)
        if self.features is None:
            self.features = choose_features(seen, train.y, steps=STEPS)[0]
            self.features.save(self.path)
        return self.features


def _of_samples(draws: Comparison, means: Comparison, floor: Comparison) -> dict[str, float | None]:
    def above(of: Comparison) -> float | None:
        return None if of.frechet is None or floor.frechet is None else of.frechet.value - floor.frechet.value

    shares = {name: getattr(draws, name).value for name in ("precision", "recall", "density", "coverage")}
    return {
        "frechet": above(draws),
        "frechet_means": above(means),
        "kernel": draws.kernel.value - floor.kernel.value,
        "sharpness": None if means.sharpness is None else means.sharpness.value,
        **shares,
    }
