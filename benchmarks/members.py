"""pythae's VAMP, BetaTCVAE and VQVAE against the same members here: step time, bound and reconstruction error.

Both sides run in this process, in turn, round after round: the same layers (SiLU instead of pythae's ReLU in the fully
connected ones), the same images, batch 128, Adam at one rate, one pass, each with its own training loop and its own
defaults elsewhere. The memory setting that vaekit's command line makes is made for both. The images are MNIST's,
binarized once, for the quantized model grey. The bound is judged on the 10,000 test images with one draw each.
Total correlation is estimated with "weighted" weights on both sides: pythae's stratified ones put the weight 1/N of an
example's own posterior into the first column of the batch's matrix and not on its diagonal, which is another objective.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from vaekit.core import Batch, LatentModel, terms
from vaekit.data import Schema, load_dataset
from vaekit.noise import isolated_rng
from vaekit.recipes import TrainRequest, build_model, build_objective, build_settings
from vaekit.training import Feed, Reporter, Training

BATCH, RATE, WARM = 128, 1e-3, 5  # steps that do not count
NETWORKS = {"mlp": {"name": "mlp", "hidden": [512]}, "convolutional": {"name": "convolutional"}}
VAMP = {"latent": 16, "components": 500}
TOTAL_CORRELATION = {"latent": 10, "beta": 6.0}
VECTOR_QUANTIZED = {"latent": 64, "codes": 512}
CASES = {
    "vamp, mlp": ("vamp", "mlp", VAMP),
    "vamp, convolutional": ("vamp", "convolutional", VAMP),
    "total-correlation, mlp": ("total-correlation", "mlp", TOTAL_CORRELATION),
    "total-correlation, convolutional": ("total-correlation", "convolutional", TOTAL_CORRELATION),
    "vector-quantized, convolutional": ("vector-quantized", "convolutional", VECTOR_QUANTIZED),
}


def request_of(member: str, network: str, options: dict, seed: int) -> TrainRequest:
    """Our side's choices."""
    chosen = {
        "vamp": {"prior": {"name": "vamp", "components": options.get("components"), "weighted": False}},
        "total-correlation": {
            "objective": {"name": "total-correlation", "beta": options.get("beta"), "weights": "weighted"}
        },
        "vector-quantized": {
            "posterior": {"name": "vector-quantized", "codes": options.get("codes")},
            "prior": "uniform-codes",
            "likelihood": {"name": "gaussian", "noise": "fixed", "sigma": 0.5**0.5},  # pythae's sum of squares
        },
    }[member]
    latent = (options["latent"], 7, 7) if member == "vector-quantized" else options["latent"]
    common = {"network": NETWORKS[network], "likelihood": "bernoulli", "prior": "standard-normal", "latent_dim": latent}
    loop = {"lr": RATE, "schedule": "constant", "batch_size": BATCH, "epochs": 1, "seed": seed, "precision": "fp32"}
    return TrainRequest.parse({**common, **chosen, **loop})


class Clock(Reporter):
    """The clock after each step."""

    def __init__(self):
        self.times: list[float] = []

    def step(self, training: Training) -> None:
        self.times.append(time.perf_counter())


def train(request: TrainRequest, images: np.ndarray) -> tuple[LatentModel, list[float]]:
    """One pass of our loop."""
    schema, clock = Schema.infer(images), Clock()
    model = build_model(request, schema, len(images))
    feed = Feed.from_raw(schema, images, varying=True)
    objective = build_objective(request).bind(model.shapes)
    Training(model, objective, feed, None, build_settings(request), reporter=clock).run()
    return model, clock.times


@torch.no_grad()
def judge(model: LatentModel, x: Tensor, *, bound: bool) -> dict[str, float]:
    """Loss (minus the plain bound) in nats and mean squared error of the reconstruction, on test images."""
    model.eval()
    loss = error = 0.0
    for rows in x.split(1000):
        batch = Batch(rows)
        if bound:
            trace, log_px = terms(model, batch)
            loss += (trace.kl() - log_px).sum().item()
        z = model.encode(batch).view(-1, *model.shapes.latent)
        error += (model.decode((z,)).mean - rows).square().sum().item()
    return {**({"loss": loss / len(x)} if bound else {}), "mse": error / x.numel()}


@dataclass(frozen=True)
class Images:
    """Raw training images, and test images in [0, 1]."""

    raw: np.ndarray
    test: Tensor

    @classmethod
    def load(cls, count: int, *, binary: bool) -> Images:
        """The first of MNIST's training images, and all test images."""
        data = load_dataset("mnist")
        x, test = data.x[:count], data.x_test
        if binary:
            rng = np.random.default_rng(0)
            x, test = ((rng.random(part.shape) < part / 255).astype(np.uint8) for part in (x, test))
        scale = 1 if binary else 255
        return cls(x, torch.from_numpy(test.reshape(-1, 1, 28, 28).astype(np.float32) / scale))

    @property
    def tensor(self) -> Tensor:
        """What pythae is given."""
        return torch.from_numpy(self.raw.reshape(-1, 1, 28, 28).astype(np.float32)) / int(self.raw.max())


def measure(rounds: int, steps: int, cases: list[str]) -> dict[str, object]:
    """Every case, both sides in turn in every round."""
    from benchmarks.peers import pythae_members

    rows: dict[str, list[dict]] = {name: [] for name in cases}
    for seed in range(rounds):
        for name in cases:
            member, network, options = CASES[name]
            binary = member != "vector-quantized"
            images = Images.load(BATCH * steps, binary=binary)
            torch.manual_seed(seed)
            peer = pythae_members.build(member, network, options)
            times = pythae_members.train(peer, images.tensor, BATCH, RATE, seed)
            theirs = {"step_ms": _step(times), **pythae_members.judge(peer, images.test)}
            model, times = train(request_of(member, network, options, seed), images.raw)
            with isolated_rng(seed):
                ours = {"step_ms": _step(times), **judge(model, images.test, bound=binary)}
            rows[name].append({"pythae": theirs, "vaekit": ours})
            print(f"round {seed + 1}, {name}: {theirs} {ours}", flush=True)
    return {"rounds": rounds, "steps": steps, "summary": {n: summary(r) for n, r in rows.items()}, "all": rows}


def summary(rows: list[dict]) -> dict[str, object]:
    """Medians over rounds; the ratio is the median of the rounds' ratios."""
    sides = {
        side: {key: statistics.median(row[side][key] for row in rows) for key in rows[0][side]}
        for side in ("pythae", "vaekit")
    }
    ratio = statistics.median(row["pythae"]["step_ms"] / row["vaekit"]["step_ms"] for row in rows)
    return {"ratio": ratio, **sides}


def table(result: dict) -> str:
    """The summary as text."""
    head = f"{'':34}{'step, ms':>18}{'ratio':>8}{'loss, nats':>20}{'squared error':>20}"
    lines = [head, f"{'':34}{'pythae':>9}{'vaekit':>9}{'':8}" + f"{'pythae':>10}{'vaekit':>10}" * 2]
    for name, row in result["summary"].items():
        p, v = row["pythae"], row["vaekit"]
        loss = f"{p['loss']:10.2f}{v['loss']:10.2f}" if "loss" in p else f"{'':20}"
        steps = f"{p['step_ms']:9.1f}{v['step_ms']:9.1f}{row['ratio']:8.2f}"
        lines.append(f"{name:34}{steps}{loss}{p['mse']:10.4f}{v['mse']:10.4f}")
    return "\n".join(lines)


def _step(times: list[float]) -> float:
    return 1e3 * float(np.median(np.diff(times)[WARM:]))
