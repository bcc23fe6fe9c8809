"""``vaekit evaluate``."""

from __future__ import annotations

import json
from typing import Annotated, Any

from cyclopts import Parameter
from rich.table import Table

from . import show
from .common import AT_LEAST_ONE, Data, Device, RunPath, Which, load_run, note, status

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
}
DENSITIES = ("log_likelihood", "log_likelihood_se", "ess", "bits_per_dim")


def evaluate(
    run: RunPath,
    data: Data = None,
    /,
    *,
    part: Which = None,
    samples: Annotated[int, Parameter(help="importance samples for each example", validator=AT_LEAST_ONE)] = 100,
    seed: Annotated[int, Parameter(help="seed of the samples")] = 0,
    as_json: Annotated[bool, Parameter(name="--json", help="print JSON, not a table", show_default=False)] = False,
    device: Device = "auto",
) -> None:
    """Estimate the numbers of a run, keep them in its folder and print them."""
    from vaekit import evaluation, recipes

    loaded = load_run(run, device)
    examples = recipes.choose_examples(loaded, data, part)
    feed = loaded.feed(examples.x, examples.y)
    with status(f"evaluating {len(examples):,} examples"):
        result = evaluation.evaluate(loaded.model, feed, samples, seed=seed)
    report = {**result.to_json(), "data": examples.description}
    _keep(run, report)
    if as_json:
        print(json.dumps(report))
    else:
        _print(report, loaded.model.has_density)


def _keep(run: str, report: dict[str, Any]) -> None:
    from vaekit import store

    try:
        store.write_json(store.RunFolder(run).evaluation, report)
    except OSError as error:
        note(f"the numbers are not kept: {error}")


def _print(report: dict[str, Any], has_density: bool) -> None:
    out = show.console()
    out.print(report_title(report), style="bold")
    out.print(report_table(report))
    if not has_density:
        note(f"{', '.join(DENSITIES)} have no value, as the likelihood is not a density over the original values")


def report_title(report: dict[str, Any]) -> str:
    """What the numbers are of."""
    samples = (
        "" if report["log_likelihood"] is None else f"; {show.counted(report['samples'], 'importance sample')} for each"
    )
    return f"{report['data']}, {report['n']:,} examples{samples}"


def report_table(report: dict[str, Any]) -> Table:
    """The numbers of ``evaluation.json`` with units and meaning."""
    rows = [(name, _number(report[name]), unit, about) for name, (unit, about) in MEANING.items()]
    return show.table(rows, ("", "", "", ""), right=(1,))


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    return str(value) if isinstance(value, int) else f"{value:.3f}" if abs(value) >= 1 else f"{value:.4f}"
