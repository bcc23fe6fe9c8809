"""Likelihoods of single values against scipy's densities, and what is special to each."""

import math

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.decomposition import PCA
from torch import Size

from vaekit import distributions
from vaekit.core import Batch, Conditional, Shapes, Support, masked_log_prob
from vaekit.likelihoods import (
    Beta,
    Categorical,
    ContinuousBernoulli,
    DiscretizedLogistic,
    Gaussian,
    Laplace,
    LogNormal,
    NegativeBinomial,
    Poisson,
    StudentT,
)
from vaekit.models import OneLayerVAE
from vaekit.networks import MLP
from vaekit.noise import Noise, isolated_rng
from vaekit.objectives import ELBO
from vaekit.posteriors import DiagonalNormal
from vaekit.priors import StandardNormal
from vaekit.training.step import Step

UNIT = 2.5
LINE = Support(unit=UNIT)
POSITIVE = Support(low=-1.0, unit=UNIT)
INTERVAL = Support(-1.0, 3.0, None, UNIT)
COUNTS = Support(-1.0, math.inf, 0.5)
GRID = Support(-1.0, 3.0, 0.5)
A, B = 0.7, -0.4  # the numbers in phi


def px_of(family, support, *phi):
    """p(x) of one example with one element, (1, 1, 1), from the numbers of phi."""
    family.bind(Shapes(Size([1]), support=support))
    return family.eval()(torch.tensor(phi).view(1, 1, -1, 1))


def beta(m, nu):
    return stats.beta(m * nu, (1 - m) * nu, loc=-1 - 0.004, scale=4 * 1.002)


SIGMA = math.exp(-1)
DENSITIES = [
    (Gaussian(), LINE, (A,), stats.norm(A, SIGMA)),
    (Gaussian("shared", sigma=2.0), LINE, (A,), stats.norm(A, 2)),
    (Gaussian("output"), LINE, (A, B), stats.norm(A, math.exp(-1 + B))),
    (Gaussian("fixed"), INTERVAL, (A,), stats.norm(A, 1)),
    (Gaussian("fixed", sigma=0.3), LINE, (A,), stats.norm(A, 0.3)),
    (Gaussian("calibrated", sigma=0.3), LINE, (A,), stats.norm(A, 0.3)),
    (Laplace("output"), LINE, (A, B), stats.laplace(A, math.exp(-1 + B))),
    (StudentT("output"), LINE, (A, B), stats.t(10, A, math.exp(-1 + B))),
    (LogNormal("output"), POSITIVE, (A, B), stats.lognorm(math.exp(-1 + B), loc=-1, scale=math.exp(A))),
    (Beta(), INTERVAL, (A, B), beta(1 / (1 + math.exp(-A)), 4 * math.exp(B))),
    (ContinuousBernoulli(), INTERVAL, (B,), stats.truncexpon(-B, loc=-1, scale=4 / -B)),
]
MASSES = [
    (Poisson(), COUNTS, (A,), stats.poisson(math.exp(A))),
    (NegativeBinomial(), COUNTS, (A,), stats.nbinom(1, 1 / (1 + math.exp(A)))),
    (NegativeBinomial("output"), COUNTS, (A, B), stats.nbinom(math.exp(B), math.exp(B) / (math.exp(B) + math.exp(A)))),
]


def name(value):
    return type(value).__name__ if isinstance(value, torch.nn.Module) else None


@pytest.mark.parametrize(("family", "support", "phi", "reference"), DENSITIES, ids=name)
def test_densities_are_those_of_scipy_per_original_unit(family, support, phi, reference):
    px = px_of(family, support, *phi)
    x = torch.tensor([-0.9, 0.0, 0.31, 1.2, 2.9]).view(-1, 1, 1, 1)
    expected = reference.logpdf(x.double().numpy()) + math.log(UNIT)
    np.testing.assert_allclose(px.log_prob(x).detach().numpy(), expected, rtol=1e-4, atol=1e-4)
    assert px.mean.item() == pytest.approx(reference.mean(), abs=1e-4)


@pytest.mark.parametrize(("family", "support", "phi", "reference"), MASSES, ids=name)
def test_masses_of_counts_are_those_of_scipy(family, support, phi, reference):
    px = px_of(family, support, *phi)
    k = np.arange(30)
    x = torch.tensor(-1 + 0.5 * k, dtype=torch.float32).view(-1, 1, 1, 1)
    np.testing.assert_allclose(px.log_prob(x).detach().flatten(), reference.logpmf(k), rtol=1e-4, atol=1e-4)
    assert px.mean.item() == pytest.approx(-1 + 0.5 * reference.mean(), rel=1e-4)


@pytest.mark.parametrize("family", [Categorical(), DiscretizedLogistic()], ids=name)
def test_every_value_of_a_finite_grid_has_its_probability(family):
    phi = torch.randn(2, 3, *family.bind(Shapes(Size([4]), support=GRID)).phi)
    px = family(phi)
    values = px.enumerate_support(expand=False)
    assert values.flatten().tolist() == pytest.approx([-1 + 0.5 * k for k in range(9)])
    assert px.enumerate_support().shape == (9, 2, 3, 4)
    masses = px.log_prob(values).exp()
    torch.testing.assert_close(masses.sum(0), torch.ones(2, 3, 4))
    if type(family) is Categorical:
        torch.testing.assert_close(masses, phi.softmax(-2).movedim(-2, 0))
        torch.testing.assert_close(px.mean, (masses * values).sum(0))


@pytest.mark.parametrize(("family", "phi"), [(ContinuousBernoulli(), (1.7,)), (Beta(), (A, B))], ids=name)
def test_dequantized_masses_of_an_interval_sum_to_one_and_are_bounded_from_below(family, phi):
    px = px_of(family, GRID, *phi)
    reference = {
        ContinuousBernoulli: stats.truncexpon(1.7, loc=0, scale=4.5 / 1.7),
        Beta: stats.beta(*[4 * math.exp(B) * m for m in (1 / (1 + math.exp(-A)), 1 / (1 + math.exp(A)))], scale=4.5),
    }[type(family)]
    edges = reference.cdf(np.arange(10) * 0.5)
    masses = np.diff(edges)[:: -1 if type(family) is ContinuousBernoulli else 1]
    x = torch.arange(9).view(9, 1) * 0.5 - 1
    with isolated_rng(0):
        spread = family.dequantize(x, 20_000, Noise())
    assert spread.min() >= -1.25
    assert spread.max() <= 3.25
    log_mass = px.log_prob(spread)[..., 0].detach().double()
    assert masses.sum() == pytest.approx(1)
    np.testing.assert_allclose(log_mass.exp().mean(0), masses, rtol=0.03)
    assert (log_mass.mean(0).numpy() <= np.log(masses) + 1e-3).all()


def test_the_continuous_bernoulli_is_exact_at_all_logits():
    eta = torch.tensor([-1e4, -60, -3, -0.51, -0.49, -1e-3, -1e-8, 0, 1e-8, 1e-3, 0.49, 0.51, 3, 60, 1e4])
    px = distributions.ContinuousBernoulli(eta)
    e = np.where(eta == 0, 1e-9, eta.double())
    log_normalizer = np.where(e > 0, e, 0) + np.log(-np.expm1(-np.abs(e)) / np.abs(e))
    for y in (0.0, 0.3, 1.0):
        np.testing.assert_allclose(px.log_prob(torch.tensor(y)), e * y - log_normalizer, rtol=1e-5, atol=2e-6)
    large = np.abs(e) > 1e-2
    mean = np.where(large, 0.5 + np.sign(e) * (1 / (1 - np.exp(-np.abs(e))) - 1 / np.abs(e) - 0.5), 0.5 + e / 12)
    np.testing.assert_allclose(px.mean, mean, atol=1e-6)


def test_the_continuous_bernoulli_is_that_of_torch():
    eta = torch.linspace(-8, 8, 17)
    ours, theirs = distributions.ContinuousBernoulli(eta), torch.distributions.ContinuousBernoulli(logits=eta)
    y = torch.linspace(0, 1, 11).view(-1, 1)
    torch.testing.assert_close(ours.log_prob(y), theirs.log_prob(y), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("where", ["low", "high"])
@pytest.mark.parametrize("family", [ContinuousBernoulli(), Beta()], ids=name)
def test_values_at_the_ends_of_an_interval_are_finite(family, where):
    family.bind(Shapes(Size([1]), support=INTERVAL))
    phi = (5 * torch.randn(50, *family.phi)).requires_grad_()
    value = family(phi[None]).log_prob(torch.full((50, 1), getattr(INTERVAL, where)))
    assert value.isfinite().all()
    assert torch.autograd.grad(value.sum(), phi)[0].isfinite().all()


def test_standardized_counts_have_the_mass_of_counts():
    counts = torch.tensor([[3.0, 0.0, 250.0]])
    mean, deviation = torch.tensor([2.0, 0.3, 180.0]), torch.tensor([1.5, 0.2, 90.0])
    steps = tuple((1 / deviation).tolist())
    columns = Support(tuple((-mean / deviation).tolist()), math.inf, steps, steps)
    for make in (Poisson, NegativeBinomial):
        masses = []
        for x, support in ((counts, Support(0.0, math.inf, 1.0)), ((counts - mean) / deviation, columns)):
            family = make().bind(Shapes(Size([3]), support=support))
            family.prepare(x)
            px = family(torch.zeros(1, 1, *family.phi))
            masses.append(px.log_prob(x))
        torch.testing.assert_close(*masses, atol=1e-3, rtol=1e-4)
        torch.testing.assert_close(px.mean[0], (torch.clamp(counts, min=0.01) - mean) / deviation)


def test_prepare_starts_at_the_observed_mean():
    x = torch.tensor([[1.0, 4.0, math.nan], [3.0, math.nan, math.nan]])
    mask = ~x.isnan()
    counts = Poisson().bind(Shapes(Size([3]), support=Support(0.0, math.inf, 1.0)))
    counts.prepare(x, mask)
    torch.testing.assert_close(counts.log_mean.exp(), torch.tensor([2.0, 4.0, 0.01]))
    positive = LogNormal().bind(Shapes(Size([3]), support=Support(low=0.0)))
    positive.prepare(x, mask)
    torch.testing.assert_close(positive.center.exp(), torch.tensor([math.sqrt(3), 4.0, 1.0]))
    torch.testing.assert_close(positive.embed(x, mask)[1], torch.tensor([math.log(math.sqrt(3)), 0, 0]))


class TestCalibratedGaussian:
    @pytest.fixture
    def family(self):
        return Gaussian("calibrated").bind(Shapes(Size([4]), support=LINE))

    @pytest.fixture
    def data(self):
        with isolated_rng(0):
            return torch.randn(2, 50, 1, 4), torch.randn(50, 4), torch.rand(50, 4) < 0.7

    def test_training_scores_at_the_best_sigma(self, family, data):
        phi, x, mask = data
        best = masked_log_prob(family(phi), x, mask).sum()
        errors = (x - phi.squeeze(2)).square()[mask.expand(2, -1, -1)]
        assert best.item() == pytest.approx(
            (stats.norm(0, errors.mean().sqrt()).logpdf(errors.sqrt()) + math.log(UNIT)).sum(), rel=1e-5
        )
        for factor in (0.9, 1.1):
            fixed = Gaussian("fixed", sigma=factor * errors.mean().sqrt().item())
            assert masked_log_prob(fixed.bind(Shapes(Size([4]), support=LINE))(phi), x, mask).sum() < best

    def test_the_gradient_is_that_at_the_best_sigma(self, family, data):
        phi, x, mask = data
        errors = (x - phi.squeeze(2)).square()[mask.expand(2, -1, -1)]
        fixed = Gaussian("fixed", sigma=errors.mean().sqrt().item()).bind(Shapes(Size([4]), support=LINE))
        phi.requires_grad_()
        gradients = [
            torch.autograd.grad(masked_log_prob(f(phi), torch.where(mask, x, math.nan), mask).sum(), phi)[0]
            for f in (family, fixed)
        ]
        torch.testing.assert_close(*gradients, atol=1e-5, rtol=1e-4)

    def test_evaluation_uses_the_average_over_the_batches(self, family, data):
        phi, x, mask = data
        whole = family.stats(family(phi), torch.where(mask, x, math.nan), mask)
        halves = [family.stats(family(phi[:, half]), x[half], mask[half]) for half in (slice(25), slice(25, 50))]
        for key, value in whole.items():
            torch.testing.assert_close(halves[0][key] + halves[1][key], value)
        errors = (x - phi.squeeze(2)).square()[mask.expand(2, -1, -1)]
        family.update(whole)
        family.update(whole)
        family.eval()
        assert family(phi).density.stddev[0, 0, 0].item() == pytest.approx(errors.mean().sqrt().item())
        torch.testing.assert_close(family(phi).log_prob(x)[:, :1], family(phi[:, :1]).log_prob(x[:1]))
        again = Gaussian("calibrated").bind(Shapes(Size([4]), support=LINE))
        again.load_state_dict(family.state_dict())
        torch.testing.assert_close(again.eval()(phi).log_prob(x), family(phi).log_prob(x))

    def test_on_a_grid_the_error_within_a_cell_counts(self):
        family = Gaussian("calibrated").bind(Shapes(Size([4]), support=GRID))
        x = torch.zeros(10, 4)
        family.update(family.stats(family(torch.zeros(1, 10, 1, 4)), x))
        assert family.log_sigma.exp().item() == pytest.approx(0.5 / math.sqrt(12))

    def test_training_finds_the_noise_of_the_data(self):
        with isolated_rng(0):
            encoder, decoder = Conditional(MLP(()), DiagonalNormal()), Conditional(MLP(()), Gaussian("calibrated"))
            model = OneLayerVAE(encoder, decoder, StandardNormal(), latent=1).bind(Shapes(Size([6])))
            step, optimizer = Step(model, ELBO()), torch.optim.Adam(model.parameters(), 0.03)
            x = torch.randn(200, 1) @ torch.randn(1, 6) + 0.3 * torch.randn(200, 6)
            for _ in range(600):
                loss, _, found = step(Batch(x), torch.tensor(1.0))
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                model.update(found)
        exact = PCA(1).fit(x).noise_variance_
        assert model.likelihood.log_sigma.exp().item() == pytest.approx(math.sqrt(exact), rel=0.03)


@pytest.mark.parametrize(
    ("family", "support", "nearest"),
    [
        (Poisson(), LINE, "gaussian"),
        (Poisson(), POSITIVE, "log-normal"),
        (Poisson(), Support(0.0, 1.0, 1.0), "bernoulli"),
        (NegativeBinomial(), INTERVAL, "beta"),
        (LogNormal(), LINE, "gaussian"),
        (LogNormal(), INTERVAL, "beta"),
        (LogNormal(), GRID, "discretized-logistic"),
        (Beta(), COUNTS, "negative-binomial"),
        (Beta(), Support(0.0, 1.0, 1.0), "bernoulli"),
        (ContinuousBernoulli(), POSITIVE, "log-normal"),
        (Categorical(), COUNTS, "negative-binomial"),
        (Categorical(), INTERVAL, "beta"),
        (Categorical(), Support(0.0, 1.0, 1 / 65535), "discretized-logistic"),
        (DiscretizedLogistic(), COUNTS, "negative-binomial"),
        (Categorical(), Support((0.0, 1.0), (4.0, 7.0), (1.0, 1.0)), "gaussian"),
    ],
    ids=name,
)
def test_unsuitable_values_are_refused_with_the_nearest_likelihood(family, support, nearest):
    with pytest.raises(ValueError, match=rf"needs .*; these are .*: use likelihood '{nearest}'"):
        family.bind(Shapes(Size([2]), support=support))


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Gaussian("elementwize"), "did you mean 'elementwise'"),
        (lambda: StudentT("calibrated"), "is one of 'shared', 'elementwise', 'output', 'fixed'"),
        (lambda: NegativeBinomial("fixed"), "is one of 'shared', 'elementwise', 'output'"),
        (lambda: Laplace(sigma=0.0), "sigma must be a number above 0"),
        (lambda: Gaussian(sigma=math.nan), "sigma must be a number above 0"),
    ],
)
def test_unknown_options_are_refused(make, sentence):
    with pytest.raises(ValueError, match=sentence):
        make()
