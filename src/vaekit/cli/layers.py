"""The layers of a model with their shapes and parameter counts."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Size, Tensor, nn

from vaekit.core import Conditional, LatentModel, apply
from vaekit.recipes.registry import name_of


@dataclass(frozen=True)
class Layer:
    """What a layer is, the shape of its output for one example, and how many parameters it has."""

    name: str
    shape: tuple[int, ...]
    parameters: int


def model_layers(model: LatentModel) -> dict[str, list[Layer]]:
    """The layers of the encoder and of the decoder, in the order in which an example passes through them."""
    shapes = model.shapes
    inputs = {"encoder": (shapes.embedded, shapes.c), "decoder": (shapes.latent, shapes.c)}
    parts = {name: getattr(model, name, None) for name in inputs}
    return {
        name: conditional_layers(part, [size for size in inputs[name] if size is not None])
        for name, part in parts.items()
        if isinstance(part, Conditional)
    }


def conditional_layers(part: Conditional, inputs: Sequence[Size]) -> list[Layer]:
    """The layers of a network, and what its family learns besides; the parameters add up to those of ``part``.

    Zeros of one example are passed through a copy on torch's meta device, where only shapes are computed.
    """
    found: list[Layer] = []

    def note(module: nn.Module, _: object, output: Tensor) -> None:
        found.append(Layer(_describe(module), tuple(output.shape[1:]), _count(module)))

    body = copy.deepcopy(part.body).to("meta")
    for module in body.modules():
        if not list(module.children()):
            module.register_forward_hook(note)
    with torch.no_grad():
        apply(body, part.ranks, *(torch.zeros(1, *size, device="meta") for size in inputs))
    if learned := _count(part.family):
        found.append(Layer(f"{name_of(type(part.family))} family", (), learned))
    return found


def _describe(module: nn.Module) -> str:
    """The class, and for a convolution its kernel and stride."""
    kernel, stride = getattr(module, "kernel_size", None), getattr(module, "stride", None)
    parts = [type(module).__name__]
    if isinstance(kernel, tuple):
        parts.append(" × ".join(map(str, kernel)))
    if isinstance(stride, tuple) and max(stride) > 1:
        parts.append(f"stride {stride[0]}")
    return ", ".join(parts)


def _count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())
