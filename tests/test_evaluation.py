"""The report's numbers against closed forms, and SSIM against scikit-image."""

import math

import numpy as np
import pytest
import torch
from torch import Size
from torch.distributions import Distribution

from vaekit.core import Conditional, Family, Shapes, Support
from vaekit.evaluation import evaluate, ssim
from vaekit.likelihoods import Bernoulli, DiscretizedLogistic
from vaekit.models import OneLayerVAE
from vaekit.networks import MLP
from vaekit.noise import isolated_rng
from vaekit.posteriors import DiagonalNormal
from vaekit.priors import StandardNormal
from vaekit.tasks import reconstruct
from vaekit.training import Feed


def make_model(event, likelihood, support, latents=2) -> OneLayerVAE:
    """An affine model with all weights zero: q(z|x) = p(z), and p(x|z) the same for every z."""
    model = OneLayerVAE(
        Conditional(MLP([]), DiagonalNormal()), Conditional(MLP([]), likelihood), StandardNormal(), latents
    )
    model.bind(Shapes(Size(event), examples=10, support=support))
    for parameter in model.parameters():
        torch.nn.init.zeros_(parameter)
    return model


class Uniform(Family):
    """Every level of the grid is as probable as the others."""

    def bind(self, shapes):
        self.event, self.phi, self.levels = shapes.x, Size([1, *shapes.x]), shapes.support.levels
        return self

    def forward(self, phi):
        levels, mean = self.levels, phi.squeeze(-1 - len(self.event)) + 0.5

        class Flat(Distribution):
            def log_prob(self, value):
                return torch.full(torch.broadcast_shapes(self.batch_shape, value.shape), -math.log(levels))

        flat = Flat(mean.shape, validate_args=False)
        type(flat).mean = mean
        return flat


class TestLinearGaussian:
    @pytest.fixture(scope="class")
    @classmethod
    def x(cls, linear_gaussian):
        return linear_gaussian.sample(300)

    def test_at_the_true_posterior(self, linear_gaussian, x):
        model = linear_gaussian.model()
        report = evaluate(model, Feed(x), samples=20)
        exact = linear_gaussian.log_likelihood(x)
        assert report.log_likelihood == pytest.approx(exact.mean().item(), abs=1e-4)
        assert report.log_likelihood_se == pytest.approx(exact.std().item() / math.sqrt(300), rel=1e-3)
        assert report.ess == pytest.approx(20, rel=1e-4)
        assert report.elbo == pytest.approx(-(report.reconstruction + report.kl))
        assert report.elbo == pytest.approx(report.log_likelihood, abs=0.1)
        assert report.mse == pytest.approx((reconstruct(model, x) - x).square().mean().item(), rel=1e-5)
        assert (report.n, report.samples, report.active_units) == (300, 20, 2)
        assert report.bits_per_dim is None
        assert report.ssim is None

    def test_the_estimate_lies_between_the_bound_and_the_truth(self, linear_gaussian, x):
        report = evaluate(linear_gaussian.model(shift=0.4, spread=1.6), Feed(x), samples=100)
        exact = linear_gaussian.log_likelihood(x).mean().item()
        assert report.elbo < report.log_likelihood - 0.1
        assert exact - 0.1 < report.log_likelihood < exact + 0.02
        assert 1 < report.ess < 100

    def test_kl_is_the_closed_form(self, linear_gaussian, x):
        model = linear_gaussian.model()
        with torch.no_grad():
            q = model.encoder(x)
        kl = 0.5 * (q.log_var.exp() + q.mean.square() - 1 - q.log_var).sum(-1).mean().item()
        assert evaluate(model, Feed(x), samples=3).kl == pytest.approx(kl, rel=1e-5)

    def test_one_example_has_no_standard_error(self, linear_gaussian, x):
        report = evaluate(linear_gaussian.model(), Feed(x[:1]), samples=3)
        assert report.log_likelihood_se is None
        assert report.active_units == 0

    def test_the_same_seed_gives_the_same_report(self, linear_gaussian, x):
        model = linear_gaussian.model(shift=0.3)
        a, b, c = (evaluate(model, Feed(x), samples=5, seed=seed) for seed in (0, 0, 1))
        assert a == b
        assert a.log_likelihood != c.log_likelihood


@pytest.mark.parametrize("levels", [2, 17, 256])
def test_a_uniform_model_needs_all_bits(levels):
    support = Support(0, 1, 1 / (levels - 1), 1 / (levels - 1))
    x = torch.randint(0, levels, (7, 1, 9, 8)) / (levels - 1)
    report = evaluate(make_model((1, 9, 8), Uniform(), support), Feed(x), samples=4)
    assert report.bits_per_dim == pytest.approx(math.log2(levels), rel=1e-6)
    assert report.log_likelihood == pytest.approx(-72 * math.log(levels), rel=1e-6)
    assert report.log_likelihood_se == pytest.approx(0, abs=1e-5)
    assert report.ess == pytest.approx(4)
    assert report.kl == 0


def test_bits_are_those_of_the_masses():
    """Bits per dimension are -log₂ of the probability of the grid's points, from the closed form of their masses."""
    support, x = Support(0, 1, 1 / 255, 1 / 255), torch.randint(0, 256, (5, 12)) / 255
    model = make_model((12,), DiscretizedLogistic(), support)
    scale, half = math.exp(-2.3), 0.5 / 255
    upper = torch.where(x > 1 - half, 1.0, torch.sigmoid((x + half - 0.5) / scale).double())
    lower = torch.where(x < half, 0.0, torch.sigmoid((x - half - 0.5) / scale).double())
    assert evaluate(model, Feed(x), 3).bits_per_dim == pytest.approx(-(upper - lower).log2().mean().item(), rel=1e-3)


class TestWithoutADensity:
    x = torch.rand(6, 1, 5, 5)

    def test_what_would_be_a_likelihood_is_null(self):
        report = evaluate(make_model((1, 5, 5), Bernoulli(), Support(0, 1, 1 / 255)), Feed(self.x), samples=50)
        nulls = {name for name, value in report.to_json().items() if value is None}
        assert nulls == {"log_likelihood", "log_likelihood_se", "ess", "bits_per_dim", "accuracy"}
        assert report.reconstruction == pytest.approx(25 * math.log(2), rel=1e-6)
        assert report.samples == 1

    def test_binary_values_have_a_likelihood(self):
        report = evaluate(make_model((1, 5, 5), Bernoulli(), Support(0, 1, 1.0)), Feed(self.x.round()), samples=5)
        assert report.bits_per_dim == pytest.approx(1, rel=1e-6)


def test_active_units_are_counted_by_the_variance_of_their_means():
    """Posterior means a·x with x = ±1: variances 1, 0, 0.0099 and 0.0101; the threshold is 0.01."""
    model = make_model((1,), Uniform(), Support(-1, 1, 2.0), latents=4)
    with torch.no_grad():
        model.encoder.body.layers[0].weight[:4, 0] = torch.tensor([1.0, 0.0, 0.0099**0.5, 0.0101**0.5])
    x = torch.tensor([[1.0], [-1.0]]).repeat(600, 1)
    assert evaluate(model, Feed(x), samples=1).active_units == 2


def test_the_report_has_the_promised_names():
    names = {"elbo", "reconstruction", "kl", "log_likelihood", "log_likelihood_se", "ess", "bits_per_dim",
             "active_units", "mse", "ssim"}  # fmt: skip
    report = evaluate(make_model((3,), Uniform(), Support(0, 1, 1.0)), Feed(torch.ones(4, 3)), samples=2)
    assert names <= report.to_json().keys()


class TestSSIM:
    @pytest.mark.parametrize(("channels", "height", "width"), [(1, 28, 28), (3, 11, 11), (1, 16, 40), (3, 33, 12)])
    def test_equals_scikit_image(self, channels, height, width):
        metrics = pytest.importorskip("skimage.metrics")
        with isolated_rng(0):
            a = torch.rand(4, channels, height, width)
            b = (a + 0.2 * torch.randn_like(a)).clamp(0, 1)
        expected = [
            metrics.structural_similarity(
                i.numpy(), j.numpy(), channel_axis=0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
                data_range=1.0,
            )
            for i, j in zip(a.double(), b.double(), strict=True)
        ]  # fmt: skip
        assert np.allclose(ssim(a, b).numpy(), expected, atol=1e-6)

    @pytest.mark.parametrize("size", [(1, 1), (2, 7), (8, 8), (28, 28)])
    def test_equal_images_score_one_and_others_less(self, size):
        a, b = torch.rand(2, 3, 2, *size)
        assert torch.allclose(ssim(a, a), torch.ones(3, dtype=torch.float64))
        assert torch.allclose(ssim(a, b), ssim(b, a))
        assert (ssim(a, b) < 1).all()
        assert (ssim(a, b) >= -1).all()

    def test_constants_scale_with_the_range(self):
        a, b = torch.rand(2, 3, 1, 12, 12)
        assert torch.allclose(ssim(255 * a, 255 * b, range=255), ssim(a, b), atol=1e-6)

    def test_it_is_part_of_the_report_of_images(self):
        model, x = make_model((1, 12, 12), Bernoulli(), Support(0, 1, 1 / 255)), torch.rand(5, 1, 12, 12)
        report = evaluate(model, Feed(x))
        assert report.ssim == pytest.approx(ssim(torch.full_like(x, 0.5), x).mean().item())
        assert report.mse == pytest.approx((x - 0.5).square().mean().item(), rel=1e-5)
