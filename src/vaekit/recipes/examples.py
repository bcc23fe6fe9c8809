"""Which examples a run is judged, pictured and encoded by, and what a training would choose for a data set."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from vaekit.data import Dataset, Schema, Table, TableSchema, load_dataset
from vaekit.data.columns import as_numbers
from vaekit.data.natives import missing_cells

from .defaults import complete
from .items import divide, infer_schema, load_run_data, training_items
from .registry import unknown
from .request import TrainRequest
from .run import Run

Part = Literal["test", "held-out", "train"]
YEAR = 365.2425 * 86400  # seconds


@dataclass(frozen=True, eq=False)
class Examples:
    """Raw items with their labels, as a data set has them, and in words which they are.

    ``x`` (N, *layout), or a :class:`vaekit.data.Table`; ``y`` (N,) class indices or None; ``classes`` the class names,
    () if unknown; ``factors`` (N, F) from which the items were drawn, or None.
    """

    x: Any
    y: np.ndarray | None
    classes: tuple[str, ...]
    description: str
    factors: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.x)

    def first(self, n: int) -> Examples:
        """The first n of them, or all if there are fewer."""
        return self.at(slice(n))

    def at(self, index: slice | np.ndarray) -> Examples:
        """Those at the given positions."""
        rows = {
            name: None if (value := getattr(self, name)) is None else value[index] for name in ("x", "y", "factors")
        }
        return replace(self, **rows)

    def column(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """A column of a table as labels: numbers (of dates the year and its fraction) or texts; and where it is known.

        Raises ValueError if there is no such column.
        """
        if not isinstance(self.x, Table):
            raise ValueError(f"only the rows of a table have columns such as {name!r}")
        if name not in self.x.columns:
            raise unknown("column", name, self.x.columns)
        values = self.x.columns[name]
        known = ~missing_cells(values)
        if values.dtype.kind == "M":
            return 1970 + as_numbers(values) / YEAR, known
        return (values.astype(str) if values.dtype.kind in "Ob" else values), known


def plan(request: TrainRequest, dataset: Dataset) -> tuple[TrainRequest, Schema | TableSchema, int]:
    """What training on a data set would use: the completed request, the schema and the number of training examples."""
    x, y = training_items(request, dataset)
    schema = infer_schema(request, dataset, x, y)
    kept, _ = divide(request, len(x), y)
    return complete(request, schema, len(kept)), schema, len(kept)


def choose_examples(run: Run, data: str | None = None, part: Part | None = None) -> Examples:
    """The examples that say most about a run: the best of :func:`parts_of`, or the ``part`` that is asked for.

    Raises ValueError and OSError as :func:`parts_of`, and ValueError if there is no such part.
    """
    parts = parts_of(run, data)
    if part is None:
        return next(iter(parts.values()))
    if part not in parts:
        raise ValueError(f"{data or run.request.data} has no {part} examples for this run, only: {', '.join(parts)}")
    return parts[part]


def parts_of(run: Run, data: str | None = None) -> dict[Part, Examples]:
    """The parts of the data of a run, or of the ``data`` that are named (a name or path), the best to judge by first.

    Of the run's data these are its test set, unless it was trained on, the held-out examples if there are any, and the
    training examples; of data that are named the test set if there is one, and the rest, whatever the run has seen.

    Raises ValueError if the run's data are not known or have changed, OSError if data are not found.
    """
    if data is not None:
        return _parts_of_named(run, data)
    if run.request.data is None:
        raise ValueError("the run was trained on arrays given in Python; name the data to use")
    return _parts_of_own(run)


def _parts_of_named(run: Run, data: str) -> dict[Part, Examples]:
    dataset = load_dataset(data, resize=run.request.resize)  # pyright: ignore[reportArgumentType]
    if isinstance(dataset.x, Table) and not isinstance(run.schema, TableSchema):
        raise ValueError(f"{data} is a table, but the run was trained on {run.schema.words}; name data of that kind")
    seen = ", which the run was trained on" if data == run.request.data else ""
    if dataset.x_test is None:
        return {"train": _part(dataset, "all examples", dataset.x, dataset.y, seen, dataset.factors)}
    seen_test = seen if run.request.include_test else ""
    return {
        "test": _part(dataset, "the test set", dataset.x_test, dataset.y_test, seen_test),
        "train": _part(dataset, "the training set", dataset.x, dataset.y, seen),
    }


def _parts_of_own(run: Run) -> dict[Part, Examples]:
    request = run.request
    try:
        dataset = load_run_data(request)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{error}; the run was trained on these data: name where they are now") from error
    x, y = training_items(request, dataset)
    kept, held = divide(request, len(x), y)  # the training's own: the seed decides
    if len(kept) != run.model.shapes.examples:
        raise ValueError(
            f"the data of the run, {request.data}, have changed: it was trained on {run.model.shapes.examples} "
            f"examples, now there are {len(kept)}; name other data"
        )
    parts: dict[Part, Examples] = {}
    if dataset.x_test is not None and not request.include_test:
        parts["test"] = _part(dataset, "the test set", dataset.x_test, dataset.y_test)
    also = ", its test set included" if request.include_test and dataset.x_test is not None else ""
    train = _part(dataset, "the training examples", x, y, also, None if also else dataset.factors)
    if len(held):
        parts["held-out"] = replace(train.at(held), description=f"the held-out examples of {dataset.name}")
        train = train.at(kept)
    parts["train"] = train
    return parts


def _part(
    dataset: Dataset,
    which: str,
    x: Any,
    y: np.ndarray | None,
    also: str = "",
    factors: np.ndarray | None = None,
) -> Examples:
    return Examples(x, y, dataset.classes, f"{which} of {dataset.name}{also}", factors)
