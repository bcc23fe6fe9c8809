"""The labels of items that a conditional model is told, as they are coded with the items."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from vaekit.coding import Repeats, Stack
from vaekit.data.context import UNKNOWN, Context


class Labels:
    """Positions of classes, -1 where unknown, on top of the stack of the items' code, so that whoever decodes these
    knows their labels first: a class costs what its share among those before it says.

    There are none, and they take no bits, where the model is not conditional. Numbers that describe items are not
    coded: they are unknown to the model.
    """

    def __init__(self, context: Context | None):
        self.told = context
        self.count = 0 if context is None or context.kind != "labels" else len(context.names) + 1

    def of(self, labels: np.ndarray | None, n: int) -> np.ndarray:
        """Those that are known (n,), else n unknown ones."""
        return np.full(n, UNKNOWN) if labels is None or not self.count else labels

    def context(self, labels: np.ndarray) -> Tensor | None:
        """What the model is told (n, C)."""
        if self.told is None:
            return None
        if not self.count:
            return torch.from_numpy(self.told.encode(None, len(labels)))
        return torch.eye(self.count)[torch.from_numpy(labels)]  # the last place is that of the unknown

    def push(self, data: bytes, labels: np.ndarray) -> bytes:
        """The stack with the labels on it."""
        if not self.count:
            return data
        stack = Stack(data)
        self._code(len(labels)).push(stack, torch.from_numpy(labels) % self.count)
        return stack.to_bytes()

    def pop(self, data: bytes, n: int) -> tuple[bytes, np.ndarray]:
        """The reverse."""
        if not self.count:
            return data, np.full(n, UNKNOWN)
        stack = Stack(data)
        labels = self._code(n).pop(stack).numpy()
        return stack.to_bytes(), np.where(labels == self.count - 1, UNKNOWN, labels)

    def _code(self, n: int) -> Repeats:
        return Repeats(torch.zeros(n, dtype=torch.long), self.count, 0.0, 1.0)
