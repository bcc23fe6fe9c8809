"""A completed request and a schema ↦ a model, an objective and settings."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import Size

from vaekit.core import LatentModel, Objective, Parts, Shapes, Support
from vaekit.data import Schema
from vaekit.noise import isolated_rng
from vaekit.training import Settings

from .registry import build, options
from .request import TrainRequest


def support_of(schema: Schema) -> Support:
    """The schema's raw range, step and unit, in model units."""
    if schema.binarized:
        return Support(0.0, 1.0, 1.0)
    units = tuple(1 / scale for scale in schema.scale)
    if isinstance(schema.low, tuple) or isinstance(schema.high, tuple):
        return Support(unit=units)
    (offset,), (scale,) = schema.offset, schema.scale
    step = None if schema.step is None else schema.step / scale
    return Support((schema.low - offset) / scale, (schema.high - offset) / scale, step, units[0])


def build_model(request: TrainRequest, schema: Schema, examples: int) -> LatentModel:
    """A freshly drawn model on the CPU; the same request and seed give the same weights.

    Convolution weights lie channels-last, the layout that all kernels used here are quickest with.
    """
    nouns = {noun: build(noun, getattr(request, noun)) for noun in ("network", "posterior", "likelihood", "prior")}
    model = build("model", request.model, Parts(**nouns, latent=request.latent_dim or 1))
    context = None if schema.context is None else Size([schema.context.size])
    with isolated_rng(request.seed):
        model.bind(Shapes(Size(schema.shape), context, examples=examples, support=support_of(schema)))
    return model.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]


def build_objective(request: TrainRequest) -> Objective:
    """The objective, with ``beta`` and ``warmup`` where the request gives them. Raises ValueError if it has none."""
    choice: dict[str, Any] = copy.deepcopy(dict(request.objective))
    given: Mapping[str, float | None] = {"beta": request.beta, "warmup": request.warmup}
    known = options(type(build("objective", choice)))
    for name, value in given.items():
        if value is None:
            continue
        if name not in known:
            raise ValueError(f"objective {choice['name']!r} has no {name}; leave {name} out or use objective 'elbo'")
        choice[name] = value
    return build("objective", choice)


def build_settings(request: TrainRequest) -> Settings:
    """The training's numbers. The request must be complete."""
    if request.epochs is None or request.batch_size is None:
        raise ValueError("the request is not complete: epochs or batch_size is missing")
    return Settings(
        epochs=request.epochs,
        batch_size=request.batch_size,
        lr=request.lr,
        schedule=build("schedule", request.schedule),
        clip=request.clip,
        weight_decay=request.weight_decay,
        average=request.average,
        patience=request.patience,
        seed=request.seed,
        precision=request.precision,
        compile=request.compile,
    )
