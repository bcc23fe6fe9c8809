"""A trained run ↦ the same run with another prior."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from vaekit.core import Prior
from vaekit.training import Feed, Reporter
from vaekit.training.refit import Refit, refit_prior

from .examples import parts_of
from .items import divide
from .registry import build, spell
from .run import Run


def refit(
    run: Run,
    prior: str | Mapping[str, Any] | Prior,
    x: Any = None,
    y: Any = None,
    *,
    epochs: int = 20,
    lr: float = 1e-3,
    batch_size: int = 128,
    seed: int = 0,
    reporter: Reporter | None = None,
) -> tuple[Run, Refit]:
    """A copy of the run whose prior is another, fitted to the aggregate posterior, and the numbers before and after.

    The examples are those the run was trained on, and the held-out ones to judge by; where they were given in Python,
    give them again as raw items ``x`` with labels ``y``. See :func:`vaekit.training.refit.refit_prior`.
    """
    choice = spell("prior", prior)
    model = copy.deepcopy(run.model)
    train, held = _feeds(run, x, y)
    report = refit_prior(
        model,
        build("prior", choice),
        train,
        held,
        epochs=epochs,
        lr=lr,
        batch_size=batch_size,
        seed=seed,
        reporter=reporter,
    )
    return Run(run.request.model_copy(update={"prior": choice}), run.schema, model, list(run.history)), report


def _feeds(run: Run, x: Any, y: Any) -> tuple[Feed, Feed | None]:
    device = next(run.model.parameters()).device
    if x is not None:
        whole = Feed.from_raw(run.schema, x, device, y=y, varying=True)
        kept, held = divide(run.request, len(whole), y)
        return whole.select(kept), whole.select(held).fixed() if len(held) else None
    parts = parts_of(run)
    train = Feed.from_raw(run.schema, parts["train"].x, device, y=parts["train"].y, varying=True)
    if "held-out" not in parts:
        return train, None
    return train, Feed.from_raw(run.schema, parts["held-out"].x, device, y=parts["held-out"].y)
