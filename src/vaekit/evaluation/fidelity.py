"""How close synthetic rows are to real ones, each number beside that of training rows in their place."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from vaekit.data import Table, TableSchema

from .memorisation import Memorisation, memorisation
from .trees import detection, usefulness
from .trends import Cells, column_shapes, mean_trend, pair_trends


@dataclass(frozen=True)
class Quality:
    """Rows against held-out real ones; 1 is best.

    ``shapes`` by column and ``trends`` by pairs of columns (see :mod:`vaekit.evaluation.trends`), ``shape`` and
    ``trend`` their means; ``detection`` by boosted trees (:func:`vaekit.evaluation.trees.detection`); ``usefulness`` of
    the rows for predicting the target, AUC or R² on real rows, None without a target.
    """

    shape: float
    trend: float
    detection: float
    usefulness: float | None
    shapes: tuple[float, ...]
    trends: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Fidelity:
    """``n`` synthetic rows, judged by ``real`` held-out rows of the same ``columns``.

    ``floor`` is the quality of training rows in their place: what a perfect model would get; ``baseline`` that of a
    simple generator's rows, if there are any. ``trend_train`` is the mean trend against the training rows, which
    published tables report.
    """

    n: int
    real: int
    columns: tuple[str, ...]
    target: str | None
    quality: Quality
    floor: Quality
    trend_train: float
    memorisation: Memorisation
    baseline: Quality | None = None

    def to_json(self) -> dict[str, Any]:
        """A plain dictionary, without the single distances."""
        content = asdict(self)
        for name in ("distances", "distances_floor"):
            del content["memorisation"][name]
        return content


def assess_fidelity(
    schema: TableSchema,
    synthetic: Any,
    real: Any,
    train: Any,
    *,
    baseline: Any = None,
    target: str | None = None,
    seed: int = 0,
) -> Fidelity:
    """Compare synthetic with held-out real rows, which the model must not have seen, and with its training rows.

    Each is a data frame, a file's path or an array with the schema's columns, and so is ``baseline``, rows of a simple
    generator. ``target`` is the column that trees predict, by name. Raises ValueError for fewer than 10 rows of a kind,
    missing columns and an unknown target.
    """
    names = schema.columns
    if target is not None and target not in names:
        raise ValueError(f"unknown target {target!r}; the columns are {', '.join(names[:20])}")
    given = (synthetic, real, train) if baseline is None else (synthetic, real, train, baseline)
    cells = Cells.read(schema, *(Table.read(rows, names if schema.native == "numpy" else ()) for rows in given))
    made, unseen, seen, *simple = cells.parts
    at = None if target is None else names.index(target)
    return Fidelity(
        n=len(made),
        real=len(unseen),
        columns=names,
        target=target,
        quality=_quality(cells, unseen, made, at, seed),
        floor=_quality(cells, unseen, seen, at, seed),
        trend_train=mean_trend(pair_trends(cells, seen, made)),
        memorisation=memorisation(cells, seen, unseen, made, seed),
        baseline=_quality(cells, unseen, simple[0], at, seed) if simple else None,
    )


def _quality(cells: Cells, real: np.ndarray, rows: np.ndarray, target: int | None, seed: int) -> Quality:
    shapes, trends = column_shapes(cells, real, rows), pair_trends(cells, real, rows)
    return Quality(
        shape=float(shapes.mean()),
        trend=mean_trend(trends),
        detection=detection(cells, real, rows, seed),
        usefulness=None if target is None else usefulness(cells, target, rows, real, seed),
        shapes=tuple(shapes.tolist()),
        trends=tuple(tuple(row) for row in trends.tolist()),
    )
