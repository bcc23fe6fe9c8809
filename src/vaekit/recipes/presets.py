"""Named requests."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any

from .registry import unknown


@dataclass(frozen=True)
class Preset:
    """A summary and the options that differ from the defaults."""

    summary: str
    options: dict[str, Any] = field(default_factory=dict)


ARTICLE: dict[str, Any] = {
    "data": "fashion-mnist",
    "include_test": True,
    "held_out": 0.0,
    "latent_dim": 2,
    "network": {"name": "convolutional", "channels": [64, 128], "dense": 16},
    "likelihood": "bernoulli",
    "epochs": 10,
    "batch_size": 128,
    "lr": 1e-3,
    "schedule": "constant",
}
FAST: dict[str, Any] = {
    "batch_size": 64,
    "lr": 5e-3,
    "schedule": {"name": "one-cycle", "rise": 0.2, "start": 0.1, "final": 0.002},
    "warmup": 0.05,
}
PRESETS = {
    "article": Preset(
        "the Keras example's convolutional VAE on Fashion-MNIST, as published: 10 epochs of Adam", ARTICLE
    ),
    "article-fast": Preset("the same model and data, trained on our schedule", ARTICLE | FAST),
    "article-heldout": Preset(
        "article-fast on the 60,000 training images, for comparisons on the test set",
        ARTICLE | FAST | {"include_test": False},
    ),
}


def preset(name: str) -> dict[str, Any]:
    """The options of a preset. Raises ValueError for an unknown name."""
    if name not in PRESETS:
        raise unknown("preset", name, PRESETS)
    return copy.deepcopy(PRESETS[name].options)
