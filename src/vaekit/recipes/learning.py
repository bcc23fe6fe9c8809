"""Data and a request ↦ a run: trained, stopped, resumed, its folder kept up to date."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vaekit import store
from vaekit.data import Dataset, Schema, TableSchema
from vaekit.store import RunFolder
from vaekit.training import (
    Feed,
    Interrupted,
    Reporter,
    Training,
    Workers,
    choose_device,
    load_state,
    save_state,
    workers,
)
from vaekit.training.progress import Reporters, Row
from vaekit.training.refit import refit_prior, refittable

from .assemble import build_model, build_objective, build_settings
from .card import write_card
from .defaults import complete
from .items import divide, infer_schema, load_run_data, tell, training_items
from .registry import build
from .request import TrainRequest
from .run import Run, load_weights, read_choices, rebuild, write_choices, write_weights


def train(
    request: TrainRequest,
    out: str | Path | None = None,
    *,
    dataset: Dataset | None = None,
    schema: Schema | TableSchema | None = None,
    init: str | Path | None = None,
    overwrite: bool = False,
    reporter: Reporter | None = None,
) -> Run:
    """Train a new model. With ``out`` the run's folder is kept up to date after each epoch.

    The schema is inferred from the data, and the reporter told what a table's leaves out, unless it is given.
    ``init`` is a run whose weights are the start, where the model is the same. Under ``torchrun`` every process calls
    this; the first one writes.
    """
    dataset = dataset or load_run_data(request)
    x, y = training_items(request, dataset)
    me = workers(request.device)
    if schema is None:
        schema = infer_schema(request, dataset, x, y)
        tell(schema, x, reporter if me.is_first else None)
    kept, held = divide(request, len(x), y)
    request = complete(request, schema, len(kept))
    model = build_model(request, schema, len(kept))
    if init is not None:
        load_weights(model, RunFolder.open(init).model)
    training, keeper = _prepare(Run(request, schema, model), x, y, kept, held, me, reporter)
    if out is not None and me.is_first:
        keeper.folder = RunFolder.create(out, overwrite=overwrite)
        write_choices(keeper.folder, request, schema, len(kept))
    return _finish(training, keeper)


def resume(path: str | Path, changes: Mapping[str, Any] | None = None, *, reporter: Reporter | None = None) -> Run:
    """Continue an interrupted run to the end of its epochs, or, with ``changes={"epochs": n}``, train a finished one
    on.

    Only ``epochs``, ``device``, ``precision`` and ``patience`` may change.
    """
    folder = RunFolder.open(path)
    stored, schema, examples = read_choices(folder)
    request = TrainRequest.parse({**stored.to_json(), **(changes or {})})
    for name in (changes or {}).keys() - {"epochs", "device", "precision", "patience"}:
        if getattr(request, name) != getattr(stored, name):
            raise ValueError(
                f"a resumed run keeps its {name}; only epochs, device, precision and patience may change "
                f"(to train the weights on with other choices, start a new run with init)"
            )
    if not folder.checkpoint.exists():
        raise ValueError(f"{folder.path} holds no checkpoint to resume from; train with --overwrite to start again")
    x, y = training_items(request, load_run_data(request))
    me = workers(request.device)
    kept, held = divide(request, len(x), y)
    if len(kept) != examples:
        raise ValueError(
            f"the data of {folder.path} have changed: it was trained on {examples} examples, now there are {len(kept)}"
        )
    tensors, metadata = store.read_tensors(folder.checkpoint)
    weights = {name.removeprefix("model/"): value for name, value in tensors.items() if name.startswith("model/")}
    model = rebuild(request, schema, examples, folder.checkpoint, weights)
    training, keeper = _prepare(Run(request, schema, model), x, y, kept, held, me, reporter)
    load_state(training, tensors, metadata)
    if me.is_first:
        keeper.resume(folder, training.epoch)
        write_choices(folder, request, schema, examples)
    return _finish(training, keeper)


def _prepare(
    run: Run, x: Any, y: Any, kept: np.ndarray, held: np.ndarray, me: Workers, reporter: Reporter | None
) -> tuple[Training, _Keeper]:
    """The training, with everything that can be refused refused, and its record, which has no folder yet."""
    device = choose_device(run.request.device)
    if device.type == "cuda" and device.index is None:
        device = torch.device("cuda", me.local_rank)
    keeper = _Keeper(run)
    if run.request.refit is not None:
        refittable(run.model, build("prior", run.request.refit))
    whole = Feed.from_raw(run.schema, x, device, y=y, varying=True)
    training = Training(
        run.model,
        build_objective(run.request),
        whole.select(kept) if len(held) else whole,
        whole.select(held).fixed() if len(held) else None,
        build_settings(run.request),
        device=device,
        workers=me,
        reporter=Reporters([keeper, *([reporter] if reporter and me.is_first else [])]),
        checkpoint=keeper.checkpoint,
    )
    return training, keeper


def _finish(training: Training, keeper: _Keeper) -> Run:
    run = keeper.run
    try:
        training.run()
    except Interrupted as stopped:
        training.finish()
        run.model.to("cpu")
        stopped.run = run if run.history else None
        raise
    if run.request.refit is not None:
        keeper.refit(training, run.request.refit)
    run.model.to("cpu")
    keeper.finish()
    return run


class _Keeper(Reporter):
    """Keeps the history, and the run's folder if there is one."""

    def __init__(self, run: Run):
        self.run = run
        self.folder: RunFolder | None = None

    def resume(self, folder: RunFolder, epochs: int) -> None:
        self.folder = folder
        store.truncate_jsonl(folder.metrics, epochs)
        self.run.history = store.read_jsonl(folder.metrics) if folder.metrics.exists() else []

    def epoch(self, training: Training, row: Row) -> None:
        self.run.history.append(row)
        if self.folder:
            store.append_jsonl(self.folder.metrics, row)

    def checkpoint(self, training: Training) -> None:
        if self.folder:
            store.write_tensors(self.folder.checkpoint, *save_state(training))
            write_weights(training.kept, self.folder.model)

    def refit(self, training: Training, choice: dict[str, Any]) -> None:
        """Put the prior that is fitted after training in its place; the run can then not be trained on."""
        run, request = self.run, self.run.request
        prior, epochs = build("prior", choice), request.refit_epochs
        training.reporter.note(f"fitting prior {choice['name']!r} to the latents")
        report = refit_prior(
            run.model,
            prior,
            training.train,
            training.valid,
            epochs=epochs,
            seed=request.seed,
            reporter=training.reporter,
        )
        before, after = report.before.cross_entropy, report.after.cross_entropy
        training.reporter.note(f"the latents cost {before:.3f} nats before, {after:.3f} after")
        run.request = request.model_copy(update={"prior": choice, "refit": None})
        if self.folder:
            write_weights(run.model.state_dict(), self.folder.model)
            write_choices(self.folder, run.request, run.schema, run.model.shapes.examples)
            self.folder.checkpoint.unlink(missing_ok=True)

    def finish(self) -> None:
        if self.folder:
            write_weights(self.run.model.state_dict(), self.folder.model)
            write_card(self.folder, self.run.request, self.run.schema, self.run.model, self.run.history)
            self.run.path = self.folder.path
