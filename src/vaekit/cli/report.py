"""How the numbers of an evaluation are printed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from . import show

if TYPE_CHECKING:
    from vaekit.evaluation.meaning import Meaning

DISTANCES = ("frechet", "kernel", "precision", "recall", "density", "coverage", "sharpness")
NAMES = {"frechet": "Fréchet distance", "kernel": "kernel distance"}


def title(report: Mapping[str, Any]) -> str:
    """What the numbers are of."""
    samples = (
        "" if report["log_likelihood"] is None else f"; {show.counted(report['samples'], 'importance sample')} for each"
    )
    return f"{report['data']}, {show.counted(report['n'], 'example')}{samples}"


def table(report: Mapping[str, Any], meaning: Meaning | None = None) -> Table:
    """The numbers of ``evaluation.json`` that have a value, with units and meaning."""
    from vaekit.evaluation.meaning import EVALUATION

    meaning = {name: of for name, of in (meaning or EVALUATION).items() if report.get(name) is not None}
    rows = [(name, number(report[name]), unit, about) for name, (unit, about) in meaning.items()]
    return show.table(rows, ("", "", "", ""), right=(1,))


def number(value: float) -> str:
    """Three decimals, four for small numbers."""
    return str(value) if isinstance(value, int) else f"{value:.3f}" if abs(value) >= 1 else f"{value:.4f}"


def print_all(out: Console, report: Mapping[str, Any]) -> None:
    """Every part of a full report, with a heading each."""
    from vaekit.evaluation.meaning import DISENTANGLEMENT, LATENTS, LIKELIHOOD

    likelihood, latents = report["likelihood"], report["latents"]
    if likelihood is not None:
        head = (
            f"Likelihood: {likelihood['samples']} samples, {likelihood['many']:,} on {likelihood['corrected']} of them"
        )
        linear = {name: report[name] for name in ("linear_gaussian", "gaussian_copula")}
        _section(out, head, table({**likelihood, **linear}, LIKELIHOOD))
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
