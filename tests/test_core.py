"""Densities, noise and sums of the core, against torch's own distributions, SciPy and loops."""

import math
import random

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Size, nn
from torch.distributions import Bernoulli, Laplace, Normal, kl_divergence

from vaekit.core import (
    Batch,
    Conditional,
    Latent,
    Shapes,
    Support,
    apply,
    draw_prior,
    masked_log_prob,
    terms,
)
from vaekit.distributions import Dequantized, DiagonalNormal, DiscretizedLogistic
from vaekit.distributions import Normal as OwnNormal
from vaekit.likelihoods import Gaussian
from vaekit.networks import MLP
from vaekit.noise import AntitheticNoise, CommonNoise, Noise, isolated_rng
from vaekit.posteriors import DiagonalNormal as DiagonalNormalPosterior
from vaekit.priors import StandardNormal


def normals(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


class TestDiagonalNormal:
    mean, log_var = normals(4, 3), normals(4, 3, seed=1)

    def reference(self) -> Normal:
        return Normal(self.mean, (0.5 * self.log_var).exp())

    def test_log_prob(self):
        z = normals(7, 4, 3, seed=2)
        ours = DiagonalNormal(self.mean, self.log_var, 1)
        assert torch.allclose(ours.log_prob_each(z), self.reference().log_prob(z), atol=1e-12)
        assert torch.allclose(ours.log_prob(z), self.reference().log_prob(z).sum(-1), atol=1e-12)

    def test_kl_to_a_general_normal(self):
        mean, log_var = normals(4, 3, seed=3), normals(4, 3, seed=4)
        expected = kl_divergence(self.reference(), Normal(mean, (0.5 * log_var).exp()))
        q, p = DiagonalNormal(self.mean, self.log_var, 1), DiagonalNormal(mean, log_var, 1)
        assert torch.allclose(q.kl_each(p), expected, atol=1e-12)
        assert torch.allclose(kl_divergence(q, p), expected.sum(-1), atol=1e-12)

    def test_kl_to_the_standard_normal(self):
        expected = kl_divergence(self.reference(), Normal(torch.zeros(3).double(), torch.ones(3).double())).sum(-1)
        q = DiagonalNormal(self.mean, self.log_var, 1)
        zero = torch.zeros(3, dtype=torch.float64)
        for standard in (True, False):
            p = DiagonalNormal(zero, zero, 1, standard=standard)
            assert torch.allclose(kl_divergence(q, p), expected, atol=1e-12)

    def test_kl_of_events_of_several_dimensions(self):
        mean, log_var = normals(2, 3, 4, 5), normals(2, 3, 4, 5, seed=1)
        expected = kl_divergence(Normal(mean, (0.5 * log_var).exp()), Normal(0.0, 1.0)).flatten(1).sum(-1)
        zero = torch.zeros(3, 4, 5, dtype=torch.float64)
        result = kl_divergence(DiagonalNormal(mean, log_var, 3), DiagonalNormal(zero, zero, 3, standard=True))
        assert torch.allclose(result, expected, atol=1e-12)

    def test_kl_to_another_distribution_is_refused_by_name(self):
        with pytest.raises(TypeError, match="Laplace"):
            DiagonalNormal(self.mean, self.log_var, 1).kl_each(Laplace(0.0, 1.0))

    def test_draws(self):
        with isolated_rng(0):
            z = DiagonalNormal(self.mean.float(), self.log_var.float(), 1).sample(Size([20_000]))
        assert torch.allclose(z.mean(0).double(), self.mean, atol=0.05)
        assert torch.allclose(z.var(0).log().double(), self.log_var, atol=0.06)

    def test_posterior_pushes_noise(self):
        family = DiagonalNormalPosterior().bind(Shapes(Size([9]), latent=Size([3])))
        q = family(torch.stack([self.mean, self.log_var], 1))
        eps = normals(5, 4, 3, seed=5)
        z, log_q = q.push(eps)
        assert log_q is None
        assert torch.allclose(z, self.mean + (0.5 * self.log_var).exp() * eps)
        assert torch.allclose(q.log_prob(z), self.reference().log_prob(z).sum(-1))

    def test_posterior_keeps_log_variances_bounded(self):
        family = DiagonalNormalPosterior().bind(Shapes(Size([9]), latent=Size([1])))
        q = family(torch.tensor([[[0.0], [1e4]], [[0.0], [-1e4]]]))
        assert q.log_var.flatten().tolist() == [15, -15]


def cdf_difference(x, loc, scale, low, high, step):
    """Masses by the plain difference of SciPy's distribution functions, in float64."""
    upper = np.where(x > high - step / 2, 1.0, stats.logistic.cdf(x + step / 2, loc, scale))
    lower = np.where(x < low + step / 2, 0.0, stats.logistic.cdf(x - step / 2, loc, scale))
    return upper - lower


class TestDiscretizedLogistic:
    grid = torch.arange(256, dtype=torch.float64) / 255

    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
    def test_masses_sum_to_one_at_every_scale(self, dtype):
        loc, log_scale = torch.meshgrid(
            torch.linspace(-3, 4, 29, dtype=dtype), torch.linspace(-9, 4, 27, dtype=dtype), indexing="ij"
        )
        mass = DiscretizedLogistic(loc, log_scale, 0.0, 1.0, 1 / 255).log_prob(self.grid.to(dtype).view(-1, 1, 1)).exp()
        assert (mass.double().sum(0) - 1).abs().max() < (1e-9 if dtype == torch.float64 else 2e-4)

    def test_masses_are_differences_of_the_distribution_function(self):
        loc, log_scale = torch.meshgrid(
            torch.linspace(0.1, 0.9, 9).double(), torch.linspace(-5, 1, 7).double(), indexing="ij"
        )
        ours = DiscretizedLogistic(loc, log_scale, 0.0, 1.0, 1 / 255).log_prob(self.grid.view(-1, 1, 1)).exp().numpy()
        x = self.grid.view(-1, 1, 1).numpy()
        assert np.allclose(ours, cdf_difference(x, loc.numpy(), log_scale.exp().numpy(), 0, 1, 1 / 255), atol=1e-12)

    def test_masses_far_out_stay_finite_and_right(self):
        """A thousand scales below: log-mass ≈ -(distance - step/2) / scale + log(1 - e^(-step/scale))."""
        loc, scale, step = torch.tensor([0.9]), 8e-4, 1 / 255
        result = DiscretizedLogistic(loc, torch.tensor([math.log(scale)]), 0.0, 1.0, step).log_prob(
            torch.tensor([step])
        )
        expected = -(0.9 - step - step / 2) / scale + math.log(-math.expm1(-step / scale))
        assert result.item() == pytest.approx(expected, rel=1e-4)

    def test_other_grids(self):
        x = torch.arange(-4, 5).double()
        mass = DiscretizedLogistic(torch.tensor([0.7]).double(), torch.tensor([0.3]).double(), -4.0, 4.0, 1.0)
        expected = cdf_difference(x.numpy(), 0.7, math.exp(0.3), -4, 4, 1)
        assert np.allclose(mass.log_prob(x).exp().numpy(), expected, atol=1e-12)
        assert mass.log_prob(x).exp().sum().item() == pytest.approx(1)

    def test_mean_is_within_half_a_step_of_the_exact_one(self):
        loc, log_scale = torch.meshgrid(
            torch.linspace(-1, 2, 31).double(), torch.linspace(-9, 2, 23).double(), indexing="ij"
        )
        for levels in (2, 8, 256):
            step = 1 / (levels - 1)
            x = torch.arange(levels).double().view(-1, 1, 1) * step
            px = DiscretizedLogistic(loc, log_scale, 0.0, 1.0, step)
            exact = (px.log_prob(x).exp() * x).sum(0)
            assert (px.mean - exact).abs().max() <= step / 2 + 1e-9
            assert (px.mean - exact)[log_scale.exp() > step].abs().max() < 0.02 * step


def test_normal_is_torchs_whatever_its_scale_lacks():
    loc, x = torch.randn(2, 5, 3).double(), torch.randn(5, 3).double()
    for scale in (torch.tensor(0.7), torch.rand(3) + 0.1, torch.rand(2, 5, 3) + 0.1):
        ours, theirs = OwnNormal(loc, scale.double()), Normal(loc, scale.double())
        torch.testing.assert_close(ours.log_prob(x), theirs.log_prob(x))
        torch.testing.assert_close(ours.stddev, theirs.stddev)
        assert ours.sample(Size([4])).shape == (4, 2, 5, 3)


def test_antithetic_draws_cancel():
    with isolated_rng(0):
        drawn = AntitheticNoise().normal(6, 4, Size([2]), torch.zeros(4))
        odd = AntitheticNoise().normal(5, 4, Size([2]), torch.zeros(4))
    assert torch.equal(drawn[:3], -drawn[3:])
    assert drawn.std() > 0.5
    assert odd.shape == (5, 4, 2)


def test_dequantized_bounds_the_mass_of_the_cell():
    """E_u[log p(x + u) + log cell] <= log P(cell), by numerical integration; close where the cell is small."""
    normal = Normal(torch.tensor([0.3]).double(), torch.tensor([0.2]).double())
    u = torch.linspace(-0.5, 0.5, 2001).double()
    for cell, gap in ((0.2, 0.1), (0.01, 3e-4)):
        px = Dequantized(normal, torch.tensor(cell))
        bound = px.log_prob(0.5 + cell * u).mean().item()
        exact = (normal.cdf(torch.tensor(0.5 + cell / 2)) - normal.cdf(torch.tensor(0.5 - cell / 2))).log().item()
        assert exact - gap < bound <= exact + 1e-6


def test_densities_are_per_original_unit():
    """Data in centimetres, standardized by 20: log p is that of the centimetres, whatever the scaling."""
    scale = 20.0
    family = Gaussian().bind(Shapes(Size([2]), support=Support(unit=(1 / scale, 1 / scale))))
    raw, mean = torch.tensor([[170.0, 185.0]]), torch.tensor([[160.0, 180.0]])
    sigma = family.log_sigma.exp() * scale
    ours = family((mean / scale)[:, None]).log_prob(raw / scale)
    assert torch.allclose(ours, Normal(mean, sigma).log_prob(raw), atol=1e-4)


@pytest.mark.parametrize(
    ("support", "levels"),
    [
        (Support(0, 1, 1.0), 2),
        (Support(0, 1, 1 / 255), 256),
        (Support(0, 1, 1 / 65535), 65536),
        (Support(-3, 4, 1.0), 8),
        (Support(0, 1), None),
        (Support(step=1.0), None),
        (Support(low=0, step=1.0), None),
    ],
)
def test_levels_of_a_support(support, levels):
    assert support.levels == levels


def test_cell_of_a_support():
    assert Support(0, 1, 0.25, 0.5).cell == 0.25
    assert Support(unit=0.5).cell == 0.5
    assert Support(unit=(0.5, 2.0)).cell.tolist() == [0.5, 2.0]


class TestNoise:
    like = torch.zeros(7, 2)

    @pytest.mark.parametrize("kind", ["normal", "uniform"])
    def test_slices_make_up_the_whole(self, kind):
        def draw(noise, rows):
            with isolated_rng(3):
                return getattr(noise, kind)(4, rows, Size([2, 3]), self.like)

        parts = [draw(Noise(start, 7), stop - start) for start, stop in ((0, 2), (2, 3), (3, 7))]
        assert torch.equal(torch.cat(parts, 1), draw(Noise(), 7))

    def test_moments(self):
        with isolated_rng(0):
            normal = Noise().normal(1, 1000, Size([50]), self.like)
            uniform = Noise().uniform(1, 1000, Size([50]), self.like)
        assert stats.kstest(normal.flatten().numpy(), "norm").pvalue > 0.01
        assert stats.kstest(uniform.flatten().numpy(), "uniform").pvalue > 0.01

    def test_common_noise_is_one_table_for_all_rows_and_chunks(self):
        whole = CommonNoise(6, seed=1)
        tables = [whole.normal(6, 3, Size([2]), self.like), whole.uniform(6, 3, Size([4]), self.like)]
        assert all(torch.equal(table[:, :1].expand_as(table), table) for table in tables)
        parts = CommonNoise(6, seed=1)
        for at, size in ((0, 4), (4, 2)):
            parts.chunk(at)
            assert torch.equal(parts.normal(size, 5, Size([2]), self.like)[:, 0], tables[0][at : at + size, 0])
            assert torch.equal(parts.uniform(size, 5, Size([4]), self.like)[:, 0], tables[1][at : at + size, 0])

    def test_isolated_rng_leaves_no_trace(self):
        torch.manual_seed(5)
        np.random.seed(5)
        random.seed(5)
        before = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()
        with isolated_rng(1):
            first = torch.randn(3)
        with pytest.raises(ZeroDivisionError), isolated_rng(1):
            1 / (torch.randn(3) - first).abs().sum().int().item()
        assert torch.equal(torch.get_rng_state(), before[0])
        assert (np.random.get_state()[1].tolist(), random.getstate()) == before[1:]


class TestMaskedLogProb:
    px = Normal(torch.zeros(4, 3, 2), torch.ones(4, 3, 2))

    def test_sums_over_the_observed(self):
        x, mask = torch.randn(3, 2), torch.tensor([[True, False], [True, True], [False, False]])
        each = Normal(0.0, 1.0).log_prob(x)
        expected = torch.stack([each[0, 0], each[1].sum(), torch.tensor(0.0)])
        assert torch.allclose(masked_log_prob(self.px, x, mask), expected.expand(4, 3))
        assert torch.allclose(masked_log_prob(self.px, x, None), each.sum(-1).expand(4, 3))

    @pytest.mark.parametrize("shape", [(3, 1), (3,), (2,), (3, 2, 1), (3, 3, 2, 1)])
    def test_x_of_another_shape_is_refused(self, shape):
        with pytest.raises(ValueError, match=r"over examples of shape \(3, 2\)"):
            masked_log_prob(self.px, torch.zeros(shape), None)

    @pytest.mark.parametrize("shape", [(3, 1), (2,), (4, 3, 2), (1, 2)])
    def test_a_mask_of_another_shape_is_refused(self, shape):
        with pytest.raises(ValueError, match="with a mask of shape"):
            masked_log_prob(self.px, torch.zeros(3, 2), torch.ones(shape, dtype=torch.bool))

    def test_a_likelihood_that_is_not_elementwise_is_refused(self):
        px = torch.distributions.Independent(self.px, 1)
        with pytest.raises(ValueError, match="over examples of shape"):
            masked_log_prob(px, torch.zeros(3, 2), None)
        px = torch.distributions.Independent(Normal(torch.zeros(4, 2, 2, 2), 1.0), 1)
        with pytest.raises(ValueError, match="elementwise"):
            masked_log_prob(px, torch.zeros(2, 2), None)


class TestApply:
    network = MLP([5]).build([Size([3]), Size([2, 2])], Size([2, 4]))
    a, b = normals(6, 3).float(), normals(6, 2, 2).float()

    def test_equals_a_loop(self):
        a = torch.randn(4, 6, 3)
        result = apply(self.network, (1, 2), a, self.b)
        expected = torch.stack([self.network(row, self.b) for row in a])
        assert torch.allclose(result, expected, atol=1e-6)

    def test_leading_dimensions_broadcast(self):
        a, b = torch.randn(4, 1, 3), torch.randn(6, 2, 2)
        result = apply(self.network, (1, 2), a, b)
        assert result.shape == (4, 6, 2, 4)
        assert torch.allclose(result[2, 5], self.network(a[2], b[5:6])[0], atol=1e-6)

    def test_one_and_no_leading_dimension(self):
        assert torch.equal(apply(self.network, (1, 2), self.a, self.b), self.network(self.a, self.b))
        alone = apply(self.network, (1, 2), self.a[0], self.b[0])
        assert torch.allclose(alone, self.network(self.a[:1], self.b[:1])[0], atol=1e-6)

    def test_no_rows(self):
        assert apply(self.network, (1, 2), torch.zeros(3, 0, 3), torch.zeros(0, 2, 2)).shape == (3, 0, 2, 4)


def test_conditionals_leave_absent_inputs_out():
    conditional = Conditional(MLP([4]), DiagonalNormalPosterior())
    conditional.bind_inputs([Size([3]), None], Shapes(Size([3]), latent=Size([2])))
    x = torch.randn(5, 3)
    assert torch.equal(conditional(x, None).mean, conditional(x).mean)


def test_densities_are_float32_whatever_the_network_runs_in():
    conditional = Conditional(MLP([4]), DiagonalNormalPosterior())
    conditional.bind_inputs([Size([3])], Shapes(Size([3]), latent=Size([2])))
    with torch.autocast("cpu", torch.bfloat16):
        assert conditional(torch.randn(5, 3)).mean.dtype == torch.float32


class TestLatent:
    q = DiagonalNormalPosterior().bind(Shapes(Size([9]), latent=Size([2])))(normals(3, 2, 2).float())

    def test_densities_are_computed_once_and_when_asked(self):
        p = StandardNormal().bind(Shapes(Size([9]), latent=Size([2])))()
        latent = Latent.draw(self.q, p, 4, Noise())
        assert "log_q" not in vars(latent)
        assert latent.log_q is latent.log_q
        assert torch.allclose(latent.log_q, self.q.log_prob(latent.z))
        assert torch.allclose(latent.log_p, Normal(0.0, 1.0).log_prob(latent.z).sum(-1))
        assert torch.allclose(latent.kl, kl_divergence(self.q, p).expand(4, 3))

    def test_kl_without_a_closed_form_is_estimated_from_the_draw(self):
        p = torch.distributions.Independent(Laplace(torch.zeros(2), torch.ones(2)), 1)
        latent = Latent.draw(self.q, p, 20_000, Noise())
        assert torch.equal(latent.kl, latent.log_q - latent.log_p)
        normal = Normal(self.q.mean, self.q.stddev)
        z = torch.linspace(-12, 12, 20_001)[:, None, None]
        ratio = normal.log_prob(z) - p.base_dist.log_prob(z)
        integral = torch.trapezoid(normal.log_prob(z).exp() * ratio, dx=0.0012, dim=0)
        assert torch.allclose(latent.kl.mean(0), integral.sum(-1), atol=0.05)


def test_terms_of_a_linear_gaussian_model(linear_gaussian):
    """log p(x|z), log p(z) and log q(z|x) of draws, against torch's normal distributions."""
    model, x = linear_gaussian.model(shift=0.3, spread=1.5), linear_gaussian.sample(6)
    with torch.no_grad():
        trace, log_px = terms(model, Batch(x), 3)
        z, q = trace.latents[0].z, trace.latents[0].q
    decoded = Normal(z @ linear_gaussian.weight.T + linear_gaussian.bias, linear_gaussian.sigma)
    assert torch.allclose(log_px, decoded.log_prob(x).sum(-1), atol=1e-4)
    expected = Normal(0.0, 1.0).log_prob(z).sum(-1) - Normal(q.mean, q.stddev).log_prob(z).sum(-1)
    assert torch.allclose(trace.log_ratio(), expected, atol=1e-5)
    assert torch.allclose(trace.kl(), kl_divergence(Normal(q.mean, q.stddev), Normal(0.0, 1.0)).sum(-1).expand(3, 6))


def test_draws_from_priors_with_and_without_a_batch():
    assert draw_prior(DiagonalNormal(torch.zeros(2), torch.zeros(2), 1), 5).shape == (5, 2)
    assert draw_prior(DiagonalNormal(torch.zeros(5, 2), torch.zeros(5, 2), 1), 5).shape == (5, 2)


def test_a_bernoulli_hides_cells_too():
    """Hidden values, even NaN, change neither the bound nor a gradient, to the bit."""
    mask = torch.tensor([[True, False, True]])
    gradients = []
    for hidden in (math.nan, 0.0, 7.0):
        logits = torch.randn(2, 1, 3, generator=torch.Generator().manual_seed(0)).requires_grad_()
        px = Bernoulli(logits=logits, validate_args=False)
        masked_log_prob(px, torch.tensor([[1.0, hidden, 0.0]]), mask).sum().backward()
        gradients.append(logits.grad)
    assert all(torch.equal(gradient, gradients[0]) for gradient in gradients)


def test_parts_register_what_they_are_made_of():
    conditional = Conditional(MLP([4]), Gaussian()).bind_inputs([Size([2])], Shapes(Size([3])))
    assert {"family.log_sigma", "body.layers.0.weight"} <= dict(conditional.named_parameters()).keys()
    assert isinstance(conditional, nn.Module)
