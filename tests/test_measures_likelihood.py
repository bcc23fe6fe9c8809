"""The corrected likelihood against the exact one, and the Pareto shape against known ones and a reference fit."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from vaekit.core import Support
from vaekit.evaluation import estimate_likelihood, pareto_k
from vaekit.evaluation.likelihood import bound, summarize
from vaekit.evaluation.pareto import pareto_shape, trusted_k
from vaekit.evaluation.subsets import subset
from vaekit.tasks import importance, log_weights
from vaekit.training import Feed


def reference_shape(x: np.ndarray) -> float:
    """The fit of Zhang and Stephens (2009) with the prior of Vehtari et al. (2024), written as in their appendix."""
    n, x = len(x), np.sort(x)
    m = 30 + int(math.sqrt(n))
    theta = np.array(
        [1 / x[-1] + (1 - math.sqrt(m / (j - 0.5))) / (3 * x[int(n / 4 + 0.5) - 1]) for j in range(1, m + 1)]
    )
    k = np.array([np.mean(np.log1p(-t * x)) for t in theta])
    profile = n * (np.log(-theta / k) - k - 1)
    weights = np.array([1 / np.exp(profile - p).sum() for p in profile])
    estimate = np.mean(np.log1p(-(weights * theta).sum() * x))
    return (n * estimate + 10 * 0.5) / (n + 10)


class TestParetoShape:
    @pytest.mark.parametrize("shape", [-0.3, 0.0, 0.4, 0.7, 1.2])
    def test_recovers_a_known_shape(self, shape):
        x = stats.genpareto.rvs(shape, size=(2000, 50), random_state=1)
        assert pareto_shape(torch.from_numpy(np.sort(x, 0))).mean().item() == pytest.approx(shape, abs=0.03)

    @pytest.mark.parametrize(("shape", "size"), [(0.5, 20), (-0.2, 212), (1.0, 500)])
    def test_equals_the_reference(self, shape, size):
        x = np.sort(stats.genpareto.rvs(shape, size=size, random_state=2))
        assert pareto_shape(torch.from_numpy(x)[:, None]).item() == pytest.approx(reference_shape(x), rel=1e-9)

    def test_of_weights_is_that_of_their_tail(self):
        """Pareto weights u^-k have exceedances of shape k; subtracting a constant from log-weights changes nothing."""
        u = torch.rand(5000, 40, dtype=torch.float64)
        for k in (0.2, 0.6, 0.9):
            found = pareto_k(-k * u.log() - 1000)
            assert found.mean().item() == pytest.approx(k, abs=0.06)
            assert torch.allclose(found, pareto_k(-k * u.log()), atol=1e-6)

    def test_equal_weights_and_too_few(self):
        assert pareto_k(torch.zeros(100, 2)).tolist() == [0, 0]
        assert pareto_k(torch.zeros(20, 2)).isnan().all()

    def test_the_threshold(self):
        assert trusted_k(5000) == 0.7
        assert trusted_k(100) == pytest.approx(0.5)


class TestWeights:
    def test_their_log_mean_is_the_importance_estimate(self, linear_gaussian):
        model, x = linear_gaussian.model(shift=0.3), linear_gaussian.sample(40)
        weights = log_weights(model, x, 30, seed=4)
        assert weights.shape == (30, 40)
        expected = importance(model, x, 30, common=False, seed=4).log_likelihood
        assert torch.allclose(weights.logsumexp(0) - math.log(30), expected)

    def test_bounds_average_over_whole_blocks(self):
        weights = torch.randn(10, 3, dtype=torch.float64)
        expected = torch.stack([weights[i : i + 4].logsumexp(0) - math.log(4) for i in (0, 4)]).mean(0)
        assert torch.allclose(bound(weights, 4), expected)
        assert torch.allclose(bound(weights, 1), weights.mean(0))


class TestEstimate:
    def test_corrects_what_few_samples_miss(self, linear_gaussian):
        model, x = linear_gaussian.model(shift=0.5, spread=1.5), linear_gaussian.sample(400)
        report = estimate_likelihood(model, Feed(x), 5, many=1000, corrected=200, drift_from=100)
        exact = linear_gaussian.log_likelihood(x).mean().item()
        assert report.uncorrected < exact - 0.05
        assert abs(report.log_likelihood - exact) < 0.03
        assert report.log_likelihood == pytest.approx(report.uncorrected + report.correction)
        assert 0 <= report.drift < report.correction
        assert (report.n, report.corrected, report.many) == (400, 200, 1000)
        assert report.bits_per_dim is None

    def test_at_the_true_posterior_there_is_nothing_to_correct(self, linear_gaussian):
        x = linear_gaussian.sample(60)
        report = estimate_likelihood(linear_gaussian.model(), Feed(x), 10, many=200, corrected=20, drift_from=50)
        exact = linear_gaussian.log_likelihood(x)
        assert report.correction == pytest.approx(0, abs=1e-4)
        assert report.log_likelihood == pytest.approx(exact.mean().item(), abs=1e-4)
        assert report.log_likelihood_se == pytest.approx(exact.std().item() / math.sqrt(60), rel=1e-3)
        assert report.untrusted == 0

    def test_a_narrow_posterior_is_not_trusted(self, linear_gaussian):
        """Weights of a normal target under a normal proposal of half the width have k = 1 - 1/4 > 0.7 and drift."""
        model, x = linear_gaussian.model(spread=0.4), linear_gaussian.sample(40)
        report = estimate_likelihood(model, Feed(x), 10, many=2000, corrected=40, drift_from=100)
        assert report.pareto_k > 0.7
        assert report.untrusted > 0.5
        assert report.drift > 0

    def test_the_standard_error_is_that_of_repetitions(self, linear_gaussian):
        """The estimate's spread over data sets: values and corrections are correlated, and partly shared."""
        model = linear_gaussian.model()
        generator, values, errors = torch.Generator().manual_seed(0), [], []
        for _ in range(400):
            a = torch.randn(200, generator=generator, dtype=torch.float64)
            chosen = subset(200, 50)
            gain = 0.3 - 0.4 * a[chosen] + 0.5 * torch.randn(50, generator=generator, dtype=torch.float64)
            weights = torch.stack([torch.zeros_like(gain), gain])  # IWAE-1 and IWAE-2 of two samples
            report = summarize(a, weights, chosen, 1, 1, model)
            values.append(report.log_likelihood)
            errors.append(report.log_likelihood_se)
        assert np.mean(errors) == pytest.approx(np.std(values), rel=0.1)

    def test_no_likelihood_without_a_density(self, linear_gaussian, monkeypatch):
        model = linear_gaussian.model()
        monkeypatch.setattr(model.likelihood, "has_density", False)
        assert estimate_likelihood(model, Feed(linear_gaussian.sample(5)), 2, many=4, corrected=2, drift_from=2) is None

    def test_bits_on_a_grid(self, linear_gaussian):
        model, x = linear_gaussian.model(), linear_gaussian.sample(20)
        model.shapes = type(model.shapes)(model.shapes.x, latent=model.shapes.latent, support=Support(step=0.1))
        report = estimate_likelihood(model, Feed(x), 5, many=10, corrected=10, drift_from=5)
        assert report.bits_per_dim == pytest.approx(-report.log_likelihood / (5 * math.log(2)))

    @pytest.mark.parametrize("options", [{"many": 3}, {"corrected": 0}, {"drift_from": 20_000}])
    def test_refuses_sizes_that_compare_nothing(self, linear_gaussian, options):
        with pytest.raises(ValueError, match="the correction compares"):
            estimate_likelihood(linear_gaussian.model(), Feed(linear_gaussian.sample(5)), 5, **options)


def test_subsets_are_nested_and_fixed():
    small, large = subset(1000, 50), subset(1000, 200)
    assert torch.isin(small, large).all()
    assert torch.equal(small, subset(1000, 50))
    assert torch.equal(subset(7, 50), torch.arange(7))
