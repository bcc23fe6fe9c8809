"""``vaekit train``."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from signal import SIGTERM
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from vaekit.recipes.request import TrainRequest

from . import show
from .common import refuse, status
from .endings import INTERRUPTED, TERMINATED, StoppedError, speaks
from .options import choices, combined, takes_request

if TYPE_CHECKING:
    from vaekit.data import Dataset
    from vaekit.recipes import Run
    from vaekit.training import Reporter


@takes_request
def train(
    data: Annotated[str | None, Parameter(help="name of a data set, or path of a file or folder")] = None,
    /,
    *,
    preset: Annotated[str | None, Parameter(help="named choices to start from: see vaekit info")] = None,
    config: Annotated[str | None, Parameter(help="file of choices: .toml, .yaml or .json", metavar="FILE")] = None,
    out: Annotated[str | None, Parameter(help="folder to write; a new one in runs/ if left out", metavar="RUN")] = None,
    overwrite: Annotated[bool, Parameter(help="replace the run that is there", show_default=False)] = False,
    resume: Annotated[str | None, Parameter(help="continue this run instead of a new one", metavar="RUN")] = None,
    init: Annotated[str | None, Parameter(help="start from the weights of this run", metavar="RUN")] = None,
    tensorboard: Annotated[bool, Parameter(help="also write logs for TensorBoard", show_default=False)] = False,
    quiet: Annotated[bool, Parameter(help="print nothing but errors", show_default=False)] = False,
    **given: Any,
) -> None:
    """Train a new run, or continue one, and say what came of it."""
    from vaekit import recipes

    quiet = quiet or not speaks()
    if resume is not None:
        others = {"DATA": data, "--preset": preset, "--config": config, "--out": out, "--init": init}
        refuse("--resume continues a run as it was set up", {**others, "--overwrite": overwrite})
        folder = Path(resume)
        with _reporting(folder, tensorboard, quiet) as reporter:
            run = recipes.resume(folder, choices(given), reporter=reporter)
    else:
        request, dataset = _request(combined(data, preset, config, given))
        folder = Path(out) if out is not None else _unused(request.data)
        with _reporting(folder, tensorboard, quiet) as reporter:
            run = recipes.train(request, folder, dataset=dataset, init=init, overwrite=overwrite, reporter=reporter)
    if not quiet:
        _summarize(run, folder)


def _request(options: dict[str, Any]) -> tuple[TrainRequest, Dataset | None]:
    """The request, and its data where they had to be loaded to know which default a dotted option changes."""
    from vaekit import recipes

    open_nouns = {key: value for key, value in options.items() if isinstance(value, Mapping) and "name" not in value}
    request = TrainRequest.parse({key: value for key, value in options.items() if key not in open_nouns})
    if not open_nouns:
        return request, None
    dataset = recipes.load_run_data(request)
    chosen = recipes.plan(request, dataset)[0]
    named = {key: {**getattr(chosen, key), **value} for key, value in open_nouns.items()}
    return TrainRequest.parse({**request.to_json(), **named}), dataset


def _unused(data: str | None) -> Path:
    """A folder that is not there yet: runs/<data>-<n>."""
    stem = Path(data or "").expanduser().resolve().name.split(".")[0] or "run"
    return next(path for n in count(1) if not (path := Path("runs") / f"{stem}-{n}").exists())


@contextmanager
def _reporting(folder: Path, tensorboard: bool, quiet: bool) -> Iterator[Reporter]:
    """What tells of a training; where a signal stops it, end with the command that continues it."""
    from vaekit.training import Interrupted, TensorBoardReporter, default_reporter
    from vaekit.training.progress import Reporters

    from .reporters import Opening

    logs = [TensorBoardReporter(str(folder / "tensorboard"))] if tensorboard else []
    try:
        with status("getting ready", shown=not quiet) as waiting:
            yield Reporters([*([] if quiet else [Opening(folder, waiting), default_reporter()]), *logs])
    except Interrupted as stopped:
        code = TERMINATED if stopped.signal == SIGTERM else INTERRUPTED
        command = f"vaekit train --resume {shlex.quote(str(folder))}"
        raise StoppedError(f"{stopped}; saved; continue with: {command}", code) from stopped


def _summarize(run: Run, folder: Path) -> None:
    """How the training ended, where the run is, and what to do with it."""
    out, rows = show.console(), run.history
    if rows:
        last, time = rows[-1], show.duration(sum(row["seconds"] for row in rows))
        early = "" if last["epoch"] == run.request.epochs else f" of {run.request.epochs}, then patience ran out"
        out.print(f"\nTrained for {show.counted(last['epoch'], 'epoch')}{early}, in {time}", style="bold")
        numbers = {name: last[name] for name in ("loss", "reconstruction", "kl")}
        table = [(name, f"{value:.3f}", "nats per example") for name, value in numbers.items()]
        best = min((row for row in rows if row["val_loss"] is not None), key=lambda row: row["val_loss"], default=None)
        if best is not None:
            kept = best if run.request.keep == "best" else last
            where = f"nats per example in epoch {kept['epoch']}, which is kept"
            table.append(("held-out loss", f"{kept['val_loss']:.3f}", where))
        out.print(show.table(table, ("", "", ""), right=(1,)))
    name = shlex.quote(str(folder))
    out.print(f"\nThe run is {name}. What next:\n", soft_wrap=True)
    of_table = run.schema.kind == "table"
    last = f"encode {name} --out latents.parquet" if of_table else f"sample {name} --out samples.png"
    for command in (f"evaluate {name}", f"plot {name}", last):
        out.print(f"  vaekit {command}", soft_wrap=True)
