"""A run: data and a request ↦ a trained model, and its folder on disk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vaekit import store
from vaekit.core import LatentModel
from vaekit.data import Context, Dataset, Schema, Table, TableSchema, load_dataset, schema_from_json, split
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
from .registry import build
from .request import TrainRequest


@dataclass
class Run:
    """A trained model with all that is needed to use it. ``request`` is complete; ``history`` has a row an epoch."""

    request: TrainRequest
    schema: Schema | TableSchema
    model: LatentModel
    history: list[Row] = field(default_factory=list)
    path: Path | None = None

    @classmethod
    def load(cls, path: str | Path, device: str = "cpu") -> Run:
        """Read a run folder. Raises OSError or ValueError with one sentence if it is missing, damaged or foreign."""
        folder = RunFolder.open(path)
        request, schema, examples = read_choices(folder)
        model = _rebuild(request, schema, examples, folder.model, _stored_weights(folder.model))
        load_weights(model, folder.model)
        model.to(choose_device(device)).eval()
        history = store.read_jsonl(folder.metrics) if folder.metrics.exists() else []
        return cls(request, schema, model, history, folder.path)

    def save(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write a run folder with everything but a checkpoint."""
        folder = RunFolder.create(path, overwrite=overwrite)
        write_choices(folder, self.request, self.schema, self.model.shapes.examples)
        write_weights(self.model.state_dict(), folder.model)
        for row in self.history:
            store.append_jsonl(folder.metrics, row)
        self.path = folder.path
        write_card(folder, self.request, self.schema, self.model, self.history)
        return folder.path

    def table_schema(self, what: str) -> TableSchema:
        """The schema, if it is a table's. Raises ValueError that says what needs one if not."""
        if not isinstance(self.schema, TableSchema):
            raise ValueError(f"{what}, but this run was trained on {self.schema.words}")
        return self.schema

    def feed(self, raw: Any, y: Any = None) -> Feed:
        """Raw items, checked against the schema, as examples for tasks; y tells a conditional model what they are."""
        return Feed.from_raw(self.schema, raw, y=y)

    def context(self, n: int, y: Any = None) -> torch.Tensor | None:
        """What n examples are told to a conditional model, (n, C), unknown where y is None; None for all others.

        Raises ValueError if y is given to a model that is not conditional.
        """
        if self.schema.context is None:
            if y is not None:
                raise ValueError(
                    "this model is not conditional, so it cannot be told labels; train it with conditional"
                )
            return None
        return torch.from_numpy(self.schema.context.encode(y, n))


def load_run_data(request: TrainRequest) -> Dataset:
    """The data set that a request names."""
    if request.data is None:
        raise ValueError("no data given: name a data set (see `vaekit data list`) or a file or folder")
    return load_dataset(request.data, resize=request.resize)  # pyright: ignore[reportArgumentType]


def training_items(request: TrainRequest, dataset: Dataset) -> tuple[Any, np.ndarray | None]:
    """The items that training may use, held-out ones included: the training part, or with the test set as well."""
    if not request.include_test or dataset.x_test is None:
        return dataset.x, dataset.y
    y = None if dataset.y is None or dataset.y_test is None else np.concatenate([dataset.y, dataset.y_test])
    return np.concatenate([dataset.x, dataset.x_test]), y


def divide(request: TrainRequest, n: int, y: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """The positions of the items to train on and of those held out, as the request's seed has it."""
    seed = request.seed if request.split_seed is None else request.split_seed
    return split(n, request.held_out, y=y, seed=seed)


def infer_schema(request: TrainRequest, dataset: Dataset, x: Any, y: Any) -> Schema | TableSchema:
    """How the items map to what the model sees and is told. Raises ValueError where the request cannot be met."""
    if isinstance(x, Table):
        schema = TableSchema.infer(x, choices=request.columns)
    elif request.columns is not None:
        raise ValueError("columns say what a table holds, but these data are no table; leave columns out")
    else:
        schema = Schema.infer(x, classes=dataset.classes, columns=dataset.columns)
    if request.conditional and y is None:
        raise ValueError("a conditional model is told the labels, but these data have none; leave out conditional")
    context = Context.infer(y, dataset.classes) if request.conditional else None
    if isinstance(schema, TableSchema):
        if request.binarize:
            raise ValueError("binarize is for grey pictures; leave it out for tables")
        return replace(schema, context=context)
    return replace(schema, binarized=request.binarize, context=context)


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

    The schema is inferred from the data, unless it is given.
    ``init`` is a run whose weights are the start, where the model is the same. Under ``torchrun`` every process calls
    this; the first one writes.
    """
    dataset = dataset or load_run_data(request)
    x, y = training_items(request, dataset)
    schema = schema or infer_schema(request, dataset, x, y)
    me = workers(request.device)
    kept, held = divide(request, len(x), y)
    request = complete(request, schema, len(kept))
    model = build_model(request, schema, len(kept))
    if init is not None:
        load_weights(model, RunFolder.open(init).model)
    training, keeper = _prepare(Run(request, schema, model), x, y, kept, held, me, reporter)
    for remark in schema.remarks(x) if isinstance(schema, TableSchema) else ():
        training.reporter.note(remark)
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
    model = _rebuild(request, schema, examples, folder.checkpoint, weights)
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
            weights = training.best or training.model.state_dict()
            write_weights(weights, self.folder.model)

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


def write_choices(folder: RunFolder, request: TrainRequest, schema: Schema | TableSchema, examples: int) -> None:
    """config.json and schema.json."""
    from vaekit import __version__

    divided = {"train": examples, "held_out": request.held_out, "seed": request.seed}
    store.write_json(folder.schema, {"schema": schema.to_json(), "split": divided})
    store.write_json(
        folder.config,
        {"format": store.FORMAT, "vaekit": __version__, "torch": torch.__version__, "request": request.to_json()},
    )


def read_choices(folder: RunFolder) -> tuple[TrainRequest, Schema | TableSchema, int]:
    """The request, the schema and the number of training examples. Raises ValueError where they are damaged."""
    try:
        request = TrainRequest.parse(folder.read_config()["request"])
        missing = [name for name in ("network", "likelihood", "prior", "latent_dim") if getattr(request, name) is None]
        if missing:
            raise ValueError(f"its config.json says nothing of {', '.join(missing)}")
        content = store.read_json(folder.schema)
        return request, schema_from_json(content["schema"]), int(content["split"]["train"])
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{folder.path} is damaged: config.json or schema.json lacks {error}") from error
    except ValueError as error:
        raise ValueError(f"{folder.path} cannot be loaded: {error}") from error


def write_weights(weights: Mapping[str, torch.Tensor], path: Path) -> None:
    """model.safetensors."""
    store.write_tensors(path, {k: v.detach().cpu().contiguous().numpy() for k, v in weights.items()})


def load_weights(model: LatentModel, path: Path) -> None:
    """Fill a model from model.safetensors. Raises ValueError if the file is of another model, with what differs."""
    tensors = _stored_weights(path)
    _check_same(model, tensors, path)
    model.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in tensors.items()})


def _stored_weights(path: Path) -> dict[str, np.ndarray]:
    if not path.exists():
        raise FileNotFoundError(f"{path.parent} holds no trained weights yet; continue it with --resume")
    return store.read_tensors(path)[0]


def _rebuild(
    request: TrainRequest, schema: Schema | TableSchema, examples: int, path: Path, weights: Mapping[str, np.ndarray]
) -> LatentModel:
    """The model of a stored request; it takes no memory before its shapes are known to be the stored weights'."""
    try:
        with torch.device("meta"):
            outline = build_model(request, schema, examples)
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"{path.parent} cannot be loaded: its config.json describes no model: {reason}") from error
    _check_same(outline, weights, path)
    return build_model(request, schema, examples)


def _check_same(model: LatentModel, tensors: Mapping[str, np.ndarray], path: Path) -> None:
    own = model.state_dict()
    if own.keys() != tensors.keys():
        differing = sorted(own.keys() ^ tensors.keys())[0]
        raise ValueError(f"{path} holds the weights of another model: {differing!r} is not in both")
    for name, value in own.items():
        if tuple(value.shape) != tensors[name].shape:
            raise ValueError(
                f"{path} holds the weights of another model: {name!r} has shape {tensors[name].shape}, "
                f"expected {tuple(value.shape)}"
            )
