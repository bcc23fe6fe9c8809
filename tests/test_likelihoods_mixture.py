"""The mixture of logistics and the four phases, against sums over all values, all images and one phase at a time."""

import itertools
import json

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Size

from vaekit import distributions
from vaekit.core import Shapes, Support, masked_log_prob
from vaekit.distributions.density import in_steps
from vaekit.likelihoods import Bernoulli, FourPhase, Gaussian, LogisticMixture
from vaekit.noise import Noise, isolated_rng
from vaekit.recipes import TrainRequest, build, spell

BINARY, GRID = Support(0, 1, 1.0), Support(0, 1, 1 / 7, 1 / 7)
BYTES = Support(0, 1, 1 / 255, 1 / 255)


def mixture(spikes: bool = True, components: int = 3, seed: int = 0) -> distributions.LogisticMixture:
    """Four elements on the grid 0, …, 9, in double precision."""
    generator = torch.Generator().manual_seed(seed)
    shape = (4, components)
    loc = 9 * torch.rand(shape, generator=generator, dtype=torch.float64)
    log_scale = torch.randn(shape, generator=generator, dtype=torch.float64) - 0.5
    at = torch.tensor([0, 5, 9] if spikes else [])
    logits = torch.randn(4, components + len(at), generator=generator, dtype=torch.float64)
    return distributions.LogisticMixture(logits, loc, log_scale, 0.0, 9.0, 1.0, at)


def reference(p: distributions.LogisticMixture) -> np.ndarray:
    """Masses (levels, 4) from SciPy's logistic distribution."""
    loc, scale = p.logistics.loc.numpy(), p.logistics.log_scale.exp().numpy()
    weights = p.log_weights.exp().numpy()
    edges = np.concatenate([[-np.inf], np.arange(9) + 0.5, [np.inf]])[:, None, None]
    each = np.diff(stats.logistic.cdf(edges, loc, scale), axis=0)
    masses = (weights[:, :3] * each).sum(-1)
    for number, place in enumerate(p.spikes.tolist()):
        masses[int(place)] += weights[:, 3 + number]
    return masses


class TestLogisticMixture:
    @pytest.mark.parametrize("spikes", [True, False])
    def test_masses(self, spikes):
        p = mixture(spikes)
        masses = p.log_prob(p.enumerate_support(expand=False)).exp()
        assert np.allclose(masses, reference(p), atol=1e-12)
        assert torch.allclose(masses.sum(0), torch.ones(4).double(), atol=1e-12)
        assert torch.equal(p.enumerate_support(), torch.arange(10.0)[:, None].expand(10, 4))

    @pytest.mark.parametrize("spikes", [True, False])
    def test_cdf_is_the_running_sum_of_masses(self, spikes):
        p = mixture(spikes)
        values = p.enumerate_support()
        assert np.allclose(p.cdf(values), np.cumsum(reference(p), 0), atol=1e-12)
        assert torch.equal(p.cdf(values[-1]), torch.ones(4).double())
        assert torch.equal(p.cdf(values[0] - 1), torch.zeros(4).double())

    def test_cdf_never_falls(self):
        family = LogisticMixture().bind(Shapes(Size([50]), support=BYTES))
        p = family(torch.randn(*family.phi, generator=torch.Generator().manual_seed(0)))
        assert bool((p.cdf(p.enumerate_support()).diff(dim=0) >= 0).all())

    @pytest.mark.parametrize("spikes", [True, False])
    def test_draws(self, spikes):
        p = mixture(spikes)
        with isolated_rng(0):
            x = p.sample(Size([20_000]))
        counts = (x == p.enumerate_support()[:, None]).double().mean(1)
        assert np.allclose(counts, reference(p), atol=0.015)

    def test_mean_is_within_half_a_step(self):
        p = mixture()
        exact = (np.arange(10)[:, None] * reference(p)).sum(0)
        assert np.abs(p.mean.numpy() - exact).max() < 0.5
        assert np.abs(p.mean.numpy() - exact).mean() < 0.1

    def test_one_component_without_spikes_is_the_discretized_logistic(self):
        loc, log_scale, x = torch.rand(5), torch.randn(5) - 2, torch.tensor([0.0, 1 / 7, 3 / 7, 6 / 7, 1.0])
        ours = distributions.LogisticMixture(torch.zeros(5, 1), loc[:, None], log_scale[:, None], 0.0, 1.0, 1 / 7)
        single = distributions.DiscretizedLogistic(loc, log_scale, 0.0, 1.0, 1 / 7)
        assert torch.allclose(ours.log_prob(x), single.log_prob(x), atol=1e-6)
        assert torch.allclose(ours.mean, single.mean, atol=1e-6)

    def test_log_mass_of_values_far_away_is_finite(self):
        shape = (3, 2)
        p = distributions.LogisticMixture(
            torch.zeros(3, 4),
            torch.full(shape, 0.5),
            torch.full(shape, -9.0),
            0.0,
            1.0,
            1 / 255,
            torch.tensor([0, 255]),
        )
        values = torch.tensor([1 / 255, 0.5, 254 / 255])
        assert bool(p.log_prob(values).isfinite().all())
        assert torch.allclose(p.log_prob(torch.tensor([0.0, 1.0, 0.0])).exp(), torch.full((3,), 0.25))

    def test_spikes_are_at_the_most_frequent_values(self):
        family = LogisticMixture(spikes=3).bind(Shapes(Size([50]), support=BYTES))
        x = torch.rand(400, 50, generator=torch.Generator().manual_seed(0))
        x[:, :30] = torch.tensor([253 / 255, 0.0, 7 / 255]).repeat(10)
        family.prepare((255 * x).round() / 255, torch.ones(400, 50, dtype=torch.bool))
        assert family(torch.zeros(family.phi)).spikes.tolist() == [0, 7, 253]

    def test_refuses_what_has_no_grid(self):
        with pytest.raises(ValueError, match=r"needs values on one grid .* use likelihood 'gaussian'"):
            LogisticMixture().bind(Shapes(Size([3])))
        with pytest.raises(ValueError, match="at least 1 component"):
            LogisticMixture(0)


def bound(event=(1, 3, 3), support=BINARY, scale: float = 2.0, **options) -> FourPhase:
    """A four-phase likelihood with large weights, so that phases depend on each other clearly."""
    with isolated_rng(3):
        family = FourPhase(**options).bind(Shapes(Size(event), support=support))
        for parameter in family.networks.parameters():
            parameter.data.mul_(scale)
    return family


def features(family: FourPhase, *lead: int, seed: int = 0) -> torch.Tensor:
    return 0.3 * torch.randn(*lead, *family.phi, generator=torch.Generator().manual_seed(seed))


def every_image(*event: int) -> torch.Tensor:
    values = itertools.product((0.0, 1.0), repeat=int(np.prod(event)))
    return torch.tensor(list(values)).view(-1, *event)


def log_masses(family: FourPhase, phi: torch.Tensor, images: torch.Tensor) -> torch.Tensor:
    return family(phi.expand(len(images), *family.phi)).log_prob(images).flatten(1).sum(-1).double()


class TestFourPhase:
    @pytest.mark.parametrize("event", [(1, 2, 2), (1, 3, 3), (2, 2, 2), (1, 1, 5), (3, 3, 1), (2, 1, 1)])
    def test_masses_of_all_images_sum_to_one(self, event):
        family = bound(event)
        with torch.no_grad():
            total = log_masses(family, features(family), every_image(*event)).exp().sum()
        assert total.item() == pytest.approx(1, abs=1e-5)

    @pytest.mark.parametrize("event", [(1, 2, 2), (1, 3, 3)])
    def test_draws_have_the_masses_of_images(self, event):
        family, images = bound(event), every_image(*event)
        phi, n = features(family), 20_000
        with torch.no_grad(), isolated_rng(0):
            expected = log_masses(family, phi, images).exp()
            draws = family(phi).sample(Size([n]))
        places = 2 ** torch.arange(draws[0].numel() - 1, -1, -1)
        counts = torch.bincount((draws.flatten(1).long() * places).sum(-1), minlength=len(images)).double()
        deviations = (counts / n - expected) / (expected * (1 - expected) / n).sqrt()
        assert deviations[expected > 1e-3].abs().max() < 5

    @pytest.mark.parametrize(("event", "support"), [((1, 5, 4), BINARY), ((3, 3, 7), GRID), ((2, 4, 1), BYTES)])
    @pytest.mark.parametrize("levels", [1, 2, 3])
    def test_log_prob_is_the_product_of_conditionals_one_phase_at_a_time(self, event, support, levels):
        family, steps = bound(event, support, scale=1.0, levels=levels), round(1 / support.step)
        x = torch.randint(steps + 1, (3, *event), generator=torch.Generator().manual_seed(1)) / steps
        px, each = family(features(family, 3)), torch.zeros_like(x)

        def see(part, p):
            each[part] = p.log_prob(x[part])
            return x[part]

        assert torch.equal(in_steps(px, see), x)
        with torch.no_grad():
            assert torch.allclose(px.log_prob(x), each, atol=1e-4)

    @pytest.mark.parametrize(("levels", "phases"), [(1, 4), (2, 7), (3, 10)])
    def test_a_phase_depends_on_earlier_phases_alone(self, levels, phases):
        family = bound((1, 7, 6), scale=1.0, levels=levels)
        x = torch.rand(1, 1, 7, 6).requires_grad_()
        phi = features(family, 1)
        order, parts = torch.empty(1, 1, 7, 6, dtype=torch.long), []
        in_steps(family(phi), lambda part, p: parts.append(part) or p.mean)
        for number, part in enumerate(parts):
            order[part] = number
        order = order[0, 0]
        assert len(order.unique()) == len(parts) == phases
        for row, column in itertools.product(range(7), range(6)):
            logit = family.given(phi, x, None).mean[0, 0, row, column]
            (gradient,) = torch.autograd.grad(logit, x, allow_unused=True, materialize_grads=True)
            allowed = order < order[row, column]
            assert not gradient[0, 0][~allowed].any()
            assert bool(gradient[0, 0][allowed].any()) == bool(allowed.any())

    def test_the_phases_are_not_independent(self):
        family, images = bound((1, 2, 2)), every_image(1, 2, 2)
        with torch.no_grad():
            p = log_masses(family, features(family), images).exp()
        marginals = (p[:, None] * images.flatten(1)).sum(0)
        independent = torch.where(images.flatten(1) > 0, marginals, 1 - marginals).prod(1)
        assert (p - independent).abs().max() > 0.01

    def test_observed_cells_have_a_normalized_distribution(self):
        family, images = bound((1, 3, 3)), every_image(1, 3, 3)
        mask = torch.tensor([[1, 0, 1], [1, 1, 0], [0, 1, 1]], dtype=torch.bool)[None]
        seen = images[(images.flatten(1)[:, ~mask.flatten()] == 0).all(1)]
        px = family(features(family).expand(1, len(seen), *family.phi))
        with torch.no_grad():
            total = masked_log_prob(px, seen, mask.expand(len(seen), 1, 3, 3)).exp().sum()
        assert total.item() == pytest.approx(1, abs=1e-5)

    def test_hidden_cells_change_nothing(self):
        family = bound((1, 5, 5))
        phi = features(family, 2, 4)
        x, mask = torch.ones(4, 1, 5, 5), torch.rand(4, 1, 5, 5, generator=torch.Generator().manual_seed(0)) < 0.7
        values = [masked_log_prob(family(phi), torch.where(mask, x, hidden), mask) for hidden in (0.0, torch.nan)]
        assert torch.equal(*values)
        assert not torch.allclose(values[0], masked_log_prob(family(phi), x, None))

    def test_samples_of_the_latents_share_the_examples(self):
        family = bound((2, 5, 4), GRID)
        x, phi = torch.randint(8, (4, 2, 5, 4)) / 7, features(family, 3, 4)
        alone = torch.stack([family(phi[k]).log_prob(x) for k in range(3)])
        assert torch.allclose(family(phi).log_prob(x), alone, atol=1e-5)
        assert torch.allclose(family(phi).log_prob(x.expand(3, 4, 2, 5, 4)), alone, atol=1e-5)
        assert family(phi).sample(Size([2])).shape == (2, 3, 4, 2, 5, 4)
        assert family(phi[0, 0]).mean.shape == (2, 5, 4)

    def test_the_mean_of_the_first_phase_is_exact(self):
        family, images = bound((1, 3, 3)), every_image(1, 3, 3)
        phi = features(family)
        with torch.no_grad():
            exact = (log_masses(family, phi, images).exp().view(-1, 1, 1, 1) * images).sum(0)
            approximate = family(phi).mean
        assert torch.allclose(approximate[:, ::2, ::2].double(), exact[:, ::2, ::2], atol=1e-5)
        assert (approximate - exact).abs().max() < 0.3

    def test_inner_is_chosen_for_the_data(self):
        for support, kind in ((BINARY, Bernoulli), (GRID, LogisticMixture), (Support(), Gaussian)):
            assert type(bound((1, 4, 4), support).inner) is kind

    def test_inner_embeds_spreads_and_learns(self):
        inner = Gaussian("calibrated")
        family = bound((1, 4, 4), GRID, inner=inner)
        x = torch.randint(8, (5, 1, 4, 4)) / 7
        with isolated_rng(0):
            spread = family.dequantize(x, 2, Noise())
        assert (spread - x).abs().max() <= 0.5 / 7
        px = family(features(family, 2, 5))
        px.log_prob(spread)
        found = family.stats(px, x)
        errors = (family.given(px.features, spread, None).mean - x).square()
        assert found["gaussian.squares"].item() == pytest.approx((errors + (1 / 7) ** 2 / 12).sum().item(), rel=1e-4)
        family.update(found)
        assert inner.count == 2 * x.numel()

    def test_half_precision_networks(self):
        family = bound((1, 6, 6), scale=1.0)
        x, phi = torch.ones(4, 1, 6, 6), features(family, 4)
        with torch.no_grad():
            whole = family(phi).log_prob(x)
            with torch.autocast("cpu", torch.bfloat16):
                half = family(phi).log_prob(x)
        assert half.dtype == torch.float32
        assert torch.allclose(half, whole, atol=0.1)

    def test_refuses(self):
        with pytest.raises(ValueError, match=r"needs images .* use likelihood"):
            FourPhase().bind(Shapes(Size([3]), support=BINARY))
        with pytest.raises(ValueError, match="must be elementwise"):
            FourPhase(FourPhase()).bind(Shapes(Size([1, 4, 4]), support=BINARY))
        with pytest.raises(ValueError, match="at least 1"):
            FourPhase(depth=0)


class TestMembersInsideMembers:
    def test_spellings_of_one_choice(self):
        inner = {"name": "logistic-mixture", "components": 3, "spikes": 8}
        choices = [
            FourPhase(LogisticMixture(3)),
            {"name": "four-phase", "inner": LogisticMixture(3)},
            {"name": "four-phase", "inner": inner},
            {"name": "four-phase", "inner": '{"name": "logistic-mixture", "components": "3"}'},
        ]
        for choice in choices:
            member = build("likelihood", json.loads(json.dumps(spell("likelihood", choice))))
            assert spell("likelihood", member)["inner"] == inner
            assert type(member.inner) is LogisticMixture

    def test_none_stays_none(self):
        assert spell("likelihood", FourPhase())["inner"] is None
        assert build("likelihood", {"name": "four-phase", "inner": None}).inner is None

    def test_instances_are_copied(self):
        inner = Bernoulli()
        assert build("likelihood", FourPhase(inner)).inner is not inner

    def test_requests(self):
        request = TrainRequest.parse({"likelihood": {"name": "four-phase", "inner": "bernoulli", "width": "16"}})
        assert request.likelihood == {"name": "four-phase", "inner": {"name": "bernoulli"}, "width": 16}
        assert TrainRequest.parse(request.to_json()) == request

    @pytest.mark.parametrize(
        ("inner", "sentence"),
        [
            ("bernouli", "did you mean 'bernoulli'"),
            ({"name": "logistic-mixture", "component": 2}, "did you mean 'components'"),
            ({"components": 2}, "needs a 'name'"),
            ('{"name"', "not valid JSON"),
            (3, "likelihood is a name, a mapping"),
        ],
    )
    def test_errors_name_the_inner_choice(self, inner, sentence):
        with pytest.raises(ValueError, match=sentence):
            spell("likelihood", {"name": "four-phase", "inner": inner})
