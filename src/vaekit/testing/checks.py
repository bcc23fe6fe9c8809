"""What the contract tests of several nouns share."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Size, Tensor

from vaekit.core import Batch, Shapes
from vaekit.noise import isolated_rng
from vaekit.training.step import Step

DRAWS, BATCH = 1000, 3


def expect(condition: bool, sentence: str) -> None:
    """Raise AssertionError with the sentence, unless the condition holds."""
    if not condition:
        raise AssertionError(sentence)


def check_configuration(member: Any) -> None:
    """A member keeps the options of its constructor under their names."""
    missing = [name for name in inspect.signature(type(member)).parameters if not hasattr(member, name)]
    expect(not missing, f"{type(member).__name__} does not keep its options {missing} under their names")


def check_gradients(loss: Tensor, named: Mapping[str, Tensor], *, reaches: bool = True) -> dict[str, Tensor]:
    """The gradients of a finite loss by name: all finite and, if the loss ``reaches`` them, none zero throughout."""
    expect(bool(loss.isfinite()), f"a value is {loss.item()}")
    found = torch.autograd.grad(loss, list(named.values()), retain_graph=True, allow_unused=True)
    gradients = {name: torch.zeros(()) if value is None else value for name, value in zip(named, found, strict=True)}
    for name, gradient in gradients.items():
        expect(bool(gradient.isfinite().all()), f"the gradient of {name} is not finite")
        expect(not reaches or bool(gradient.any()), f"no gradient reaches {name}")
    return gradients


def check_hidden_cells(score: Callable[[Batch], Tensor], x: Tensor, parameters: Sequence[Tensor]) -> None:
    """What stands in hidden cells changes neither a score nor a gradient, to the bit."""
    mask = torch.rand(x.shape) < 0.6
    mask.view(-1)[:2] = torch.tensor([True, False])
    results = []
    for hidden in (math.nan, 0.3):
        value = score(Batch(torch.where(mask, x, hidden), None, mask))
        results.append([value, *torch.autograd.grad(value.sum(), parameters, allow_unused=True)])
    for a, b in zip(*results, strict=True):
        expect(a is b or torch.equal(a, b), "a hidden cell changes the bound or a gradient")


def seeded_loss(step: Step, batch: Batch) -> Tensor:
    """The loss of a step at the end of training; the noise is the same at every call."""
    with isolated_rng(2):
        return step(batch, torch.tensor(1.0))[0]


def small_shapes() -> Shapes:
    """Three elements, two latent dimensions."""
    return Shapes(Size([3]), latent=Size([2]), embedded=Size([3]), examples=100)


def close(a: Tensor, b: Tensor) -> bool:
    """Equal within what float32 loses."""
    return torch.allclose(a, b, atol=1e-4)
