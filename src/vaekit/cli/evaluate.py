"""``vaekit evaluate``."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from . import report, show
from .common import AT_LEAST_ONE, Data, Device, RunPath, Which, load_run, note, status

if TYPE_CHECKING:
    from vaekit.recipes import Examples, Run

DENSITIES = ("log_likelihood", "log_likelihood_se", "ess", "bits_per_dim")


def evaluate(
    run: RunPath,
    data: Data = None,
    /,
    *,
    part: Which = None,
    samples: Annotated[int, Parameter(help="importance samples for each example", validator=AT_LEAST_ONE)] = 100,
    full: Annotated[bool, Parameter(help="also judge samples and latent space", show_default=False)] = False,
    many: Annotated[
        int, Parameter(help="importance samples for the 500 examples of the correction", validator=AT_LEAST_ONE)
    ] = 5000,
    seed: Annotated[int, Parameter(help="seed of the samples")] = 0,
    as_json: Annotated[bool, Parameter(name="--json", help="print JSON, not a table", show_default=False)] = False,
    device: Device = "auto",
) -> None:
    """Estimate the numbers of a run, keep them in its folder and print them."""
    from vaekit import recipes

    loaded = load_run(run, device)
    examples = recipes.choose_examples(loaded, data, part)
    with status(f"evaluating {len(examples):,} examples"):
        if full:
            train = recipes.parts_of(loaded, data)["train"]
            content = _all(loaded, examples, train, samples, max(many, samples), seed)
        else:
            content = _some(loaded, examples, samples, seed)
    content["data"] = examples.description
    _keep(run, content)
    if as_json:
        print(json.dumps(content))
    else:
        _print(content, loaded.model.has_density)


def _some(run: Run, examples: Examples, samples: int, seed: int) -> dict[str, Any]:
    """The evaluation, and what it and the history show."""
    from vaekit import evaluation

    feed = run.feed(examples.x, examples.y)
    result = evaluation.evaluate(run.model, feed, samples, seed=seed)
    findings = evaluation.diagnose(result, run.history, noise_at_bound=evaluation.share_at_bound(run.model, feed))
    return {**result.to_json(), "findings": [asdict(finding) for finding in findings]}


def _all(run: Run, examples: Examples, train: Examples, samples: int, many: int, seed: int) -> dict[str, Any]:
    """Every measure there is."""
    from vaekit import evaluation
    from vaekit.recipes.baseline import baseline_scores

    unseen, seen = run.feed(examples.x, examples.y), run.feed(train.x, train.y)
    of_table = run.schema.kind == "table"  # whose rows are compared by vaekit synthesize --report
    result = evaluation.evaluate_fully(
        run.model,
        unseen,
        seen,
        y_test=examples.y,
        y_train=train.y,
        factors=examples.factors,
        features=[] if of_table else None,
        history=run.history,
        baselines=baseline_scores(run, seen, unseen),
        sizes=replace(evaluation.Sizes(), samples=samples, many=many),
        seed=seed,
    )
    return result.to_json()


def _keep(run: str, content: dict[str, Any]) -> None:
    from vaekit import store

    try:
        store.write_json(store.RunFolder(run).evaluation, content)
    except OSError as error:
        note(f"the numbers are not kept: {error}")


def _print(content: dict[str, Any], has_density: bool) -> None:
    out = show.console()
    out.print(report.title(content), style="bold")
    out.print(report.table(content))
    if "latents" in content:
        report.print_all(out, content)
    report.print_findings(out, content["findings"])
    if not has_density:
        note(f"{', '.join(DENSITIES)} have no value, as the model has no density over the original values")
