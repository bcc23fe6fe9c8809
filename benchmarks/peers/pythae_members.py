"""pythae's VAMP, BetaTCVAE and VQVAE, trained by pythae's own trainer; the peers of ``benchmarks.members``.

Needs the ``bench`` dependency group. The convolutional networks are the article's, layer by layer those of vaekit's
``convolutional`` with channels 64 and 128; the fully connected ones are pythae's default, one layer of 512 units.
"""

from __future__ import annotations

import contextlib
import io
import tempfile
import time
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from pythae.data.datasets import BaseDataset
from pythae.models import VAMP, VQVAE, BetaTCVAE, BetaTCVAEConfig, VAMPConfig, VQVAEConfig
from pythae.models.base.base_utils import ModelOutput
from pythae.models.nn import BaseDecoder, BaseEncoder
from pythae.trainers import BaseTrainer, BaseTrainerConfig
from pythae.trainers.training_callbacks import TrainingCallback
from torch import Tensor, nn

SHAPE = (1, 28, 28)


class Encoder(BaseEncoder):
    """To a mean and a log-variance of ``latent`` numbers, or to 7×7 codes of ``latent`` numbers."""

    def __init__(self, latent: int, *, codes: bool):
        BaseEncoder.__init__(self)
        self.latent_dim, self.codes = latent, codes
        self.first, self.second = nn.Conv2d(1, 64, 3, 2), nn.Conv2d(64, 128, 3, 2)
        if codes:
            self.head = nn.Conv2d(128, latent, 1)
        else:
            self.dense, self.mean, self.log_var = nn.Linear(6272, 256), nn.Linear(256, latent), nn.Linear(256, latent)

    def forward(self, x: Tensor) -> ModelOutput:
        h = F.relu(self.first(F.pad(x, (0, 1, 0, 1))))
        h = F.relu(self.second(F.pad(h, (0, 1, 0, 1))))
        if self.codes:
            return ModelOutput(embedding=self.head(h))
        h = F.relu(self.dense(h.flatten(1)))
        return ModelOutput(embedding=self.mean(h), log_covariance=self.log_var(h))


class Decoder(BaseDecoder):
    def __init__(self, latent: int, *, codes: bool):
        BaseDecoder.__init__(self)
        self.codes = codes
        self.start = nn.Conv2d(latent, 64, 1) if codes else nn.Linear(latent, 3136)
        self.first, self.second = nn.ConvTranspose2d(64, 128, 3, 2), nn.ConvTranspose2d(128, 64, 3, 2)
        self.last = nn.ConvTranspose2d(64, 1, 3, padding=1)

    def forward(self, z: Tensor) -> ModelOutput:
        h = F.relu(self.start(z)).view(-1, 64, 7, 7)
        h = F.relu(self.first(h)[..., :14, :14])
        h = self.last(F.relu(self.second(h)[..., :28, :28]))
        return ModelOutput(reconstruction=h if self.codes else torch.sigmoid(h))


@dataclass
class Clock(TrainingCallback):
    times: list[float] = field(default_factory=list)

    def on_train_step_end(self, training_config, **kwargs):
        self.times.append(time.perf_counter())


def build(member: str, network: str, options: dict) -> nn.Module:
    """A pythae model; without a network of our own it takes its default."""
    latent, common = options["latent"], {"input_dim": SHAPE, "latent_dim": options["latent"]}
    if member == "vector-quantized":
        config = VQVAEConfig(**common, num_embeddings=options["codes"], use_ema=True)
        return VQVAE(config, Encoder(latent, codes=True), Decoder(latent, codes=True))
    networks = (Encoder(latent, codes=False), Decoder(latent, codes=False)) if network == "convolutional" else ()
    if member == "vamp":
        config = VAMPConfig(**common, reconstruction_loss="bce", number_components=options["components"])
        return VAMP(config, *networks)
    config = BetaTCVAEConfig(**common, reconstruction_loss="bce", beta=options["beta"], use_mss=False)
    return BetaTCVAE(config, *networks)


def train(model: nn.Module, x: Tensor, batch: int, lr: float, seed: int) -> list[float]:
    """One pass over x with pythae's trainer; the clock after each step."""
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stderr(io.StringIO()):
        config = BaseTrainerConfig(
            output_dir=folder,
            num_epochs=1,
            learning_rate=lr,
            per_device_train_batch_size=batch,
            no_cuda=True,
            seed=seed,
        )
        trainer = BaseTrainer(model, BaseDataset(x, torch.zeros(len(x))), training_config=config, callbacks=[clock])
        trainer.train()
    return clock.times


@torch.no_grad()
def judge(model: nn.Module, x: Tensor) -> dict[str, float]:
    """Loss (minus the plain bound) in nats and mean squared error of the reconstruction, on test images."""
    model.eval()
    loss = error = 0.0
    for rows in x.split(1000):
        encoded = model.encoder(rows)
        if isinstance(model, VQVAE):
            image = model({"data": rows}).recon_x
        else:
            image = model.decoder(encoded.embedding).reconstruction
            std = (0.5 * encoded.log_covariance).exp()
            z = encoded.embedding + std * torch.randn_like(std)
            drawn = model.decoder(z).reconstruction.view_as(rows)
            loss += (F.binary_cross_entropy(drawn, rows, reduction="sum") + _kl(model, encoded, z)).item()
        error += (image.view_as(rows) - rows).square().sum().item()
    return {**({"loss": loss / len(x)} if loss else {}), "mse": error / x.numel()}


def _kl(model: nn.Module, encoded: ModelOutput, z: Tensor) -> Tensor:
    """log q(z|x) - log p(z), summed over the batch; pythae leaves the same constant out of both for VAMP."""
    mean, log_var = encoded.embedding, encoded.log_covariance
    if isinstance(model, VAMP):
        log_q = -0.5 * (log_var + (z - mean).square() / log_var.exp()).sum(1)
        return (log_q - model._log_p_z(z)).sum()
    return 0.5 * (mean.square() + log_var.exp() - 1 - log_var).sum()
