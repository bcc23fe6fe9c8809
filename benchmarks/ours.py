"""vaekit's side of the comparisons, one process a measurement.

    python -m benchmarks.ours steps [--precision bf16] [--preset article]  # median step time, peak memory
    python -m benchmarks.ours judge RUN     # a run's loss on the 10,000 test images, with the peers' noise
    python -m benchmarks.ours ceilings      # this machine's matrix product and copy rates, and the roofline

Each prints one JSON object.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import sys
import time

from vaekit.cli.memory import keep_large_buffers

BATCH = 128


def steps(count: int, precision: str, preset_name: str) -> dict[str, object]:
    """Step times of the real loop on all 70,000 images."""
    import numpy as np

    from vaekit.data import Schema, load_dataset
    from vaekit.recipes import TrainRequest, build_model, build_objective, build_settings, preset, training_items
    from vaekit.training import Feed, Reporter, Training

    class Stop(Exception):  # noqa: N818
        pass

    class Clock(Reporter):
        times: list[float] = []  # noqa: RUF012

        def step(self, training: Training) -> None:
            self.times.append(time.perf_counter())
            if len(self.times) > count:
                raise Stop

    request = TrainRequest.parse({**preset(preset_name), "precision": precision, "device": "cpu"})
    x, _ = training_items(request, load_dataset("fashion-mnist"))
    schema = Schema.infer(x)
    model = build_model(request, schema, len(x))
    training = Training(
        model, build_objective(request), Feed.from_raw(schema, x), None, build_settings(request), reporter=Clock()
    )
    with contextlib.suppress(Stop):
        training.run()
    seconds = np.diff(Clock.times)[4:]
    return {"precision": training.precision.name, "step_ms": 1e3 * float(np.median(seconds)), "peak_mib": _peak()}


def judge(run: str) -> dict[str, float]:
    """The loss on the 10,000 test images, z drawn with noise from NumPy's seed 0, as the Keras script computes it."""
    import numpy as np
    import torch
    import torch.nn.functional as F

    from vaekit.data import load_dataset
    from vaekit.recipes import Run

    loaded, data = Run.load(run), load_dataset("fashion-mnist")
    model = loaded.model
    x = torch.from_numpy(loaded.schema.normalize(data.x_test))
    noise = torch.from_numpy(np.random.default_rng(0).standard_normal((len(x), 2)).astype("float32"))
    reconstruction = kl = 0.0
    with torch.no_grad():
        for rows, eps in zip(x.split(500), noise.split(500), strict=True):
            mean, log_var = model.encoder.body(rows).unbind(1)  # pyright: ignore
            logits = model.decoder.body(mean + (0.5 * log_var).exp() * eps)[:, 0]  # pyright: ignore
            reconstruction += F.binary_cross_entropy_with_logits(logits, rows, reduction="sum").item()
            kl += (-0.5 * (1 + log_var - mean.square() - log_var.exp())).sum().item()
    reconstruction, kl = reconstruction / len(x), kl / len(x)
    return {"loss": reconstruction + kl, "reconstruction": reconstruction, "kl": kl}


def ceilings(precision: str) -> dict[str, object]:
    """Measured rates, and the least time that a step of preset article could take at them.

    For each layer and each of its three passes (forward, gradient of the input, gradient of the weights) the larger of
    operations / matrix rate and bytes / copy rate, where bytes are the pass's arrays read and written once.
    """
    import torch

    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    a, b = torch.randn(2048, 2048).to(dtype), torch.randn(2048, 2048).to(dtype)
    flops = 2 * 2048**3 / _fastest(lambda: a @ b)
    source, target = torch.randn(32 << 20), torch.empty(32 << 20)
    copy = 2 * source.nbytes / _fastest(lambda: target.copy_(source))
    seconds = 0.0
    for inputs, outputs, weights, macs, needs_input in layers():
        sizes = [n * dtype.itemsize for n in (inputs, outputs, weights)]
        one = max(2 * macs / flops, sum(sizes) / copy)
        seconds += one * (3 if needs_input else 2)
    return {"precision": precision, "gflops": flops / 1e9, "copy_gb_s": copy / 1e9, "roofline_ms": 1e3 * seconds}


def layers() -> list[tuple[int, int, int, int, bool]]:
    """(inputs, outputs, weights, multiply-adds, whether the input needs a gradient) of the article's layers."""
    pixels = {28: 784, 14: 196, 7: 49}
    rows = [
        (pixels[28], 64 * pixels[14], 9 * 64, 9 * 64 * pixels[14], False),
        (64 * pixels[14], 128 * pixels[7], 9 * 64 * 128, 9 * 64 * 128 * pixels[7], True),
        (128 * pixels[7], 16, 6272 * 16, 6272 * 16, True),
        (2, 64 * pixels[7], 2 * 3136, 2 * 3136, True),
        (64 * pixels[7], 128 * pixels[14], 9 * 64 * 128, 9 * 64 * 128 * pixels[7], True),
        (128 * pixels[14], 64 * pixels[28], 9 * 64 * 128, 9 * 64 * 128 * pixels[14], True),
        (64 * pixels[28], pixels[28], 9 * 64, 9 * 64 * pixels[28], True),
    ]
    return [(BATCH * i, BATCH * o, w, BATCH * m, g) for i, o, w, m, g in rows]


def _fastest(function) -> float:
    times = []
    for _ in range(12):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return statistics.median(times[2:])


def _peak() -> float:
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["steps", "judge", "ceilings"])
    parser.add_argument("run", nargs="?")
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--preset", default="article")
    parser.add_argument("--count", type=int, default=40)
    args = parser.parse_args()
    keep_large_buffers()
    if args.what == "judge":
        result = judge(args.run or sys.exit("judge needs the folder of a run"))
    else:
        result = steps(args.count, args.precision, args.preset) if args.what == "steps" else ceilings(args.precision)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
