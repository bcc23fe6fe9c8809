"""How long small tables take: ``python -m benchmarks table-speed [--rounds 5]``, about two minutes.

`VAEImputer` on 5,000 rows of 20 columns, numbers, counts and categories, a fifth of the cells missing: wall and
processor seconds of ``fit`` and ``transform``, the error in standard deviations and the coverage of 90 % intervals on
the missing numbers. `VAEDetector` against PyOD's VAE, where PyOD is installed, on 3,200 rows of 20 columns, in turn:
an epoch of one of our two models and of theirs at the same batch size, as the difference of a longer and a shorter
fit, and the default fit of both; ratios are medians over rounds.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np
import pandas as pd

ROWS, COLUMNS, EPOCHS = 3200, 20, 4
BATCHES = (32, 128)  # PyOD's default, and ours


class Clock:
    """Wall and processor seconds of what is done inside."""

    def __enter__(self) -> Clock:
        self.before = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        self.wall, self.processor = time.perf_counter() - self.before[0], time.process_time() - self.before[1]


def table() -> tuple[pd.DataFrame, np.ndarray]:
    """A whole table, five factors through tanh, and which of its cells are to be missing."""
    rng, (n, d) = np.random.default_rng(0), (5000, 20)
    z, w = rng.normal(size=(n, 5)), rng.normal(size=(5, d))
    x = np.tanh(z @ w) + 0.5 * z @ rng.normal(size=(5, d)) + 0.3 * rng.normal(size=(n, d))
    x[:, :4] = np.round(np.exp(x[:, :4]))
    whole = pd.DataFrame(x, columns=[f"x{i}" for i in range(d)])
    whole["x18"] = np.where(whole.x18 > 1, "a", np.where(whole.x18 > 0, "b", "c"))
    whole["x19"] = np.where(whole.x19 > 0, "u", "v")
    return whole, rng.random((n, d)) < 0.2


def imputer() -> dict[str, float]:
    """Ours, with its defaults."""
    from vaekit import VAEImputer

    whole, hidden = table()
    seen, numbers = whole.mask(hidden), whole.columns[:18]
    VAEImputer(members=1, epochs=1, verbose=False).fit_transform(seen[:200])  # what is imported late
    with Clock() as fit:
        ours = VAEImputer(verbose=False).fit(seen)
    with Clock() as transform:
        found = ours.transform(seen)
    low, high = (end[numbers] for end in ours.intervals(seen))
    known, at = whole[numbers], hidden[:, : len(numbers)]
    miss = ((found[numbers] - known) / known.std()).to_numpy()[at]
    inside = ((low <= known) & (known <= high)).to_numpy()[at]
    times = {"fit": fit, "transform": transform}
    found = {f"{name}, {kind} s": round(getattr(clock, kind), 2)
             for name, clock in times.items() for kind in ("wall", "processor")}  # fmt: skip
    return found | {"error": round(float(np.sqrt((miss**2).mean())), 4), "coverage": round(float(inside.mean()), 4)}


def ours(x: np.ndarray, **choices: int) -> None:
    """One model where something is chosen, else the default detector, which fits two."""
    from vaekit import VAEDetector

    trim, robustness = (0.0, 0.0) if choices else (0.4, 0.1)
    VAEDetector(verbose=False, choices=choices, held_out=0.0, trim=trim, robustness=robustness).fit(x)


def pyods(x: np.ndarray, epochs: int | None = None, batch_size: int | None = None) -> None:
    """PyOD's, with its defaults where nothing is chosen."""
    from pyod.models.vae import VAE  # pyright: ignore[reportMissingImports]

    given = {} if epochs is None else {"epoch_num": epochs, "batch_size": batch_size}
    VAE(verbose=0, **given).fit(x)


def seconds(fit: Callable[..., None], x: np.ndarray, **choices: int) -> float:
    """Processor time of a fit."""
    with Clock() as clock:
        fit(x, **choices)
    return clock.processor


def step(fit: Callable[..., None], x: np.ndarray, batch_size: int) -> float:
    """Milliseconds of a step, and a step's share of what comes once an epoch."""
    more, fewer = (seconds(fit, x, epochs=epochs, batch_size=batch_size) for epochs in (1 + EPOCHS, 1))
    return 1000 * (more - fewer) / (EPOCHS * -(-len(x) // batch_size))


def detector(rounds: int) -> dict[str, dict[str, float]]:
    """Ours against PyOD's, in turn."""
    x = np.random.default_rng(0).normal(size=(ROWS, COLUMNS))
    sides = {"vaekit": ours, "pyod": pyods}
    for fit in sides.values():
        fit(x[:320], epochs=1, batch_size=32)
    cases = {f"step at batch {size}, ms": (lambda fit, size=size: step(fit, x, size)) for size in BATCHES}
    found = {}
    for name, measured in {**cases, "fit, processor s": lambda fit: seconds(fit, x)}.items():
        times = {side: [] for side in sides}
        for _ in range(rounds):
            for side, fit in sides.items():
                times[side].append(measured(fit))
        ratios = [theirs / own for own, theirs in zip(times["vaekit"], times["pyod"], strict=True)]
        found[name] = {side: round(statistics.median(own), 3) for side, own in times.items()}
        found[name] |= {"pyod / vaekit": round(statistics.median(ratios), 2), "ratios": [round(r, 2) for r in ratios]}
    return found


def measure(rounds: int) -> dict:
    """The imputer, and the detector beside PyOD's VAE if PyOD is installed."""
    found: dict[str, object] = {"imputer": imputer()}
    try:
        found["detector"] = detector(rounds)
    except ImportError as problem:
        print(f"the detector is not compared: {problem}", flush=True)
    return found
