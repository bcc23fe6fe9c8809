"""Test likelihoods under the protocol of the published tables, and published figures to replicate.

50,000 training and 10,000 held-out images, binarized anew at each look; the test set binarized once, with a published
seed; IWAE-100 on all test images, corrected by IWAE-5000 on a fixed 500 of them. A recipe is a list of stages, each the
options of a training, the later ones starting from the weights of the one before.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path

from vaekit.evaluation import estimate_likelihood
from vaekit.recipes import Run, TrainRequest, choose_examples, preset, train
from vaekit.training import default_reporter

PROTOCOL = {"binarize": True, "held_out": 1 / 6, "batch_size": 100, "average": 0.999}
GATED = PROTOCOL | {"network": "gated-mlp", "latent_dim": 40, "lr": 1.5e-3, "warmup": 0.1}
TIGHTER = {"objective": {"name": "iwae", "samples": 8}, "warmup": None, "lr": 5e-4, "schedule": "cosine"}
FARTHER = TIGHTER | {"lr": 1e-3, "weight_decay": 0.05}
MLP = PROTOCOL | {"network": {"name": "mlp", "hidden": [200, 200]}, "latent_dim": 50, "lr": 1e-3, "epochs": 300}


@dataclass(frozen=True)
class Recipe:
    """What is trained on which data, the published figure in nats with its error, and where it is from."""

    data: str
    stages: tuple[dict, ...]
    published: float | None = None
    error: float = 0.2  # of published figures that name none: about the spread of a test set of 10,000
    source: str = ""


def _gated(*stages: dict) -> tuple[dict, ...]:
    return tuple(GATED | stage for stage in stages)


RECIPES = {
    "mnist-gated": Recipe(
        "mnist",
        _gated(
            {"prior": "flow", "epochs": 50},
            TIGHTER | {"prior": "flow", "epochs": 24},
            FARTHER | {"prior": "flow", "epochs": 50},
        ),
    ),
    "mnist-phases": Recipe("mnist", (preset("nats-phases"),)),
    "fashion-gated": Recipe(
        "fashion-mnist", _gated({"prior": "flow", "epochs": 25}, FARTHER | {"prior": "flow", "epochs": 28})
    ),
    "vae": Recipe("mnist", _gated({"epochs": 300}), 84.45, source="Tomczak and Welling 2018"),
    "vamp": Recipe(
        "mnist", _gated({"epochs": 300, "prior": "vamp"}), 82.43, source="Tomczak and Welling 2018"
    ),
    "iwae": Recipe(
        "mnist",
        (MLP | {"objective": {"name": "iwae", "samples": 50, "gradient": "plain"}},),
        84.78,
        source="Burda et al. 2016, one layer, 50 samples",
    ),
    "vae-one-layer": Recipe("mnist", (MLP,), 86.76, source="Burda et al. 2016, one layer"),
    "fashion-vae": Recipe("fashion-mnist", _gated({"epochs": 300}), 228.70, source="Norouzi et al. 2020"),
    "fashion-vamp": Recipe(
        "fashion-mnist", _gated({"epochs": 300, "prior": "vamp"}), 227.35, source="Norouzi et al. 2020"
    ),
    "flow-residual": Recipe(
        "mnist",
        (PROTOCOL | {"network": {"name": "residual", "channels": [64, 128], "blocks": [2, 4]}, "latent_dim": 64,
                     "prior": {"name": "flow", "kind": "realnvp", "transforms": 8}, "warmup": 0.1, "epochs": 300},),
        78.49,
        source="Xu et al. 2019, residual networks larger than ours",
    ),
}  # fmt: skip


def measure(name: str, folder: Path, *, seed: int = 0, epochs: int | None = None, evaluated: str | None = None) -> dict:
    """Train a recipe, or take the run at ``evaluated``, and estimate the test likelihood.

    ``epochs`` shortens each stage, to see that a recipe runs.
    """
    recipe, started = RECIPES[name], time.perf_counter()
    if evaluated is not None:
        run = Run.load(evaluated)
    else:
        run = None
        for number, stage in enumerate(recipe.stages):
            options = {**stage, "data": recipe.data, "seed": seed} | ({"epochs": epochs} if epochs else {})
            out = folder / f"{name}-{seed}-{number}"
            init = None if run is None else run.path
            request = TrainRequest.parse({key: value for key, value in options.items() if value is not None})
            run = train(request, out, init=init, overwrite=True, reporter=default_reporter())
    assert run is not None
    examples = choose_examples(run)
    found = estimate_likelihood(run.model, run.feed(examples.x, examples.y))
    assert found is not None
    result = {
        "recipe": name,
        "seed": seed,
        "examples": examples.description,
        "nats": round(-found.log_likelihood, 3),
        "likelihood": found.to_json(),
        "parameters": sum(p.numel() for p in run.model.parameters()),
        "training_s": round(sum(row["seconds"] for row in run.history)),
        "wall_s": round(time.perf_counter() - started),
    }
    if recipe.published is not None:
        distance = -found.log_likelihood - recipe.published
        within = abs(distance) <= 2 * recipe.error
        result |= {
            "published": recipe.published,
            "source": recipe.source,
            "distance": round(distance, 3),
            "within": within,
        }
    return result


def table(folder: Path) -> str:
    """All results that are kept, one line each."""
    rows = [json.loads(path.read_text()) for path in sorted(folder.glob("nats-*.json"))]
    return "\n".join(f"{row['recipe']:<16} {row['nats']:>8.2f}  {row.get('published', '')}" for row in rows)
