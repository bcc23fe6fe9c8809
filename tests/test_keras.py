"""The preset ``article`` is the same function as the Keras example: same weights in, same numbers out.

The fixture holds Keras's outputs for weights and images given by formulas; ``benchmarks/peers/keras_article.py`` makes
it.
"""

from pathlib import Path

import numpy as np
import pytest
import torch

from vaekit.core import Batch, terms
from vaekit.data import Schema
from vaekit.networks import convolutional
from vaekit.noise import Noise
from vaekit.objectives import ELBO
from vaekit.recipes import TrainRequest, build_model, complete, preset
from vaekit.training import Step

KERAS = np.load(Path(__file__).parent / "fixtures" / "keras_article.npz")


def formula(shape: tuple[int, ...], index: int) -> torch.Tensor:
    """A weight of Keras's shape: a sine of the flat position, scaled as Glorot would."""
    n = int(np.prod(shape))
    fan = n / shape[-1] if len(shape) > 1 else 100.0
    return torch.from_numpy((np.sin(np.arange(n) * 0.7 + index) * np.sqrt(1.5 / fan)).reshape(shape).astype("float32"))


def images() -> torch.Tensor:
    grid = np.arange(8 * 28 * 28, dtype="float64").reshape(8, 28, 28, 1)
    x = (0.5 + 0.5 * np.sin(grid * 0.013 + np.cos(grid * 0.37))).astype("float32")
    return torch.from_numpy(x).permute(0, 3, 1, 2)


class Given(Noise):
    """The fixture's epsilon."""

    def normal(self, k, b, event, like):
        return torch.from_numpy(np.sin(np.arange(16, dtype="float32").reshape(1, 8, 2) * 1.3))


def article():
    raw = np.array([0, 255], np.uint8).repeat(784).reshape(2, 28, 28)
    schema = Schema.infer(raw)
    request = complete(TrainRequest.parse(preset("article")), schema, 70_000)
    return build_model(request, schema, 70_000)


def keras_weights() -> dict[str, torch.Tensor]:
    """The formula's weights in our layout; Keras numbers them encoder first, kernel before bias, and has two heads."""
    convolution, dense = (
        (3, 2, 0, 1),
        (1, 0),
    )  # (H, W, in, out) to (out, in, H, W); also (H, W, out, in) to (in, out, H, W)
    layers = [
        ("encoder.body.convolutions.0", (3, 3, 1, 64), 64, convolution),
        ("encoder.body.convolutions.1", (3, 3, 64, 128), 128, convolution),
        ("encoder.body.dense", (7 * 7 * 128, 16), 16, dense),
        ("mean", (16, 2), 2, dense),
        ("log_var", (16, 2), 2, dense),
        ("decoder.body.dense", (2, 7 * 7 * 64), 7 * 7 * 64, dense),
        ("decoder.body.transposed.0", (3, 3, 128, 64), 128, convolution),
        ("decoder.body.transposed.1", (3, 3, 64, 128), 64, convolution),
        ("decoder.body.head", (3, 3, 1, 64), 1, convolution),
    ]
    weights = {}
    for i, (name, shape, width, order) in enumerate(layers):
        weights[f"{name}.weight"] = formula(shape, 2 * i).permute(order)
        weights[f"{name}.bias"] = formula((width,), 2 * i + 1)
    for kind in ("weight", "bias"):
        heads = [weights.pop(f"{head}.{kind}") for head in ("mean", "log_var")]
        weights[f"encoder.body.head.{kind}"] = torch.cat(heads)
    return weights


@pytest.fixture(params=["products", "convolutions"])
def model(request, monkeypatch):
    monkeypatch.setattr(convolutional, "_as_products", lambda x: request.param == "products")
    model = article()
    model.load_state_dict(keras_weights())
    return model


def test_parameter_counts():
    model = article()
    assert sum(p.numel() for p in model.encoder.parameters()) == 174_932
    assert sum(p.numel() for p in model.decoder.parameters()) == 157_633


@torch.no_grad()
def test_same_numbers(model):
    trace, log_px = terms(model, Batch(images()), 1, Given())
    (latent,) = trace.latents
    found = {
        "mean": latent.q.mean,
        "log_var": latent.q.log_var,
        "z": latent.z[0],
        "image": trace.px.mean[0].permute(0, 2, 3, 1),
    }
    for name, value in found.items():
        assert value.shape == KERAS[name].shape
        assert np.abs(value.numpy() - KERAS[name]).max() < 1e-4, name
    assert -log_px.mean().item() == pytest.approx(KERAS["reconstruction"].item(), rel=1e-5)
    assert trace.kl().mean().item() == pytest.approx(KERAS["kl"].item(), rel=1e-5)


def test_same_loss(model):
    """What is minimized is the sum of the article's two losses, which are what is reported."""
    step = Step(model, ELBO())
    step.noise = Given()
    loss, metrics, _ = step(Batch(images()), torch.tensor(0.0))
    assert loss.item() == pytest.approx(KERAS["reconstruction"].item() + KERAS["kl"].item(), rel=1e-5)
    assert metrics["loss"].item() == pytest.approx((metrics["reconstruction"] + metrics["kl"]).item(), rel=1e-6)


def test_the_article_reports_no_likelihood():
    assert not article().likelihood.has_density
