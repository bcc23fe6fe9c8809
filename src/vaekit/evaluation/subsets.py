"""Which of many examples a costly measure looks at."""

import torch
from torch import Tensor

from vaekit.training.feed import Feed

CHOSEN = 20_000  # the seed of the choice, so that every model is judged by the same examples


def subset(n: int, size: int) -> Tensor:
    """The indices of at most ``size`` of n examples, in order, always the same."""
    return torch.randperm(n, generator=torch.Generator().manual_seed(CHOSEN))[:size].sort().values


def select(feed: Feed, size: int) -> Feed:
    """At most ``size`` of the examples, always the same."""
    return feed.select(subset(len(feed), size)) if size < len(feed) else feed
