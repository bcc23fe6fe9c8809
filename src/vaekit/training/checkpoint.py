"""A training's whole state as flat tensors and JSON, without pickle."""

import json
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .loop import Training


def save_state(training: Training) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Raw and best weights and the optimizer's moments as arrays; position and records as metadata."""
    state = training.state()
    tensors: dict[str, np.ndarray] = {}
    for group in ("model", "averaged", "best", "optimizer"):
        for name, value in (state[group] or {}).items():
            tensors[f"{group}/{name}"] = value.detach().cpu().numpy()
    return tensors, {"training": json.dumps(state["position"])}


def load_state(training: Training, tensors: dict[str, np.ndarray], metadata: dict[str, str]) -> None:
    """The inverse of :func:`save_state`. Raises ValueError where the file does not fit the training."""
    groups: dict[str, dict[str, Tensor]] = {"model": {}, "averaged": {}, "best": {}, "optimizer": {}}
    try:
        position: dict[str, Any] = json.loads(metadata["training"])
        for name, value in tensors.items():
            group, _, key = name.partition("/")
            groups[group][key] = torch.from_numpy(np.array(value))
        absent = {name: groups[name] or None for name in ("averaged", "best")}
        training.load_state({**groups, **absent, "position": position})
    except (KeyError, IndexError, TypeError, RuntimeError, AttributeError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"the checkpoint does not belong to this model and training: {reason}") from error
