"""The fixed features in which sets of examples are compared; trained offline, on the data's own labels.

Networks trained elsewhere need a download and were trained on photographs. A small classifier of the data at hand sees
what its labels see; without labels, random features and the values themselves have to do.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Size, Tensor, nn

from vaekit import store
from vaekit.noise import isolated_rng
from vaekit.tasks.chunks import as_feed
from vaekit.training.feed import Feed

WIDTH, BATCH, ROWS = 128, 128, 1024
FITTED = 10_000  # examples from which offset and scale are taken
Kind = Literal["labels", "random", "values"]


class Features(nn.Module):
    """Examples in model units (N, *event) ↦ features (N, F), float32 on the CPU.

    ``kind`` is ``labels`` (the last hidden layer of a classifier), ``random`` (the same network, untrained) or
    ``values`` (the examples themselves). Features are centered and have a mean variance of one on the training data.
    ``accuracy`` is the classifier's, on examples that it has not seen. Made by the functions below.
    """

    offset: Tensor
    scale: Tensor

    def __init__(self, kind: Kind, event: Size, classes: int = 2):
        super().__init__()
        self.kind: Kind = kind
        self.event, self.classes = Size(event), classes
        self.accuracy: float | None = None
        self.body = nn.Flatten() if kind == "values" else _image_layers(event) if len(event) == 3 else _layers(event)
        self.head = nn.Linear(WIDTH, classes) if kind == "labels" else nn.Identity()
        self.size = event.numel() if kind == "values" else WIDTH
        self.register_buffer("offset", torch.zeros(self.size))
        self.register_buffer("scale", torch.ones(()))

    @property
    def sha256(self) -> str:
        """Of the weights, the offset and the scale."""
        digest = hashlib.sha256(f"{self.kind} {tuple(self.event)}".encode())
        for name, value in sorted(self.state_dict().items()):
            digest.update(name.encode() + value.detach().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()

    @torch.no_grad()
    def forward(self, examples: Feed | Tensor) -> Tensor:
        """All examples, in chunks. Raises ValueError for examples of another shape."""
        feed = as_feed(examples)
        if feed.x.shape[1:] != self.event:
            raise ValueError(f"these features are of examples {tuple(self.event)}, got {tuple(feed.x.shape[1:])}")
        return torch.cat([self._scaled(self.body(batch.x.cpu())) for batch in feed.chunks(ROWS)])

    def save(self, path: Path) -> None:
        """Write the features to a .safetensors file."""
        about = {"kind": self.kind, "event": list(self.event), "classes": self.classes, "accuracy": self.accuracy}
        tensors = {name: value.numpy() for name, value in self.state_dict().items()}
        store.write_tensors(path, tensors, {"features": json.dumps(about)})

    @classmethod
    def load(cls, path: Path) -> Features:
        """Read what :meth:`save` wrote. Raises OSError or ValueError if the file is missing or damaged."""
        tensors, texts = store.read_tensors(path)
        try:
            about = json.loads(texts["features"])
            features = cls(about["kind"], Size(about["event"]), about["classes"])
            features.accuracy = about["accuracy"]
            features.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in tensors.items()})
        except (KeyError, TypeError, RuntimeError, ValueError) as error:
            raise ValueError(f"{path} holds no features: {' '.join(str(error).split())[:200]}") from error
        return features.eval().requires_grad_(False)

    def _scaled(self, hidden: Tensor) -> Tensor:
        return (hidden - self.offset) / self.scale

    def _fit_scale(self, feed: Feed) -> Features:
        self.eval().requires_grad_(False)
        values = self(feed.select(torch.arange(min(len(feed), FITTED)))).double()
        self.offset.copy_(values.mean(0))
        self.scale.copy_(values.var(0, correction=0).mean().sqrt().clamp(min=1e-12))
        return self


def label_features(examples: Feed | Tensor, y: np.ndarray, *, steps: int = 2000, seed: int = 0) -> Features:
    """Features of a classifier trained on the labels ``y`` (N,): Adam, ``steps`` batches of 128, seeded throughout.

    A tenth of the examples, at most 5,000, is not trained on and gives the accuracy. Raises ValueError if there are
    fewer than two classes or labels are missing.
    """
    feed = as_feed(examples)
    names, labels = np.unique(np.asarray(y), return_inverse=True)
    if len(labels) != len(feed) or len(names) < 2:
        raise ValueError(
            f"features need one label for each of {len(feed)} examples, of at least 2 classes; got {len(labels)} "
            f"labels of {len(names)}"
        )
    targets = torch.from_numpy(labels.reshape(-1))
    with isolated_rng(seed):
        features = Features("labels", feed.x.shape[1:], len(names))
        order = torch.randperm(len(feed))
        held = order[: max(1, min(len(feed) // 10, 5000))]
        _train(features, feed, targets, order[len(held) :], steps)
    features._fit_scale(feed.select(order[len(held) :]))
    hidden = features(feed.select(held)) * features.scale + features.offset
    features.accuracy = (features.head(hidden.relu()).argmax(1) == targets[held]).double().mean().item()
    return features


def random_features(examples: Feed | Tensor, *, seed: int = 0) -> Features:
    """Features of an untrained network, scaled by the examples: for data without labels."""
    feed = as_feed(examples)
    with isolated_rng(seed):
        return Features("random", feed.x.shape[1:])._fit_scale(feed)


def value_features(examples: Feed | Tensor) -> Features:
    """The values of the examples themselves, such as pixels, scaled by the examples."""
    feed = as_feed(examples)
    with isolated_rng(0):
        return Features("values", feed.x.shape[1:])._fit_scale(feed)


def _train(features: Features, feed: Feed, targets: Tensor, rows: Tensor, steps: int) -> None:
    optimizer = torch.optim.Adam(features.parameters(), 2e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=max(2, steps))
    batches = _shuffled(rows)
    for _ in range(steps):
        index = next(batches)
        scores = features.head(features.body(feed.batch(index.to(feed.x.device)).x.cpu()).relu())
        optimizer.zero_grad()
        nn.functional.cross_entropy(scores, targets[index]).backward()
        optimizer.step()
        schedule.step()


def _shuffled(rows: Tensor) -> Iterator[Tensor]:
    while True:
        yield from rows[torch.randperm(len(rows))].split(BATCH)


def _image_layers(event: Size) -> nn.Module:
    channels = event[0]
    layers: list[nn.Module] = []
    for width in (32, 64):
        layers += [nn.Conv2d(channels, width, 3, stride=2, padding=1), nn.ReLU()]
        channels = width
    rows, columns = ((side + 3) // 4 for side in event[1:])
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels * rows * columns, WIDTH))


def _layers(event: Size) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(event.numel(), 256), nn.ReLU(), nn.Linear(256, WIDTH))
