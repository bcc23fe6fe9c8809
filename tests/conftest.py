"""What several test files share: the real data, and models small enough to know everything about."""

import logging
import math
import os
import signal
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import settings
from sklearn.datasets import load_digits
from torch import Size, Tensor

from vaekit.core import Conditional, Shapes, Support
from vaekit.likelihoods import Gaussian
from vaekit.models import OneLayerVAE
from vaekit.networks import MLP
from vaekit.noise import isolated_rng
from vaekit.posteriors import DiagonalNormal
from vaekit.priors import StandardNormal

# A test has the same examples in every run, however slow the machine is; with VAEKIT_FUZZ in the environment, new ones.
settings.register_profile("vaekit", deadline=None, derandomize="VAEKIT_FUZZ" not in os.environ)
settings.load_profile("vaekit")


@pytest.fixture(scope="session", autouse=True)
def _interruptible():
    """Ctrl-C acts as in a terminal, also where the tests run in the background, which a shell lets ignore it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _seeded(request):
    """What a test draws, from torch's global generator or its file's ``RNG``, is the same whatever ran before it."""
    torch.manual_seed(0)
    if hasattr(request.module, "RNG"):
        request.module.RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def _logging_as_before():
    """Commands that serve write logs to the standard error of their test, which is closed after it."""
    loggers = [logging.getLogger(name) for name in ("vaekit.server", "uvicorn")]
    before = [(logger.handlers, logger.propagate, logger.level) for logger in loggers]
    yield
    for logger, (handlers, propagate, level) in zip(loggers, before, strict=True):
        logger.handlers, logger.propagate = handlers, propagate
        logger.setLevel(level)


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder with the real data sets; tests that need it are skipped, with the reason, where it is not given."""
    folder = os.environ.get("VAEKIT_DATA_DIR")
    if not folder or not Path(folder).is_dir():
        pytest.skip(f"needs the real data: set VAEKIT_DATA_DIR to their folder (now {folder!r})")
    return Path(folder)


@pytest.fixture(scope="session")
def digits() -> Tensor:
    """The first 400 of scikit-learn's digits, (400, 64) in [0, 1]."""
    x = load_digits().data[:400].astype(np.float32) / 16
    return torch.from_numpy(x)


@dataclass(frozen=True)
class LinearGaussian:
    """x = W z + b + σ ε with z, ε standard normal: the model whose every density is known in closed form.

    The columns of ``weight`` (D, L) are orthogonal, so that the exact posterior is diagonal.
    """

    weight: Tensor
    bias: Tensor
    sigma: float

    @classmethod
    def make(cls, dims: int = 5, latents: int = 2, sigma: float = 0.6, seed: int = 0) -> "LinearGaussian":
        generator = torch.Generator().manual_seed(seed)
        basis = torch.linalg.qr(torch.randn(dims, latents, generator=generator)).Q
        scales = torch.linspace(2.0, 0.8, latents)
        return cls(basis * scales, torch.linspace(-1, 1, dims), sigma)

    def sample(self, n: int, seed: int = 1001) -> Tensor:  # no test seeds its noise with 1001
        generator = torch.Generator().manual_seed(seed)
        z = torch.randn(n, self.weight.shape[1], generator=generator)
        noise = torch.randn(n, len(self.bias), generator=generator)
        return z @ self.weight.T + self.bias + self.sigma * noise

    def log_likelihood(self, x: Tensor) -> Tensor:
        """log N(x; b, W Wᵀ + σ² I), (N,) in float64."""
        weight = self.weight.double()
        covariance = weight @ weight.T + self.sigma**2 * torch.eye(len(weight), dtype=torch.float64)
        density = torch.distributions.MultivariateNormal(self.bias.double(), covariance)
        return density.log_prob(x.double())

    def untrained(self, seed: int = 0) -> OneLayerVAE:
        """A VAE with affine encoder and decoder and one shared noise, which is probabilistic PCA."""
        dims, latents = self.weight.shape
        encoder, decoder = Conditional(MLP([]), DiagonalNormal()), Conditional(MLP([]), Gaussian("shared"))
        with isolated_rng(seed):
            model = OneLayerVAE(encoder, decoder, StandardNormal(), latents)
            return model.bind(Shapes(Size([dims]), examples=1000, support=Support()))

    def model(self, shift: float = 0.0, spread: float = 1.0) -> OneLayerVAE:
        """The VAE of this model with its exact posterior, or with one that is shifted and ``spread`` times as wide."""
        dims, latents = self.weight.shape
        model = self.untrained()
        precision = (self.weight.square().sum(0) + self.sigma**2).reciprocal()
        decoder, encoder = model.decoder.body.layers[0], model.encoder.body.layers[0]
        gain = precision[:, None] * self.weight.T
        log_var = (self.sigma**2 * spread**2 * precision).log()
        with torch.no_grad():
            decoder.weight.copy_(self.weight)
            decoder.bias.copy_(self.bias)
            model.likelihood.log_sigma.fill_(math.log(self.sigma))
            encoder.weight.copy_(torch.cat([gain, torch.zeros(latents, dims)]))
            encoder.bias.copy_(torch.cat([shift - gain @ self.bias, log_var]))
        return model


@pytest.fixture(scope="session")
def linear_gaussian() -> LinearGaussian:
    return LinearGaussian.make()
