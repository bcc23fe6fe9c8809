"""Bounds on log p(x) against the one model whose log p(x) is known exactly; trained, against probabilistic PCA."""

import math
from dataclasses import replace

import pytest
import torch
from sklearn.decomposition import PCA

from vaekit.core import Batch, terms
from vaekit.noise import Noise, isolated_rng
from vaekit.objectives import ELBO, IWAE
from vaekit.training import Feed, Settings, Training

END = torch.tensor(1.0)


class Cubature(Noise):
    """±√L along each of L axes: 2L points whose mean is the exact expectation of every quadratic function."""

    def normal(self, k, b, event, like):
        latents = event.numel()
        assert k == 2 * latents
        points = math.sqrt(latents) * torch.cat([torch.eye(latents), -torch.eye(latents)])
        return points[:, None].expand(k, b, latents)


@torch.no_grad()
def bound(objective, model, x, noise=None, progress=END) -> torch.Tensor:
    with isolated_rng(0):
        return objective(*terms(model, Batch(x), objective.samples, noise), progress).double()


def test_every_bound_is_log_p_at_the_true_posterior(linear_gaussian):
    model, x = linear_gaussian.model(), linear_gaussian.sample(200)
    exact = linear_gaussian.log_likelihood(x)
    assert torch.allclose(bound(ELBO(samples=4), model, x, Cubature()), exact, atol=1e-4)
    for samples in (1, 2, 50):
        assert torch.allclose(bound(IWAE(samples), model, x), exact, atol=1e-4)


def test_the_elbo_falls_short_of_log_p_by_the_kl_to_the_true_posterior(linear_gaussian):
    """log p(x) - ELBO = KL(q || p(z|x)), in closed form for a posterior shifted by s and r times as wide."""
    shift, spread, latents = 0.4, 1.7, 2
    variance = linear_gaussian.sigma**2 / (linear_gaussian.weight.square().sum(0) + linear_gaussian.sigma**2)
    gap = (0.5 * (spread**2 + shift**2 / variance - 1 - 2 * math.log(spread))).sum().item()
    x = linear_gaussian.sample(200)
    elbo = bound(ELBO(samples=2 * latents), linear_gaussian.model(shift, spread), x, Cubature())
    assert torch.allclose(elbo, linear_gaussian.log_likelihood(x) - gap, atol=1e-3)


def test_more_samples_tighten_the_bound(linear_gaussian):
    """ELBO < IWAE-10 < IWAE-1000 <= log p(x) in expectation, with a wrong posterior."""
    model, x = linear_gaussian.model(shift=0.4, spread=1.7), linear_gaussian.sample(1000)
    exact = linear_gaussian.log_likelihood(x)
    gaps = [exact - bound(objective, model, x) for objective in (ELBO(samples=10), IWAE(10), IWAE(1000))]
    means = [gap.mean().item() for gap in gaps]
    errors = [gap.std().item() / math.sqrt(len(x)) for gap in gaps]
    assert means[0] > means[1] + 5 * errors[1]
    assert means[1] > means[2] + 5 * errors[1]
    assert -5 * errors[2] < means[2] < 0.02


def test_one_sample_of_iwae_is_the_sampled_elbo(linear_gaussian):
    model, x = linear_gaussian.model(shift=0.4), linear_gaussian.sample(50)
    with torch.no_grad(), isolated_rng(3):
        trace, log_px = terms(model, Batch(x), 1)
        assert torch.allclose(IWAE(1)(trace, log_px, END), (log_px + trace.log_ratio())[0], atol=1e-6)


def test_iwae_is_a_log_mean_of_weights(linear_gaussian):
    model, x = linear_gaussian.model(shift=0.4), linear_gaussian.sample(50)
    with torch.no_grad(), isolated_rng(3):
        trace, log_px = terms(model, Batch(x), 7)
        expected = (log_px + trace.log_ratio()).double().exp().mean(0).log().float()
        assert torch.allclose(IWAE(7)(trace, log_px, END), expected, atol=1e-4)


@pytest.mark.parametrize(
    ("beta", "warmup", "progress", "weight"),
    [
        (1.0, 0.0, 0.0, 1.0),
        (4.0, 0.0, 0.3, 4.0),
        (0.0, 0.0, 0.3, 0.0),
        (1.0, 0.5, 0.0, 0.0),
        (1.0, 0.5, 0.25, 0.5),
        (3.0, 0.2, 0.05, 0.75),
        (3.0, 0.2, 0.2, 3.0),
        (3.0, 0.2, 1.0, 3.0),
    ],
)
def test_the_weight_of_the_kl(linear_gaussian, beta, warmup, progress, weight):
    model, x = linear_gaussian.model(shift=0.4), linear_gaussian.sample(20)
    objective = ELBO(beta, warmup, samples=3)
    with torch.no_grad(), isolated_rng(3):
        trace, log_px = terms(model, Batch(x), 3)
        expected = log_px.mean(0) - weight * trace.kl()[0]
        assert torch.allclose(objective(trace, log_px, torch.tensor(progress)), expected, atol=1e-5)


@pytest.mark.parametrize("options", [{"beta": -1}, {"warmup": 1.5}, {"warmup": -0.1}, {"samples": 0}])
def test_elbo_refuses_what_makes_no_sense(options):
    with pytest.raises(ValueError, match="ELBO needs"):
        ELBO(**options)


def test_iwae_refuses_no_samples():
    with pytest.raises(ValueError, match="samples >= 1"):
        IWAE(0)


@pytest.mark.parametrize(("objective", "epochs"), [(ELBO(), 300), (IWAE(5), 80)], ids=["elbo", "iwae"])
def test_trained_it_reaches_probabilistic_pca(linear_gaussian, objective, epochs):
    """A linear-Gaussian model's maximum of likelihood is known: scikit-learn's PCA.score (Tipping and Bishop, 1999)."""
    x = linear_gaussian.sample(1000)
    best = PCA(2).fit(x.numpy()).score(x.numpy())
    model = linear_gaussian.untrained()
    settings = Settings(epochs=epochs, batch_size=200, lr=0.1, precision="fp32")
    Training(model, objective, Feed(x), None, settings).run()
    decoder, sigma = model.decoder.body.layers[0], model.likelihood.log_sigma.exp().item()
    learned = replace(linear_gaussian, weight=decoder.weight.detach(), bias=decoder.bias.detach(), sigma=sigma)
    assert best - 0.02 < learned.log_likelihood(x).mean().item() <= best + 1e-3
    if isinstance(objective, ELBO):
        assert best - 0.02 < bound(ELBO(samples=4), model, x, Cubature()).mean().item() <= best + 1e-3
