"""Which cells of a table are there, as it is pushed on a stack of bits."""

from __future__ import annotations

import numpy as np
import torch

from vaekit.coding import Masses, Stack

STATES = 4  # of a cell; 0 are the usual ones
UNSEEN = 1e-6


def count_states(states: np.ndarray) -> np.ndarray:
    """How often each state follows in states (N, D), for each column and context (D, 4, 4): a context is how many of
    the row's cells before it, up to three, are not usual.
    """
    counts = np.zeros((states.shape[1], STATES, STATES), np.int64)
    for column, context in enumerate(_contexts(states)):
        np.add.at(counts[column], (context, states[:, column]), 1)
    return counts


def push_states(stack: Stack, states: np.ndarray, counts: np.ndarray) -> None:
    """Each state by its share in its context."""
    for column, context in reversed(list(enumerate(_contexts(states)))):
        _masses(counts[column], context).push(stack, torch.from_numpy(states[:, column].astype(np.int64)))


def pop_states(stack: Stack, n: int, counts: np.ndarray) -> np.ndarray:
    """The reverse: n rows."""
    states, context = np.zeros((n, len(counts)), np.uint8), np.zeros(n, np.int64)
    for column in range(len(counts)):
        states[:, column] = _masses(counts[column], context).pop(stack).numpy()
        context = np.minimum(context + (states[:, column] != 0), STATES - 1)
    return states


def _contexts(states: np.ndarray) -> list[np.ndarray]:
    unusual = np.cumsum(states != 0, axis=1) - (states != 0)
    return list(np.minimum(unusual, STATES - 1).T)


def _masses(counts: np.ndarray, context: np.ndarray) -> Masses:
    return Masses(torch.from_numpy(counts + UNSEEN)[torch.from_numpy(context)])
