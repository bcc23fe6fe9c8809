"""A trained model with all that is needed to use it, and its folder on disk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vaekit import store
from vaekit.core import LatentModel
from vaekit.data import Schema, TableSchema, schema_from_json
from vaekit.store import RunFolder
from vaekit.training import Feed, choose_device
from vaekit.training.progress import Row

from .assemble import build_model
from .card import write_card
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
        model = rebuild(request, schema, examples, folder.model, _stored_weights(folder.model))
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


def rebuild(
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
