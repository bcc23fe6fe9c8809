"""How the numbers of an evaluation are printed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from . import show

MEANING = {
    "elbo": ("nats", "bound on the log-likelihood of an example; higher is better"),
    "reconstruction": ("nats", "cost of an example given its latents; lower is better"),
    "kl": ("nats", "cost of its latents: divergence of posterior from prior"),
    "log_likelihood": ("nats", "importance-sampled estimate for an example; higher is better"),
    "log_likelihood_se": ("nats", "its standard error over the examples"),
    "ess": ("samples", "effective number of importance samples"),
    "bits_per_dim": ("bits", "code length of one value; lower is better"),
    "active_units": ("latents", "that say something about the examples"),
    "mse": ("", "squared error of a reconstructed value, on the model's scale"),
    "ssim": ("", "structural similarity of reconstructed images; 1 is equal"),
    "accuracy": ("", "share of the observed categories of a table that are reconstructed"),
}
LIKELIHOOD = {
    "log_likelihood": ("nats", "of all examples, corrected by many more samples on some"),
    "log_likelihood_se": ("nats", "its standard error"),
    "bits_per_dim": ("bits", "code length of one value"),
    "correction": ("nats", "what the many samples add"),
    "drift": ("nats", "what they add to 500; not near 0, still more would add more"),
    "pareto_k": ("", "shape of the importance weights; above 0.7 they are not to be trusted"),
    "untrusted": ("", "share of the examples where they are not"),
    "linear_gaussian": ("nats", "log-likelihood under factor analysis with as many latents; to be exceeded"),
}
LATENTS = {
    "mutual_information": ("nats", "of the latents about the examples; at most the log of their number"),
    "mismatch": ("nats", "divergence of the aggregate posterior from the prior"),
    "holes": ("", "share of prior draws away from all posteriors"),
    "holes_floor": ("", "the same for posterior draws"),
    "neighbor_accuracy": ("", "labels told by the five nearest codes"),
    "linear_accuracy": ("", "labels told by logistic regression on the codes"),
}
DISENTANGLEMENT = {
    "mig": ("", "mutual information gap; 1 is one factor a latent"),
    "disentanglement": ("", "each latent serves one factor"),
    "completeness": ("", "each factor is served by one latent"),
    "informativeness": ("", "accuracy of the factors told from the codes"),
}
DISTANCES = ("frechet", "kernel", "precision", "recall", "density", "coverage", "sharpness")
NAMES = {"frechet": "Fréchet distance", "kernel": "kernel distance"}


def title(report: Mapping[str, Any]) -> str:
    """What the numbers are of."""
    samples = (
        "" if report["log_likelihood"] is None else f"; {show.counted(report['samples'], 'importance sample')} for each"
    )
    return f"{report['data']}, {show.counted(report['n'], 'example')}{samples}"


def table(report: Mapping[str, Any], meaning: Mapping[str, tuple[str, str]] = MEANING) -> Table:
    """Numbers of ``evaluation.json`` with units and meaning."""
    rows = [(name, number(report.get(name)), unit, about) for name, (unit, about) in meaning.items()]
    return show.table(rows, ("", "", "", ""), right=(1,))


def number(value: float | None) -> str:
    """Three decimals, four for small numbers, a dash for none."""
    if value is None:
        return "–"
    return str(value) if isinstance(value, int) else f"{value:.3f}" if abs(value) >= 1 else f"{value:.4f}"


def print_all(out: Console, report: Mapping[str, Any]) -> None:
    """Every part of a full report, with a heading each."""
    likelihood, latents = report["likelihood"], report["latents"]
    if likelihood is not None:
        head = (
            f"Likelihood: {likelihood['samples']} samples, {likelihood['many']:,} on {likelihood['corrected']} of them"
        )
        _section(out, head, table({**likelihood, "linear_gaussian": report["linear_gaussian"]}, LIKELIHOOD))
    for samples in report["sample_quality"]:
        _section(out, _of_features(samples), _samples_table(samples))
    _section(out, f"Latent space: {latents['n']:,} examples", table(latents, LATENTS))
    if report["disentanglement"] is not None:
        _section(out, "Factors", table(report["disentanglement"], DISENTANGLEMENT))


def print_findings(out: Console, findings: Sequence[Mapping[str, str]]) -> None:
    """What is wrong, and what to try."""
    out.print("\nDiagnosis", style="bold")
    for finding in findings:
        out.print(f"{finding['name']}: {finding['sentence']}", soft_wrap=True)
        out.print(f"  try: {finding['remedy']}", soft_wrap=True)
    if not findings:
        out.print("nothing that the numbers show")


def _section(out: Console, head: str, body: Table) -> None:
    out.print(f"\n{head}", style="bold")
    out.print(body)


def _of_features(samples: Mapping[str, Any]) -> str:
    features = samples["features"]
    kind = {"labels": "a classifier of the labels", "random": "random features", "values": "the values themselves"}
    accuracy = "" if features["accuracy"] is None else f" of accuracy {features['accuracy']:.3f}"
    return (
        f"Samples: {samples['n']:,}, seen by {kind[features['kind']]}{accuracy} "
        f"({features['size']} features, sha256 {features['sha256'][:12]})"
    )


def _samples_table(samples: Mapping[str, Any]) -> Table:
    """A row for each measure: draws, means and the floor, each with its interval."""
    sets = ("draws", "means", "floor")
    rows = [
        (NAMES.get(name, name), *(_interval(samples[which][name]) for which in sets))
        for name in DISTANCES
        if samples["floor"][name] is not None
    ]
    return show.table(rows, ("", "draws", "means", "training data"), right=(1, 2, 3))


def _interval(found: Mapping[str, float] | None) -> str:
    return "–" if found is None else f"{number(found['value'])} ({number(found['low'])} to {number(found['high'])})"
