"""The linear-Gaussian models, whose every density is known: against scikit-learn, scipy and numerical optimization."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy import optimize
from scipy.stats import multivariate_normal
from sklearn.decomposition import PCA, FactorAnalysis
from torch import Size

from vaekit import testing
from vaekit.core import Batch, Parts, Shapes, Support, terms
from vaekit.likelihoods import Bernoulli, Gaussian
from vaekit.models import GaussianCopula, LinearGaussian
from vaekit.networks import MLP
from vaekit.noise import Noise, isolated_rng
from vaekit.posteriors import DiagonalNormal
from vaekit.priors import StandardNormal
from vaekit.recipes import build, members

DIMS, LATENTS = 6, 2
NOISES = ("shared", "elementwise", "none")


def correlated(n: int = 400, noise=(0.6, 0.8, 0.5, 0.9, 1.1, 0.7)) -> torch.Tensor:
    generator = torch.Generator().manual_seed(3)
    weight = torch.randn(LATENTS, DIMS, generator=generator)
    z, e = torch.randn(n, LATENTS, generator=generator), torch.randn(n, DIMS, generator=generator)
    return z @ weight + e * torch.tensor(noise) + torch.linspace(-3, 5, DIMS)


def hidden(x: torch.Tensor, share: float = 0.3) -> torch.Tensor:
    return torch.rand(x.shape, generator=torch.Generator().manual_seed(4)) >= share


def bound(noise: str, support: Support | None = None, dims: int = DIMS) -> LinearGaussian:
    with isolated_rng(0):
        return LinearGaussian(LATENTS, noise).bind(Shapes(Size([dims]), support=support or Support()))


def fitted(noise: str, batch: Batch, support: Support | None = None) -> LinearGaussian:
    """After all iterations, over the data in three batches."""
    model = bound(noise, support, batch.x.shape[1])
    parts = [None if value is None else value.split(150) for value in (batch.x, batch.mask)]

    def examples():
        masks = parts[1] or [None] * len(parts[0])
        return (Batch(x, None, mask) for x, mask in zip(parts[0], masks, strict=True))

    model.prepare(batch)
    for _ in model.solve(examples):
        pass
    return model


def parameters(model: LinearGaussian) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of x, in float64."""
    weight = model.weight.detach().double()
    variance = (2 * model.likelihood.log_sigma.detach().double()).exp().expand(len(weight))
    return model.bias.detach().double().numpy(), (weight @ weight.T + variance.diag()).numpy()


def log_p(model: LinearGaussian, batch: Batch) -> np.ndarray:
    with torch.no_grad():
        return model.log_marginal(batch).numpy()


def observed_log_likelihood(x, mask, mean, covariance) -> np.ndarray:
    """Row by row, from scipy's multivariate normal of the observed cells."""
    rows = zip(x.double().numpy(), mask.numpy(), strict=True)
    return np.array([
        multivariate_normal(mean[m], covariance[np.ix_(m, m)]).logpdf(row[m]) if m.any() else 0.0 for row, m in rows
    ])  # fmt: skip


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("event", [(4,), (2, 4, 3)])
def test_contract(noise, event):
    testing.check_model(LinearGaussian(LATENTS, noise), event, Support(0, 1, 1 / 7, 1 / 7))


def test_probabilistic_pca_is_scikit_learns():
    x = correlated()
    model, reference = fitted("shared", Batch(x)), PCA(LATENTS).fit(x.double().numpy())
    ratio = len(x) / (len(x) - 1)  # the covariance of maximum likelihood is divided by n, scikit-learn's by n - 1
    mean, covariance = parameters(model)
    np.testing.assert_allclose(covariance * ratio, reference.get_covariance(), atol=1e-5)
    np.testing.assert_allclose(mean, reference.mean_, atol=1e-5)
    score = log_p(model, Batch(x)).mean()
    assert reference.score(x.double().numpy()) < score < reference.score(x.double().numpy()) + 1e-4


def test_factor_analysis_is_scikit_learns():
    x = correlated(500)
    reference = FactorAnalysis(LATENTS, tol=1e-5, max_iter=20_000, svd_method="lapack").fit(x.double().numpy())
    model = fitted("elementwise", Batch(x))
    assert log_p(model, Batch(x)).mean() == pytest.approx(reference.score(x.double().numpy()), abs=1e-5)
    np.testing.assert_allclose(parameters(model)[1], reference.get_covariance(), atol=5e-3)


def test_pca_reconstructs_as_scikit_learn_does():
    x = correlated()
    model, reference = fitted("none", Batch(x)), PCA(LATENTS).fit(x.double().numpy())
    expected = reference.inverse_transform(reference.transform(x.double().numpy()))
    with torch.no_grad():
        np.testing.assert_allclose(model.decode((model.encode(Batch(x)),)).mean, expected, atol=1e-4)
    assert not model.has_density
    with pytest.raises(ValueError, match="noise 'shared'"):
        model.log_marginal(Batch(x))


def test_pca_with_hidden_cells_is_least_squares_over_the_others():
    x = correlated()
    model, mask = fitted("none", Batch(x)), hidden(x)
    codes = model.encode(Batch(torch.where(mask, x, torch.nan), None, mask)).detach().double()
    weight, residual = model.weight.detach().double(), (x - model.bias.detach()).double()
    for i in (mask.sum(1) > LATENTS).nonzero().flatten()[:50].tolist():
        m = mask[i]
        expected = torch.linalg.lstsq(weight[m], residual[i, m].unsqueeze(1)).solution.squeeze(1)
        assert torch.allclose(codes[i], expected, atol=1e-4, rtol=1e-4)


class SigmaPoints(Noise):
    """Draws ±√L e_i, whose average is the exact expectation of every quadratic function."""

    def normal(self, k, b, event, like):
        points = math.sqrt(LATENTS) * torch.eye(LATENTS)
        return torch.cat([points, -points]).unsqueeze(1).expand(2 * LATENTS, b, LATENTS)


@pytest.mark.parametrize("noise", ["shared", "elementwise"])
@pytest.mark.parametrize("share", [0.0, 0.4])
def test_at_the_exact_posterior_every_bound_is_log_p(noise, share):
    """For each single draw log p(x, z) - log q(z|x), hence IWAE-K, is log p(x), and so is the ELBO, complete or not."""
    x, model = correlated(50), fitted(noise, Batch(correlated()))
    mask = hidden(x, share)
    mask[0] = share == 0
    batch = Batch(torch.where(mask, x, torch.nan), None, mask if share else None)
    exact = observed_log_likelihood(x, mask, *parameters(model))
    with torch.no_grad():
        np.testing.assert_allclose(log_p(model, batch), exact, atol=1e-5)
        trace, log_px = terms(model, batch, 2 * LATENTS, SigmaPoints())
        np.testing.assert_allclose(log_px + trace.log_ratio(), np.tile(exact, (2 * LATENTS, 1)), atol=1e-4)
        np.testing.assert_allclose((log_px - trace.kl()).mean(0), exact, atol=1e-4)
        latent = trace.latents[0]
        assert torch.allclose(latent.log_q, latent.q.log_prob(latent.z), atol=1e-5)


@pytest.mark.parametrize("noise", ["shared", "elementwise"])
def test_em_reaches_the_maximum_of_the_likelihood_of_the_observed_cells(noise):
    """The likelihood rises with each pass, is that of scipy's observed marginals, and an optimizer finds no better."""
    x = correlated(100)
    mask = hidden(x)
    batch, model = Batch(torch.where(mask, x, torch.nan), None, mask), bound(noise)
    model.prepare(batch)
    course = [log_p(model, batch).mean() for _ in model.solve(lambda: iter([batch]))]
    assert all(b > a - 1e-5 for a, b in pairwise(course))
    assert course[-1] == pytest.approx(observed_log_likelihood(x, mask, *parameters(model)).mean(), abs=1e-5)

    numbers = 1 if noise == "shared" else DIMS
    start = [model.weight.flatten(), model.bias, model.likelihood.log_sigma.flatten()]
    start = torch.cat([value.detach().double() for value in start])
    rows, seen = x.double(), mask.double()

    def loss(theta):
        theta = torch.from_numpy(theta).requires_grad_()
        weight, mean, log_sigma = theta.split([DIMS * LATENTS, DIMS, numbers])
        weight = weight.view(DIMS, LATENTS)
        covariance = weight @ weight.T + (2 * log_sigma).exp().expand(DIMS).diag()
        pairs = seen.unsqueeze(2) * seen.unsqueeze(1)  # hidden cells as independent N(mean, 1), then taken out
        covariance = pairs * covariance + torch.diag_embed(1 - seen)
        filled = torch.where(mask, rows, mean)
        log_p = torch.distributions.MultivariateNormal(mean, covariance).log_prob(filled)
        value = -(log_p + 0.5 * math.log(2 * math.pi) * (1 - seen).sum(1)).mean()
        return value.item(), torch.autograd.grad(value, theta)[0].numpy()

    assert -loss(start.numpy())[0] == pytest.approx(course[-1], abs=1e-5)
    best = optimize.minimize(loss, start.numpy(), jac=True, method="L-BFGS-B")
    assert course[-1] == pytest.approx(-best.fun, abs=3e-3)


@pytest.mark.parametrize("noise", ["shared", "elementwise"])
def test_em_on_complete_data_finds_the_closed_form(noise, monkeypatch):
    from vaekit.models import fitting

    x = correlated()
    closed = log_p(fitted(noise, Batch(x)), Batch(x)).mean()
    monkeypatch.setattr(fitting, "WIDEST", {True: 0, False: 0})
    assert log_p(fitted(noise, Batch(x)), Batch(x)).mean() == pytest.approx(closed, abs=2e-3)


def test_an_unseen_cell_does_no_harm():
    x = correlated(100)
    mask = hidden(x)
    mask[:, 2] = False
    model = fitted("elementwise", Batch(torch.where(mask, x, torch.nan), None, mask))
    assert all(bool(value.isfinite().all()) for value in model.state_dict().values())


@pytest.mark.parametrize("noise", ["shared", "elementwise"])
def test_values_on_a_grid_are_spread_over_their_cells(noise):
    """The fit, and the likelihood in closed form, are those of many copies of the data with uniform noise added."""
    step, x = 0.5, correlated(200)
    x = (x / step).round() * step
    model = fitted(noise, Batch(x), Support(step=step, unit=step))
    spread = x + step * (torch.rand(500, *x.shape, generator=torch.Generator().manual_seed(0)) - 0.5)
    reference = fitted(noise, Batch(spread.flatten(0, 1)))
    np.testing.assert_allclose(parameters(model)[1], parameters(reference)[1], rtol=0.02, atol=0.01)
    sampled = multivariate_normal(*parameters(model)).logpdf(spread.double().numpy()).mean(0) + DIMS * math.log(step)
    np.testing.assert_allclose(log_p(model, Batch(x)), sampled, atol=0.15)
    assert log_p(model, Batch(x)).mean() == pytest.approx(sampled.mean(), abs=0.01)


def test_densities_are_per_original_unit():
    x = correlated()
    units = tuple((1 / x.std(0)).tolist())
    scaled = fitted("elementwise", Batch(x * torch.tensor(units)), Support(unit=units))
    plain = fitted("elementwise", Batch(x))
    np.testing.assert_allclose(log_p(scaled, Batch(x * torch.tensor(units))), log_p(plain, Batch(x)), atol=1e-2)


def test_draws_have_the_moments_of_the_data():
    x = correlated(2000)
    model = fitted("shared", Batch(x))
    with torch.no_grad(), isolated_rng(0):
        draws = model.decode(model.sample(20_000)).sample()
    mean, covariance = parameters(model)
    np.testing.assert_allclose(draws.mean(0), mean, atol=0.06)
    np.testing.assert_allclose(draws.T.cov(), covariance, atol=0.12)


def test_name_and_options():
    parts = Parts(MLP(), DiagonalNormal(), Gaussian(), StandardNormal(), 3)
    assert members("model")["linear-gaussian"] is LinearGaussian
    model = build("model", {"name": "linear-gaussian", "noise": "none"}, parts)
    assert (model.latent, model.noise) == (3, "none")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"likelihood": Bernoulli()}, "use likelihood 'gaussian'"),
        ({"prior": MLP()}, "use prior 'standard-normal'"),
    ],
)
def test_parts_that_do_not_fit_are_refused(changes, sentence):
    parts = Parts(MLP(), DiagonalNormal(), Gaussian(), StandardNormal(), 3)
    with pytest.raises(ValueError, match=sentence):
        LinearGaussian.assemble(parts._replace(**changes))


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="fewer than the 3 elements"):
        LinearGaussian(3).bind(Shapes(Size([3])))
    with pytest.raises(ValueError, match="no context"):
        LinearGaussian(2).bind(Shapes(Size([3]), Size([2])))
    with pytest.raises(ValueError, match="one of shared, elementwise, none"):
        LinearGaussian(2, "diagonal")


# the copula


@pytest.mark.parametrize("share", [1.0, 0.7])
def test_with_normal_margins_it_is_the_normal_distribution(share):
    x = correlated(800)
    seen = torch.where(hidden(x, 1 - share), x, torch.nan) if share < 1 else x
    model = GaussianCopula.fit(seen, [Support()] * DIMS, normal=True)
    exact = multivariate_normal(x.mean(0).double().numpy(), np.cov(x.numpy().T)).logpdf(x.numpy())
    assert model.log_prob(x).mean().item() == pytest.approx(exact.mean(), abs=0.02 if share == 1 else 0.1)
    assert model.log_prob(torch.full((2, DIMS), torch.nan)).tolist() == [0, 0]


@pytest.mark.parametrize("normal", [False, True])
def test_masses_of_all_rows_sum_to_one(normal):
    """A category, a grid with two ends and one with a spike; the estimate is unbiased for each row."""
    columns = [Support(0, 2, 1, categories=3), Support(-1, 1, 0.5), Support(0, 3, 1, spikes=(0.0,))]
    generator = torch.Generator().manual_seed(0)
    kinds = torch.randint(0, 3, (600,), generator=generator)
    noise = torch.randint(-1, 2, (600, 2), generator=generator)
    x = torch.stack([kinds, ((kinds - 1 + noise[:, 0]) / 2).clamp(-1, 1), (kinds + noise[:, 1]).clamp(0, 3)], 1).float()
    every = torch.cartesian_prod(torch.arange(3.0), torch.arange(-1, 1.1, 0.5), torch.arange(4.0))
    model = GaussianCopula.fit(x, columns, normal=normal)
    total = model.log_prob(every, 400).exp().sum().item()
    assert total < 1.03 if normal else total == pytest.approx(1, abs=0.03)  # a normal has no ends
    shares = (x[:, None] == every).all(2).double().mean(0)
    independent = [GaussianCopula.fit(x[:, [at]], [columns[at]]).log_prob(x[:, [at]]).mean().item() for at in range(3)]
    entropy = (shares * shares.clamp(min=1e-9).log()).sum().item()
    if not normal:
        assert sum(independent) < model.log_prob(x, 200).mean().item() < entropy
