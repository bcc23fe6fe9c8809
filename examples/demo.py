"""The main job in a few minutes: train the article's VAE, evaluate it, draw its pictures.

Fashion-MNIST is taken from VAEKIT_DATA_DIR or the cache, or downloaded; where none of these works, scikit-learn's digits.
The number of epochs follows from a measured step, so that the demo ends in time on slow machines too.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

VAEKIT = os.environ.get("VAEKIT", "vaekit")
RUN = Path("runs/demo")


def vaekit(*arguments: str) -> int:
    """Run a command as a user would, showing it first."""
    print(f"\n$ vaekit {' '.join(arguments)}", flush=True)
    return subprocess.call([VAEKIT, *arguments])


def main() -> int:
    """Return the exit code of the first command that fails."""
    fetched = subprocess.run([VAEKIT, "data", "fetch", "fashion-mnist"], capture_output=True, text=True, check=False)
    if fetched.returncode == 0:
        train = ["train", "--preset", "article-fast"]
    else:
        print("Fashion-MNIST is neither here nor could it be downloaded; the demo takes scikit-learn's digits instead.")
        train = ["train", "digits", "--latent-dim", "2", "--epochs", "60"]
    commands = [
        [*train, "--out", str(RUN), "--overwrite"],
        ["evaluate", str(RUN)],
        ["plot", str(RUN)],
    ]
    for command in commands:
        code = vaekit(*command)
        if code:
            return code
    print(f"\nThe pictures are in {RUN / 'figures'}, the model and its numbers in {RUN}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
