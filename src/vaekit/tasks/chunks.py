"""Running a model over many examples without gradients and in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain

import torch
from torch import Tensor

from vaekit.core import Batch, LatentModel
from vaekit.training.feed import Feed

ROWS = 512


def device_of(model: LatentModel) -> torch.device:
    """Where the model's weights are."""
    return next((tensor.device for tensor in chain(model.parameters(), model.buffers())), torch.device("cpu"))


@contextmanager
def inference(model: LatentModel) -> Iterator[None]:
    """Evaluation mode, no gradients; the model's mode is as before afterwards."""
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(was_training)


def over_examples(model: LatentModel, examples: Feed | Tensor, function: Callable[[Batch], Tensor]) -> Tensor:
    """``function`` of each chunk of examples, concatenated on the CPU."""
    feed = as_feed(examples)
    with inference(model):
        return torch.cat([function(batch).cpu() for batch in batches(model, feed, ROWS)])


def batches(model: LatentModel, feed: Feed, rows: int) -> Iterator[Batch]:
    """The feed's examples on the model's device."""
    device = device_of(model)
    for batch in feed.chunks(rows):
        yield Batch(*(None if value is None else value.to(device) for value in batch))  # pyright: ignore


def as_feed(examples: Feed | Tensor) -> Feed:
    """Examples in model units, (N, *event), or a feed of them. Raises ValueError if there are none."""
    feed = examples if isinstance(examples, Feed) else Feed(examples)
    if not len(feed):
        raise ValueError("expected at least one example, got none")
    return feed
