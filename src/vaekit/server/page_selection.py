"""Selected examples as a file."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import Any

import numpy as np
from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict

from vaekit.data import Table
from vaekit.data.natives import blanked

from .depends import GivenRun, GivenWorker
from .errors import RefusedError
from .hosting import Hosted
from .page_points import LABEL

router = APIRouter()


class Selection(BaseModel):
    """Positions among the examples."""

    model_config = ConfigDict(extra="forbid")

    index: list[int]


@router.post("/selection")
async def selection(chosen: Selection, hosted: GivenRun, worker: GivenWorker) -> Response:
    """The examples at these positions as CSV: where each is among all, its label, of a table its cells as they were
    recorded, and its posterior mean.
    """
    return Response(await worker.run(_csv, hosted, chosen.index), media_type="text/csv")


def _csv(hosted: Hosted, positions: list[int]) -> str:
    examples, z = hosted.examples(), hosted.latents().numpy()
    wrong = next((position for position in positions if not 0 <= position < len(z)), None)
    if wrong is not None:
        raise RefusedError(422, f"expected positions from 0 to {len(z) - 1:,}, got {wrong}")
    index = np.array(positions, int)
    some = examples.at(index)
    columns: dict[str, Iterable[Any]] = {"index": index}
    if some.y is not None:
        columns[LABEL] = [some.classes[y] if 0 <= y < len(some.classes) else y for y in some.y]
    if isinstance(some.x, Table):
        columns |= {name: blanked(values) for name, values in some.x.columns.items()}
    columns |= {f"z{d}": along.astype(str) for d, along in enumerate(z[index].T)}  # which read back to the same float32
    text = io.StringIO(newline="")
    csv.writer(text).writerows([columns, *zip(*columns.values(), strict=True)])
    return text.getvalue()
