"""``vaekit refit``."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from . import show
from .common import AT_LEAST_ONE, Device, RunPath, load_run, note, status
from .options import SUFFIX, choices

if TYPE_CHECKING:
    from vaekit.training.refit import Refit

MEANING = {
    "cross_entropy": "cost of a latent under the prior, -E[log p(z)]; lower is better",
    "kl": "of an example's latents: cross-entropy less the posterior's own entropy",
    "elbo": "bound on the log-likelihood of an example; higher is better",
}


def refit(
    run: RunPath,
    /,
    *,
    prior: Annotated[str, Parameter(help="the new prior: see vaekit info")],
    prior__options: Annotated[
        dict[str, list[str]] | None, Parameter(name="--prior", show=False, consume_multiple=True)
    ] = None,
    out: Annotated[str | None, Parameter(help="folder to write; RUN-PRIOR if left out", metavar="RUN")] = None,
    overwrite: Annotated[bool, Parameter(help="replace the run that is there", show_default=False)] = False,
    epochs: Annotated[int, Parameter(help="passes over the training examples", validator=Number(gte=0))] = 20,
    lr: Annotated[float, Parameter(help="learning rate of Adam")] = 1e-3,
    batch_size: Annotated[int, Parameter(help="examples in a step", validator=AT_LEAST_ONE)] = 128,
    seed: Annotated[int, Parameter(help="seed of everything random")] = 0,
    as_json: Annotated[bool, Parameter(name="--json", help="print JSON, not a table", show_default=False)] = False,
    quiet: Annotated[bool, Parameter(help="print nothing but errors", show_default=False)] = False,
    device: Device = "auto",
) -> None:
    """Write a run like another, its prior fitted to what its encoder makes of the data."""
    from vaekit import recipes
    from vaekit.store import RunFolder
    from vaekit.training import PlainReporter

    path = Path(run)
    folder = Path(out) if out is not None else path.with_name(f"{path.name}-{prior}")
    choice = choices({"prior": prior, f"prior{SUFFIX}": prior__options or {}})["prior"]
    loaded = load_run(run, device)
    recipes.spell("prior", choice)  # a typing error is told before anything is made
    if folder.exists() and not overwrite:
        RunFolder.create(folder)  # so is a run in the way
    with status("fitting the prior", shown=not quiet):
        fitted, report = recipes.refit(
            loaded,
            choice,
            epochs=epochs,
            lr=lr,
            batch_size=batch_size,
            seed=seed,
            reporter=None if quiet or as_json else PlainReporter(),
        )
    fitted.save(folder, overwrite=overwrite)
    if as_json:
        print(json.dumps({**report.to_json(), "run": str(folder)}))
    elif not quiet:
        _print(report, prior, folder)


def _print(report: Refit, prior: str, folder: Path) -> None:
    out, rows = show.console(), []
    for name, about in MEANING.items():
        before, after = getattr(report.before, name), getattr(report.after, name)
        if before is not None and after is not None:
            rows.append((name, f"{before:.3f}", f"{after:.3f}", "nats", about))
    if report.after.cross_entropy > report.before.cross_entropy:
        note("the new prior fits worse than the run's own; try a simpler one, or keep the run as it is")
    which = "held-out" if report.held_out else "training"
    out.print(f"\nPrior {prior} in place of the run's own, on the {which} examples", style="bold")
    out.print(show.table(rows, ("", "before", "after", "", ""), right=(1, 2)))
    out.print(f"\nThe run is {shlex.quote(str(folder))}", soft_wrap=True)
