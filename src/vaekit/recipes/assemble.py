"""A completed request and a schema ↦ a model, an objective and settings."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Size

from vaekit.core import LatentModel, Objective, Parts, Shapes, Support
from vaekit.data import Column, Schema, TableSchema
from vaekit.noise import isolated_rng
from vaekit.training import Settings

from .registry import build, options
from .request import TrainRequest

ENDS = ("ordinal", "bounded")  # kinds of columns whose observed range is all there is


def column_support(column: Column) -> Support:
    """A column's values in model units. Continuous ones have their scale as the unit, so that nats do not depend on
    the units of the data; only counts, positive and bounded values have ends.
    """
    if column.is_category:
        return Support(0.0, len(column.values) - 1.0, 1.0, categories=len(column.values))

    def scaled(value: float) -> float:
        return (value - column.offset) / column.scale

    low = _lowest(column) if column.kind in ("count", "positive") else column.low if column.kind in ENDS else -math.inf
    high = column.high if column.kind in ENDS else math.inf
    step = None if column.step is None else column.step / column.scale
    unit = 1.0 if step is None else 1 / column.scale
    return Support(scaled(low), scaled(high), step, unit, spikes=tuple(map(scaled, column.spikes)))


def _lowest(column: Column) -> float:
    """0, or the point of the column's grid that is next above."""
    if column.step is None:
        return 0.0
    return column.low - math.floor(column.low / column.step + 1e-6) * column.step


def supports(schema: TableSchema) -> tuple[Support, ...]:
    """The values of each column, in model units."""
    return tuple(map(column_support, schema.table))


def support_of(schema: Schema | TableSchema) -> Support:
    """The schema's raw range, step and unit, in model units; of tables that of the columns as numbers."""
    if isinstance(schema, TableSchema):
        return Support.join(supports(schema))
    if schema.binarized:
        return Support(0.0, 1.0, 1.0)
    units = tuple(1 / scale for scale in schema.scale)
    if isinstance(schema.low, tuple) or isinstance(schema.high, tuple):
        return Support(unit=units)
    (offset,), (scale,) = schema.offset, schema.scale
    step = None if schema.step is None else schema.step / scale
    return Support((schema.low - offset) / scale, (schema.high - offset) / scale, step, units[0])


def build_model(request: TrainRequest, schema: Schema | TableSchema, examples: int) -> LatentModel:
    """A freshly drawn model on the CPU; the same request and seed give the same weights.

    Convolution weights lie channels-last, the layout that all kernels used here are quickest with.
    """
    nouns = {noun: build(noun, getattr(request, noun)) for noun in ("network", "posterior", "likelihood", "prior")}
    model = build("model", request.model, Parts(**nouns, latent=request.latent_dim or 1))
    context = None if schema.context is None else Size([schema.context.size])
    columns = supports(schema) if isinstance(schema, TableSchema) else None
    shapes = Shapes(Size(schema.shape), context, examples=examples, support=support_of(schema), columns=columns)
    with isolated_rng(request.seed):
        model.bind(shapes)
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
        weight_step=request.weight_step,
        average=request.average,
        keep=request.keep,
        patience=request.patience,
        seed=request.seed,
        precision=request.precision,
        compile=request.compile,
    )
