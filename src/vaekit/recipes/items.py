"""The items that a request trains on: all of them, those held out, and their schema."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from vaekit.data import Context, Dataset, Schema, Table, TableSchema, load_dataset, split
from vaekit.training import Reporter

from .request import TrainRequest


def load_run_data(request: TrainRequest) -> Dataset:
    """The data set that a request names."""
    if request.data is None:
        raise ValueError("no data given: name a data set (see `vaekit data list`) or a file or folder")
    return load_dataset(request.data, resize=request.resize)  # pyright: ignore[reportArgumentType]


def training_items(request: TrainRequest, dataset: Dataset) -> tuple[Any, np.ndarray | None]:
    """The items that training may use, held-out ones included: the training part, or with the test set as well."""
    if not request.include_test or dataset.x_test is None:
        return dataset.x, dataset.y
    y = None if dataset.y is None or dataset.y_test is None else np.concatenate([dataset.y, dataset.y_test])
    return np.concatenate([dataset.x, dataset.x_test]), y


def divide(request: TrainRequest, n: int, y: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """The positions of the items to train on and of those held out, as the request's seed has it."""
    seed = request.seed if request.split_seed is None else request.split_seed
    return split(n, request.held_out, y=y, seed=seed)


def tell(schema: Schema | TableSchema, x: Any, reporter: Reporter | None) -> None:
    """Say which columns of a table are left out, and what was not obvious in reading it."""
    if reporter is not None and isinstance(schema, TableSchema):
        for remark in schema.remarks(x):
            reporter.note(remark)


def infer_schema(request: TrainRequest, dataset: Dataset, x: Any, y: Any) -> Schema | TableSchema:
    """How the items map to what the model sees and is told. Raises ValueError where the request cannot be met."""
    if isinstance(x, Table):
        schema = TableSchema.infer(x, choices=request.columns)
    elif request.columns is not None:
        raise ValueError("columns say what a table holds, but these data are no table; leave columns out")
    else:
        schema = Schema.infer(x, classes=dataset.classes, columns=dataset.columns)
    if request.conditional and y is None:
        raise ValueError("a conditional model is told the labels, but these data have none; leave out conditional")
    context = Context.infer(y, dataset.classes) if request.conditional else None
    if isinstance(schema, TableSchema):
        if request.binarize:
            raise ValueError("binarize is for grey pictures; leave it out for tables")
        return replace(schema, context=context)
    return replace(schema, binarized=request.binarize, context=context)
