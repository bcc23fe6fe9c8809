"""pythae's VAE with the article's networks, trained by pythae's own trainer: median step time and peak memory.

    python benchmarks/peers/pythae_article.py [--steps 40]

Needs the ``bench`` dependency group and Fashion-MNIST in ``VAEKIT_DATA_DIR``. Prints one JSON object.
"""

import argparse
import gzip
import json
import os
import resource
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from pythae.data.datasets import BaseDataset
from pythae.models import VAE, VAEConfig
from pythae.models.base.base_utils import ModelOutput
from pythae.models.nn import BaseDecoder, BaseEncoder
from pythae.trainers import BaseTrainer, BaseTrainerConfig
from pythae.trainers.training_callbacks import TrainingCallback
from torch import nn

BATCH = 128


class Encoder(BaseEncoder):
    def __init__(self):
        BaseEncoder.__init__(self)
        self.first, self.second = nn.Conv2d(1, 64, 3, 2), nn.Conv2d(64, 128, 3, 2)
        self.dense, self.mean, self.log_var = nn.Linear(6272, 16), nn.Linear(16, 2), nn.Linear(16, 2)

    def forward(self, x):
        h = F.relu(self.first(F.pad(x, (0, 1, 0, 1))))
        h = F.relu(self.second(F.pad(h, (0, 1, 0, 1))))
        h = F.relu(self.dense(h.flatten(1)))
        return ModelOutput(embedding=self.mean(h), log_covariance=self.log_var(h))


class Decoder(BaseDecoder):
    def __init__(self):
        BaseDecoder.__init__(self)
        self.dense = nn.Linear(2, 3136)
        self.first, self.second = nn.ConvTranspose2d(64, 128, 3, 2), nn.ConvTranspose2d(128, 64, 3, 2)
        self.last = nn.ConvTranspose2d(64, 1, 3, padding=1)

    def forward(self, z):
        h = F.relu(self.dense(z)).view(-1, 64, 7, 7)
        h = F.relu(self.first(h)[..., :14, :14])
        h = F.relu(self.second(h)[..., :28, :28])
        return ModelOutput(reconstruction=torch.sigmoid(self.last(h)))


class Clock(TrainingCallback):
    def __init__(self):
        self.times: list[float] = []

    def on_train_step_end(self, training_config, **kwargs):
        self.times.append(time.perf_counter())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=40)
    steps = parser.parse_args().steps
    raw = (Path(os.environ["VAEKIT_DATA_DIR"]) / "fashion-mnist" / "train-images-idx3-ubyte.gz").read_bytes()
    images = np.frombuffer(gzip.decompress(raw), np.uint8, offset=16).reshape(-1, 1, 28, 28)[: steps * BATCH]
    data = torch.from_numpy(images.astype("float32") / 255)
    model = VAE(VAEConfig(input_dim=(1, 28, 28), latent_dim=2, reconstruction_loss="bce"), Encoder(), Decoder())
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        config = BaseTrainerConfig(
            output_dir=folder, num_epochs=1, learning_rate=1e-3, per_device_train_batch_size=BATCH, no_cuda=True
        )
        examples = BaseDataset(data, torch.zeros(len(data)))
        BaseTrainer(model, examples, training_config=config, callbacks=[clock]).train()
    seconds = [b - a for a, b in zip(clock.times[4:], clock.times[5:], strict=False)]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"peer": "pythae", "step_ms": 1e3 * statistics.median(seconds), "peak_mib": peak}))


if __name__ == "__main__":
    main()
