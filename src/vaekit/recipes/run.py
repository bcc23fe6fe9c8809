"""A run: data and a request ↦ a trained model, and its folder on disk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vaekit import store
from vaekit.core import LatentModel
from vaekit.data import Dataset, Schema, load_dataset, split
from vaekit.store import RunFolder
from vaekit.training import Feed, Reporter, Training, Workers, choose_device, load_state, save_state, workers
from vaekit.training.progress import Reporters, Row

from .build import build_model, build_objective, build_settings
from .card import write_card
from .defaults import complete
from .request import TrainRequest


@dataclass
class Run:
    """A trained model with all that is needed to use it. ``request`` is complete; ``history`` has a row an epoch."""

    request: TrainRequest
    schema: Schema
    model: LatentModel
    history: list[Row] = field(default_factory=list)
    path: Path | None = None

    @classmethod
    def load(cls, path: str | Path, device: str = "cpu") -> Run:
        """Read a run folder. Raises OSError or ValueError with one sentence if it is missing, damaged or foreign."""
        folder = RunFolder.open(path)
        request, schema, examples = read_choices(folder)
        model = build_model(request, schema, examples)
        load_weights(model, folder.model)
        model.to(choose_device(device)).eval()
        history = store.read_jsonl(folder.metrics) if folder.metrics.exists() else []
        return cls(request, schema, model, history, folder.path)

    def save(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write a run folder with everything but a checkpoint."""
        folder = RunFolder.create(path, overwrite=overwrite)
        write_choices(folder, self.request, self.schema, self.model.shapes.examples)
        write_weights(self.model, folder.model)
        for row in self.history:
            store.append_jsonl(folder.metrics, row)
        self.path = folder.path
        write_card(folder, self.request, self.schema, self.model, self.history)
        return folder.path

    def feed(self, raw: Any) -> Feed:
        """Raw items, checked against the schema, as examples for tasks."""
        return Feed.from_raw(self.schema, raw)


def load_run_data(request: TrainRequest) -> Dataset:
    """The data set that a request names."""
    if request.data is None:
        raise ValueError("no data given: name a data set (see `vaekit data list`) or a file or folder")
    return load_dataset(request.data, resize=request.resize)  # pyright: ignore[reportArgumentType]


def training_items(request: TrainRequest, dataset: Dataset) -> tuple[np.ndarray, np.ndarray | None]:
    """The items that training may use, held-out ones included: the training part, or with the test set as well."""
    if not request.include_test or dataset.x_test is None:
        return dataset.x, dataset.y
    y = None if dataset.y is None or dataset.y_test is None else np.concatenate([dataset.y, dataset.y_test])
    return np.concatenate([dataset.x, dataset.x_test]), y


def train(
    request: TrainRequest,
    out: str | Path | None = None,
    *,
    dataset: Dataset | None = None,
    init: str | Path | None = None,
    overwrite: bool = False,
    reporter: Reporter | None = None,
) -> Run:
    """Train a new model. With ``out`` the run's folder is kept up to date after each epoch.

    ``init`` is a run whose weights are the start, where the model is the same. Under ``torchrun`` every process calls
    this; the first one writes.
    """
    dataset = dataset or load_run_data(request)
    x, y = training_items(request, dataset)
    schema = Schema.infer(x, classes=dataset.classes, columns=dataset.columns)
    with workers(request.device) as me:
        kept, held = split(len(x), request.held_out, y=y, seed=request.seed)
        request = complete(request, schema, len(kept))
        model = build_model(request, schema, len(kept))
        if init is not None:
            load_weights(model, RunFolder.open(init).model)
        folder = None
        if out is not None and me.is_first:
            folder = RunFolder.create(out, overwrite=overwrite)
            write_choices(folder, request, schema, len(kept))
        return _fit(Run(request, schema, model), x, kept, held, folder, me, reporter, checkpoint=None)


def resume(path: str | Path, changes: Mapping[str, Any] | None = None, *, reporter: Reporter | None = None) -> Run:
    """Continue an interrupted run to the end of its epochs, or, with ``changes={"epochs": n}``, train a finished one
    on.

    Only ``epochs``, ``device``, ``precision`` and ``patience`` may change.
    """
    folder = RunFolder.open(path)
    stored, schema, examples = read_choices(folder)
    changes = dict(changes or {})
    for name in changes:
        if name not in ("epochs", "device", "precision", "patience") and changes[name] != getattr(stored, name, None):
            raise ValueError(
                f"a resumed run keeps its {name}; only epochs, device, precision and patience may change "
                f"(to train the weights on with other choices, start a new run with init)"
            )
    request = TrainRequest.parse({**stored.to_json(), **changes})
    if not folder.checkpoint.exists():
        raise ValueError(f"{folder.path} holds no checkpoint to resume from; train with --overwrite to start again")
    x, y = training_items(request, load_run_data(request))
    with workers(request.device) as me:
        kept, held = split(len(x), request.held_out, y=y, seed=request.seed)
        if len(kept) != examples:
            raise ValueError(
                f"the data of {folder.path} have changed: it was trained on {examples} examples, "
                f"now there are {len(kept)}"
            )
        model = build_model(request, schema, examples)
        if me.is_first:
            write_choices(folder, request, schema, examples)
        checkpoint = store.read_tensors(folder.checkpoint)
        return _fit(Run(request, schema, model), x, kept, held, folder, me, reporter, checkpoint)


def _fit(
    run: Run,
    x: np.ndarray,
    kept: np.ndarray,
    held: np.ndarray,
    folder: RunFolder | None,
    me: Workers,
    reporter: Reporter | None,
    checkpoint: tuple[dict[str, np.ndarray], dict[str, str]] | None,
) -> Run:
    device = choose_device(run.request.device)
    if device.type == "cuda" and device.index is None:
        device = torch.device("cuda", me.local_rank)
    keeper = _Keeper(run, folder if me.is_first else None)
    whole = Feed.from_raw(run.schema, x, device)
    training = Training(
        run.model,
        build_objective(run.request),
        whole.select(kept) if len(held) else whole,
        whole.select(held) if len(held) else None,
        build_settings(run.request),
        device=device,
        workers=me,
        reporter=Reporters([keeper, *([reporter] if reporter and me.is_first else [])]),
        checkpoint=keeper.checkpoint,
    )
    del whole
    if checkpoint is not None:
        load_state(training, *checkpoint)
        keeper.resume(training.epoch)
    training.run()
    run.model.to("cpu")
    keeper.finish()
    run.path = folder.path if folder else None
    return run


class _Keeper(Reporter):
    """Keeps the history, and the run's folder if there is one."""

    def __init__(self, run: Run, folder: RunFolder | None):
        self.run, self.folder = run, folder

    def resume(self, epochs: int) -> None:
        if self.folder:
            store.truncate_jsonl(self.folder.metrics, epochs)
            self.run.history = store.read_jsonl(self.folder.metrics) if self.folder.metrics.exists() else []

    def epoch(self, training: Training, row: Row) -> None:
        self.run.history.append(row)
        if self.folder:
            store.append_jsonl(self.folder.metrics, row)

    def checkpoint(self, training: Training) -> None:
        if self.folder:
            store.write_tensors(self.folder.checkpoint, *save_state(training))
            weights = training.best or training.model.state_dict()
            store.write_tensors(self.folder.model, {k: v.detach().cpu().numpy() for k, v in weights.items()})

    def finish(self) -> None:
        if self.folder:
            write_weights(self.run.model, self.folder.model)
            write_card(self.folder, self.run.request, self.run.schema, self.run.model, self.run.history)


def write_choices(folder: RunFolder, request: TrainRequest, schema: Schema, examples: int) -> None:
    """config.json and schema.json."""
    from vaekit import __version__

    divided = {"train": examples, "held_out": request.held_out, "seed": request.seed}
    store.write_json(folder.schema, {"schema": schema.to_json(), "split": divided})
    store.write_json(
        folder.config,
        {"format": store.FORMAT, "vaekit": __version__, "torch": torch.__version__, "request": request.to_json()},
    )


def read_choices(folder: RunFolder) -> tuple[TrainRequest, Schema, int]:
    """The request, the schema and the number of training examples. Raises ValueError where they are damaged."""
    try:
        request = TrainRequest.parse(folder.read_config()["request"])
        content = store.read_json(folder.schema)
        return request, Schema.from_json(content["schema"]), int(content["split"]["train"])
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{folder.path} is damaged: config.json or schema.json lacks {error}") from error
    except ValueError as error:
        raise ValueError(f"{folder.path} cannot be loaded: {error}") from error


def write_weights(model: LatentModel, path: Path) -> None:
    """model.safetensors."""
    store.write_tensors(path, {k: v.detach().cpu().contiguous().numpy() for k, v in model.state_dict().items()})


def load_weights(model: LatentModel, path: Path) -> None:
    """Fill a model from model.safetensors. Raises ValueError if the file is of another model, with what differs."""
    if not path.exists():
        raise FileNotFoundError(f"{path.parent} holds no trained weights yet; continue it with --resume")
    tensors, _ = store.read_tensors(path)
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
    model.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in tensors.items()})
