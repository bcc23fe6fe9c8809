"""How surprising items are among a run's own, which are scored once, some at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from vaekit.data import Table
from vaekit.evaluation.subsets import subset
from vaekit.recipes import Run, parts_of
from vaekit.recipes.detection import FILE, Explanation, explain, surprises
from vaekit.tasks import p_values, threshold

from .bodies import numbers
from .hosting import Hosted
from .operations import Operator
from .rows import cell
from .schemas import DetectRequest
from .worker import Worker

SAMPLES = 8  # importance samples of a surprise
MOST = 500  # items of the run's own that others are ranked among
PART = 64  # of them scored at a time, so that other requests come in between


class Judge:
    """Runs with the weights of their surprises; ``held`` are those of items of their own, in order.

    ``waiting`` are such items as are not scored yet: see :meth:`advance`.
    """

    def __init__(
        self,
        runs: Sequence[Run],
        weights: Sequence[float],
        held: np.ndarray,
        waiting: Table | np.ndarray | None = None,
        *,
        samples: int = SAMPLES,
        seed: int = 0,
    ):
        self.runs, self.weights, self.held, self._waiting = runs, weights, np.sort(held), waiting
        self.samples, self.seed = samples, seed

    @classmethod
    def of(cls, hosted: Hosted) -> Self:
        """The detector that was saved with a run, or one of the run itself, whose held-out items, or the training's
        where there are no others, wait to be scored. The same at every call.
        """
        return hosted.fact("judge", lambda: cls._made(hosted))

    @classmethod
    def _made(cls, hosted: Hosted) -> Self:
        run = hosted.run
        if hosted.path is not None and (hosted.path / FILE).exists():
            from vaekit.estimators import VAEDetector  # here, as scikit-learn takes a second to import

            found = VAEDetector.load(hosted.path, device=hosted.device)
            return cls(found.runs_, found.weights_, found.held_out_, samples=found.samples, seed=found.seed)
        return cls((run,), (1.0,), np.empty(0), _own_items(run), seed=run.request.seed)

    @classmethod
    async def ready(cls, hosted: Hosted, worker: Worker) -> Self:
        """The judge of a run, with all its items scored."""
        judge = await worker.run(cls.of, hosted)
        while not await worker.run(judge.advance):
            pass
        return judge

    def advance(self) -> bool:
        """Score a few more of the items that wait, and say whether there are none left."""
        if self._waiting is not None:
            part, rest = self._waiting[:PART], self._waiting[PART:]
            self.held = np.sort(np.concatenate([self.held, self.surprise(part)]))
            self._waiting = rest if len(rest) else None
        return self._waiting is None

    def surprise(self, x: Table | np.ndarray) -> np.ndarray:
        """-log p in nats of raw items, of images less their complexity, (N,)."""
        return surprises(self.runs, self.weights, x, self.samples, seed=self.seed)[0].round(4)

    def p_values(self, surprise: np.ndarray) -> np.ndarray | None:
        """Their ranks among the run's own; None where there are none."""
        return p_values(surprise, self.held) if len(self.held) else None

    def threshold(self, false_alarm: float) -> float | None:
        """What is more surprising is an anomaly; None where there are none to compare with."""
        return threshold(self.held, max(false_alarm, 1 / (1 + len(self.held)))) if len(self.held) else None

    def explain(self, x: Table | np.ndarray, top: int = 3) -> Explanation:
        """What the surprises are made of."""
        return explain(self.runs, self.weights, x, self.samples, top=top, seed=self.seed)


def _own_items(run: Run) -> Any:
    try:
        parts = parts_of(run)
    except (OSError, ValueError):
        return None
    x = (parts.get("held-out") or parts.get("test") or parts["train"]).x
    return x[subset(len(x), MOST).numpy()]


async def judged(
    op: Operator, judge: Judge, x: Table | np.ndarray, asked: DetectRequest
) -> tuple[np.ndarray, dict[str, Any]]:
    """The surprises of items, and what is answered about them."""
    run = op.worker.run
    parts = [await run(judge.surprise, x[at : at + PART]) for at in range(0, len(x), PART)]
    surprise = np.concatenate(parts)
    p, most = judge.p_values(surprise), judge.threshold(asked.false_alarm)
    order = np.argsort(-surprise, kind="stable")[: asked.explain if op.is_table else 0]
    document = {
        "surprise": numbers(surprise),
        "p_value": None if p is None else numbers(p),
        "anomaly": None if most is None else (surprise > most).tolist(),
        "threshold": None if most is None else numbers(np.array(most)),
        "held_out": len(judge.held),
        "most_surprising": [
            {
                "row": int(at),
                "surprise": float(surprise[at]),
                "p_value": None if p is None else float(p[at]),
                **_explained(await run(judge.explain, x[at : at + 1])),
            }
            for at in order
        ],
    }
    return surprise, document


def _explained(found: Explanation) -> dict[str, Any]:
    causes = [{name: cell(value) for name, value in cause.items()} for cause in found.to_records()]
    return {"latent": float(found.latent[0]), "causes": causes}
