"""The main job in a few minutes: train the article's VAE, evaluate it, draw its pictures.

Fashion-MNIST is taken from VAEKIT_DATA_DIR or the cache, or downloaded; where none of these works, scikit-learn's
digits. The number of epochs follows from a few measured steps, so that slow machines finish in time too.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

RUN = Path("runs/demo")
SECONDS = 100  # for training
EPOCHS, IMAGES = 10, 70_000  # of preset article-fast


def vaekit(*arguments: str) -> int:
    """Run a command as a user would, showing it first."""
    print(f"\n$ vaekit {' '.join(arguments)}", flush=True)
    return subprocess.call([sys.executable, "-m", "vaekit", *arguments])


def affordable_epochs() -> int:
    """How many epochs of the article's 70,000 images fit into the time."""
    import numpy as np

    from vaekit.cli.memory import keep_large_buffers
    from vaekit.data import Dataset
    from vaekit.recipes import TrainRequest, preset, train
    from vaekit.training import Reporter

    keep_large_buffers()
    times: list[float] = []

    class Clock(Reporter):
        def step(self, training: object) -> None:
            times.append(time.perf_counter())

    request = TrainRequest.parse({**preset("article-fast"), "epochs": 1})
    batch = request.batch_size or 128
    images = np.random.default_rng(0).integers(0, 256, (12 * batch, 28, 28), dtype=np.uint8)
    train(request, dataset=Dataset("noise", images), reporter=Clock())
    epoch = IMAGES / batch * float(np.median(np.diff(times)[2:]))
    return max(1, min(EPOCHS, int(SECONDS / epoch)))


def main() -> int:
    """Return the exit code of the first command that fails."""
    if vaekit("data", "fetch", "fashion-mnist") == 0:
        epochs = affordable_epochs()
        if epochs < EPOCHS:
            print(f"{epochs} of {EPOCHS} epochs fit into {SECONDS / 60:.0f} minutes on this machine.")
        train = ["train", "--preset", "article-fast", "--epochs", str(epochs)]
        evaluate = ["evaluate", str(RUN), "fashion-mnist", "--part", "test"]
    else:
        print("Fashion-MNIST is neither here nor could it be downloaded: the demo takes scikit-learn's digits instead.")
        train = ["train", "digits", "--latent-dim", "2", "--epochs", "40"]
        evaluate = ["evaluate", str(RUN)]
    for command in ([*train, "--out", str(RUN), "--overwrite"], evaluate, ["plot", str(RUN)]):
        code = vaekit(*command)
        if code:
            return code
    print(f"\nThe pictures are in {RUN / 'figures'}, the model and its numbers in {RUN}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
