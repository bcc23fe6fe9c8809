"""Tasks on a linear-Gaussian model, where every answer is a line of linear algebra."""

import math

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.special import logsumexp

from vaekit.noise import CommonNoise
from vaekit.tasks import (
    decode,
    encode,
    generate,
    importance,
    interpolate,
    latent_grid,
    reconstruct,
    sample_latents,
    traverse,
)
from vaekit.tasks.chunks import inference
from vaekit.training import Feed


@pytest.fixture(scope="module")
def three(linear_gaussian):
    """Three latent dimensions."""
    return linear_gaussian.make(dims=6, latents=3)


def affine(oracle, z: torch.Tensor) -> torch.Tensor:
    return z @ oracle.weight.T + oracle.bias


class TestImportance:
    @staticmethod
    def brute_force(oracle, model, x, eps):
        """The estimates in float64 from all weights at once, by NumPy and SciPy."""
        with torch.no_grad():
            q = model.encoder(x)
        mean, sd = q.mean.double().numpy(), q.stddev.double().numpy()
        z = mean + sd * eps.double().numpy()
        decoded = z @ oracle.weight.double().numpy().T + oracle.bias.double().numpy()
        log_px = stats.norm.logpdf(x.double().numpy(), decoded, oracle.sigma).sum(-1)
        log_w = log_px + stats.norm.logpdf(z).sum(-1) - stats.norm.logpdf(z, mean, sd).sum(-1)
        normalized = np.exp(log_w - logsumexp(log_w, 0))
        kl = (0.5 * (sd**2 + mean**2 - 1) - np.log(sd)).sum(-1)
        return {
            "log_likelihood": logsumexp(log_w, 0) - math.log(len(log_w)),
            "ess": 1 / (normalized**2).sum(0),
            "reconstruction": -log_px.mean(0),
            "kl": kl,
        }

    @pytest.mark.parametrize(("rows", "samples"), [(3, 1), (1, 50), (600, 7), (600, 16), (600, 37), (2, 4099)])
    def test_equals_a_brute_force_computation(self, linear_gaussian, rows, samples):
        model, x = linear_gaussian.model(shift=0.3, spread=1.4), linear_gaussian.sample(rows)
        eps = CommonNoise(samples, seed=5).normal(samples, rows, torch.Size([2]), x)
        found = importance(model, x, samples, seed=5)
        for name, expected in self.brute_force(linear_gaussian, model, x, eps).items():
            value = getattr(found, name)
            assert value.dtype == torch.float64
            assert np.allclose(value.numpy(), expected, rtol=1e-4, atol=1e-3), name
        assert torch.equal(found.elbo, -found.reconstruction - found.kl)

    @pytest.mark.parametrize("common", [True, False])
    @pytest.mark.parametrize(("rows", "samples"), [(1, 1), (700, 1), (700, 15), (3, 17), (300, 100), (1, 9000)])
    def test_draws_exactly_as_many_samples_as_asked(self, linear_gaussian, monkeypatch, rows, samples, common):
        model, drawn = linear_gaussian.model(), []
        infer = type(model).infer

        def spy(self, batch, samples=1, noise=None):
            drawn.append(len(batch.x) * samples)
            return infer(self, batch, samples, noise)

        monkeypatch.setattr(type(model), "infer", spy)
        importance(model, linear_gaussian.sample(rows), samples, common=common)
        assert sum(drawn) == rows * samples

    def test_at_the_true_posterior_it_is_exact_and_every_sample_counts(self, linear_gaussian):
        x = linear_gaussian.sample(50)
        for common in (True, False):
            found = importance(linear_gaussian.model(), x, 20, common=common)
            assert torch.allclose(found.log_likelihood, linear_gaussian.log_likelihood(x), atol=1e-4)
            assert torch.allclose(found.ess, torch.full((50,), 20.0, dtype=torch.float64), rtol=1e-4)

    def test_effective_sample_sizes_lie_between_one_and_all(self, linear_gaussian):
        found = importance(linear_gaussian.model(shift=2.0, spread=3.0), linear_gaussian.sample(200), 30)
        assert found.ess.min() >= 1 - 1e-9
        assert found.ess.max() <= 30 + 1e-9
        assert found.ess.mean() < 20

    def test_a_rows_score_depends_on_nothing_but_the_row(self, linear_gaussian):
        model, x = linear_gaussian.model(shift=0.5), linear_gaussian.sample(600)
        whole = importance(model, x, 25, seed=3).log_likelihood
        assert torch.allclose(importance(model, x[555:556], 25, seed=3).log_likelihood, whole[555:556], atol=1e-5)
        shuffled = torch.arange(600).flip(0)
        assert torch.allclose(importance(model, x[shuffled], 25, seed=3).log_likelihood, whole[shuffled], atol=1e-5)

    def test_independent_noise_averages_better_over_a_data_set(self, linear_gaussian):
        """The error of the mean over rows is that of rows · samples draws, not of samples draws."""
        model, x = linear_gaussian.model(), linear_gaussian.sample(400)
        means = {common: [importance(model, x, 1, common=common, seed=s).reconstruction.mean() for s in range(20)]
                 for common in (True, False)}  # fmt: skip
        assert torch.stack(means[True]).std() > 5 * torch.stack(means[False]).std()

    def test_the_same_seed_gives_the_same_bits(self, linear_gaussian):
        model, x = linear_gaussian.model(shift=0.5), linear_gaussian.sample(60)
        for common in (True, False):
            a, b, c = (importance(model, x, 9, common=common, seed=seed).log_likelihood for seed in (1, 1, 2))
            assert torch.equal(a, b)
            assert not torch.equal(a, c)

    def test_refuses_no_samples_and_no_examples(self, linear_gaussian):
        with pytest.raises(ValueError, match="at least 1 importance sample"):
            importance(linear_gaussian.model(), torch.zeros(1, 5), 0)
        with pytest.raises(ValueError, match="at least one example"):
            importance(linear_gaussian.model(), torch.zeros(0, 5))


def test_codes_and_reconstructions_are_posterior_means(three):
    """E[z|x] = (WᵀW + σ²I)⁻¹ Wᵀ(x - b), decoded to W E[z|x] + b; over several chunks, in order."""
    x = three.sample(1100)
    precision = three.weight.T @ three.weight + three.sigma**2 * torch.eye(3)
    codes = torch.linalg.solve(precision, three.weight.T @ (x - three.bias).T).T
    model = three.model()
    assert torch.allclose(encode(model, x), codes, atol=1e-5)
    assert torch.allclose(encode(model, Feed(x)), codes, atol=1e-5)
    assert torch.allclose(reconstruct(model, x), affine(three, codes), atol=1e-5)


def test_tasks_leave_the_model_and_the_random_state_as_they_were(three):
    model, x = three.model(), three.sample(5)
    for mode in (True, False):
        model.train(mode)
        before = torch.get_rng_state()
        for result in (encode(model, x), reconstruct(model, x), generate(model, 3, draw=True), importance(model, x).kl):
            assert not result.requires_grad
        assert model.training is mode
        assert torch.equal(torch.get_rng_state(), before)
    with pytest.raises(ZeroDivisionError), inference(model.train()):
        1 / 0  # noqa: B018
    assert model.training
    assert torch.is_grad_enabled()


class TestGeneration:
    def test_decodes_to_means_and_draws(self, three):
        z = torch.randn(700, 3)
        assert torch.allclose(decode(three.model(), z), affine(three, z), atol=1e-5)
        residual = decode(three.model(), z, draw=True) - affine(three, z)
        assert stats.kstest(residual.flatten().numpy() / three.sigma, "norm").pvalue > 0.01

    def test_draws_have_the_models_moments(self, three):
        """Means of p(x|z): b and W Wᵀ; draws of x: b and W Wᵀ + σ² I."""
        signal = three.weight @ three.weight.T
        for draw, covariance in ((False, signal), (True, signal + three.sigma**2 * torch.eye(6))):
            x = generate(three.model(), 20_000, draw=draw)
            assert torch.allclose(x.mean(0), three.bias, atol=0.05)
            assert torch.allclose(torch.cov(x.T), covariance, atol=0.1)

    def test_the_same_seed_gives_the_same_examples(self, three):
        a, b, c = (generate(three.model(), 4, draw=True, seed=seed) for seed in (1, 1, 2))
        assert torch.equal(a, b)
        assert not torch.equal(a, c)

    def test_a_temperature_is_the_spread_of_the_latents(self, three):
        plain, cool = (sample_latents(three.model(), 50, temperature=t, seed=3) for t in (1.0, 0.25))
        assert torch.allclose(cool, 0.25 * plain)
        assert torch.allclose(generate(three.model(), 50, temperature=0.25, seed=3), affine(three, cool), atol=1e-5)

    @pytest.mark.parametrize("temperature", [0.0, -1.0, math.inf, math.nan])
    def test_refuses_other_temperatures(self, three, temperature):
        with pytest.raises(ValueError, match="a temperature above 0"):
            sample_latents(three.model(), 1, temperature=temperature)

    @pytest.mark.parametrize("n", [0, -1])
    def test_refuses_to_generate_nothing(self, three, n):
        with pytest.raises(ValueError, match="at least 1 example"):
            generate(three.model(), n)

    @pytest.mark.parametrize("shape", [(3,), (2, 4), (1, 2, 3)])
    def test_refuses_latents_of_another_shape(self, three, shape):
        with pytest.raises(ValueError, match=r"shape \(N, 3\)"):
            decode(three.model(), torch.zeros(shape))


class TestInterpolation:
    def walk(self, oracle, *args, **options):
        """The latents of a decoded walk, got back by least squares."""
        images = interpolate(oracle.model(), *args, **options)
        flat = (images - oracle.bias).flatten(0, 1)
        return torch.linalg.lstsq(oracle.weight, flat.T).solution.T.unflatten(0, images.shape[:2])

    @pytest.mark.parametrize("path", ["linear", "spherical"])
    def test_ends_are_the_decoded_ends(self, three, path):
        start, end = torch.randn(2, 4, 3)
        images = interpolate(three.model(), start, end, 6, path=path)
        assert images.shape == (4, 6, 6)
        assert torch.allclose(images[:, 0], decode(three.model(), start), atol=1e-4)
        assert torch.allclose(images[:, -1], decode(three.model(), end), atol=1e-4)

    def test_a_linear_walk_is_evenly_spaced(self, three):
        start, end = torch.randn(2, 4, 3)
        z = self.walk(three, start, end, 5)
        assert torch.allclose(z.diff(dim=1), ((end - start) / 4)[:, None].expand(4, 4, 3), atol=1e-4)

    def test_a_spherical_walk_keeps_the_norm_and_turns_evenly(self, three):
        start, end = torch.nn.functional.normalize(torch.randn(2, 4, 3), dim=-1) * 2.5
        z = self.walk(three, start, end, 7, path="spherical")
        assert torch.allclose(z.norm(dim=-1), torch.full((4, 7), 2.5), atol=1e-3)
        angles = torch.cosine_similarity(z[:, :-1], z[:, 1:], -1).clamp(-1, 1).arccos()
        assert torch.allclose(angles, angles[:, :1].expand_as(angles), atol=2e-3)

    def test_spherical_walks_between_unequal_norms_stay_between_them(self, three):
        start, end = torch.tensor([[1.0, 0.0, 0.0]]), torch.tensor([[0.0, 3.0, 0.0]])
        norms = self.walk(three, start, end, 9, path="spherical").norm(dim=-1)
        assert norms.min() > 1 - 1e-3
        assert norms.max() < 3 + 1e-3

    @pytest.mark.parametrize("end", [[1.0, 2.0, 0.0], [-1.0, -2.0, 0.0], [0.0, 0.0, 0.0], [2.0, 4.0, 0.0]])
    def test_spherical_walks_between_special_ends_are_finite(self, three, end):
        start, end = torch.tensor([[1.0, 2.0, 0.0]]), torch.tensor([end])
        images = interpolate(three.model(), start, end, 5, path="spherical")
        assert images.isfinite().all()
        assert torch.allclose(images[:, -1], decode(three.model(), end), atol=1e-2)

    @pytest.mark.parametrize("options", [{"path": "scenic"}, {"steps": 1}])
    def test_refuses_other_paths(self, three, options):
        with pytest.raises(ValueError, match="expected a path"):
            interpolate(three.model(), torch.zeros(1, 3), torch.zeros(1, 3), **options)


class TestTraversal:
    values = torch.linspace(-2, 2, 5)

    def test_one_dimension_at_a_time(self, three):
        images = traverse(three.model(), [2, 0], self.values)
        assert images.shape == (2, 5, 6)
        for row, dim in enumerate((2, 0)):
            expected = self.values[:, None] * three.weight[:, dim] + three.bias
            assert torch.allclose(images[row], expected, atol=1e-5)

    def test_around_an_origin(self, three):
        origin = torch.tensor([0.5, -1.0, 2.0])
        images = traverse(three.model(), [1], self.values, origin)
        z = origin.repeat(5, 1)
        z[:, 1] = self.values
        assert torch.allclose(images[0], affine(three, z), atol=1e-5)
        assert origin.tolist() == [0.5, -1.0, 2.0]

    @pytest.mark.parametrize("dims", [[3], [-1]])
    def test_refuses_dimensions_that_are_not_there(self, three, dims):
        with pytest.raises(ValueError, match="from 0 to 2"):
            traverse(three.model(), dims, self.values)


class TestLatentGrid:
    @pytest.mark.parametrize("axes", [(0, 1), (2, 0)])
    def test_columns_follow_the_first_axis_and_rows_the_second(self, three, axes):
        images, values = latent_grid(three.model(), 4, axes=axes)
        assert images.shape == (4, 4, 6)
        for row, column in np.ndindex(4, 4):
            z = torch.zeros(3)
            z[axes[0]], z[axes[1]] = values[column], values[row]
            assert torch.allclose(images[row, column], affine(three, z), atol=1e-5)

    @pytest.mark.parametrize("n", [1, 10, 25])
    def test_values_are_quantiles_of_the_prior(self, three, n):
        _, values = latent_grid(three.model(), n)
        assert np.allclose(values.numpy(), stats.norm.ppf((np.arange(n) + 0.5) / n), atol=1e-5)

    def test_a_range_is_evenly_spaced(self, three):
        _, values = latent_grid(three.model(), 10, range=0.5)
        assert np.allclose(values.numpy(), np.linspace(-0.5, 0.5, 10), atol=1e-6)

    @pytest.mark.parametrize("options", [{"n": 0}, {"axes": (0, 3)}, {"axes": (1, 1)}, {"axes": (-1, 0)}])
    def test_refuses_planes_that_are_not_there(self, three, options):
        with pytest.raises(ValueError, match="two different axes between 0 and 2"):
            latent_grid(three.model(), **options)

    def test_refuses_a_line(self, linear_gaussian):
        with pytest.raises(ValueError, match="at least 2 dimensions"):
            latent_grid(linear_gaussian.make(latents=1).model())
