"""Lossless compression of test sets and of a table, every byte compared after it came back.

Images are the published test sets; models have seen the training images alone, 2 % of them choose the weights.
Binarized MNIST is drawn once with the seed of the published likelihoods. Adult is coded by a model that was trained on
the same rows and goes with the file, so that its size counts.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from vaekit.recipes import Run, TrainRequest, choose_examples, preset, train
from vaekit.recipes.codec_files import of_array, open_source
from vaekit.recipes.codec_items import Source
from vaekit.recipes.codec_report import report
from vaekit.training import default_reporter

GOALS = {
    "mnist": {"bits": 1.08},
    "mnist-binarized": {"bits": 0.150},
    "fashion-mnist": {"bits": 2.98},
    "mnist-fast": {"images_per_second": 1000},
    "adult": {"bytes_with_model": 170_000},
}
AUTOREGRESSIVE = {"name": "autoregressive", "components": 10, "hidden": [512, 512]}
RECIPES = {
    "mnist": ("mnist", "codec-strong", {"epochs": 11}),
    "mnist-binarized": ("mnist", "nats-phases", {"prior": AUTOREGRESSIVE, "epochs": 76, "held_out": 0.02}),
    "fashion-mnist": ("fashion-mnist", "codec-strong", {"epochs": 11}),
    "mnist-fast": ("mnist", "codec-fast", {"epochs": 1}),  # for its speed
    "adult": ("adult", "codec-table", {}),
}
FEW = 100  # images of the small file


def measure(name: str, folder: Path, evaluated: str | None = None, seed: int = 0) -> dict:
    """Train a recipe, or take the run at ``evaluated``, and compress its test set."""
    data, options, more = RECIPES[name]
    if evaluated is None:
        request = TrainRequest.parse(preset(options) | more | {"data": _path(data), "seed": seed})
        run = train(request, folder / f"compression-{name}-{seed}", overwrite=True, reporter=default_reporter())
    else:
        run = Run.load(evaluated)
    path = _path(data) if data == "adult" else None
    whole = _test_set(run, data) if path is None else open_source(run, path)
    found = {"run": str(run.path.name if run.path else ""), "cores": torch.get_num_threads()}
    found["all"] = report(run, whole, path).to_json()
    if path is None:
        found["few"] = report(run, replace(whole, count=FEW)).to_json()
    return found | {"goals": GOALS[name]}


def table(results: dict) -> str:
    """One line for each data set; items a second are by the clock, as many chunks being coded at once as cores."""
    heads = f"{'':<16}{'bits/dim':>9}{'bound':>9}{'gap':>8}{'of 100':>8}{'with model':>12}"
    lines = [f"{heads}{'in/s':>8}{'out/s':>8}{'cores':>6}  exact"]
    for name, found in results.items():
        whole, few = found["all"], found.get("few")
        bits, rates = whole["bits_per_dimension"], whole["items_per_second"]
        lines.append(
            f"{name:<16}{bits['file']:>9.4f}{bits['bound']:>9.4f}{whole['gap']:>8.2%}"
            f"{few['gap'] if few else 0:>8.2%}{whole['size'] + whole['model']:>12,}"
            f"{rates['in']:>8,}{rates['out']:>8,}{found.get('cores', ''):>6}  {whole['exact']}"
        )
    return "\n".join(lines)


def names(chosen: str) -> Sequence[str]:
    """The data sets that were asked for, all of them if none was."""
    return [name for name in RECIPES if not chosen or name == chosen]


def _test_set(run: Run, data: str) -> Source:
    """As it is recorded; binarized once for models of two values."""
    if not run.schema.binarized:
        return open_source(run, data, "test")
    x = run.feed(choose_examples(run, data, "test").x).x
    return of_array(run, (255 * x.squeeze(1)).numpy().astype(np.uint8))


def _path(data: str) -> str:
    return str(Path(os.environ["VAEKIT_DATA_DIR"]) / "adult" / "adult.csv") if data == "adult" else data
