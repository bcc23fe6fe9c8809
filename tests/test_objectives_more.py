"""Objectives beyond the plain bounds, against closed forms, exact aggregates and one another."""

import math
from itertools import combinations

import pytest
import torch
from torch import Size
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from vaekit.core import Batch, Latent, Prior, Shapes, Trace, terms
from vaekit.distributions import DiagonalNormal
from vaekit.noise import Noise, isolated_rng
from vaekit.objectives import DIP, ELBO, IWAE, MIWAE, MMD, Capacity, TotalCorrelation
from vaekit.objectives.annealing import ramp
from vaekit.posteriors.diagonal_normal import DiagonalNormalPosterior
from vaekit.priors import StandardNormal

END = torch.tensor(1.0)
ENCODER = ("encoder.body.layers.0.weight", "encoder.body.layers.0.bias")


class AtOneInput(Prior):
    """The posterior at one fixed input: a VampPrior of one component."""

    def __init__(self, u):
        super().__init__()
        self.register_buffer("u", u)

    def forward(self, c=None, encoder=None):
        q = encoder(self.u)
        return Independent(Normal(q.loc[0], q.stddev[0]), 1)


class Whole(DiagonalNormalPosterior):
    """A posterior that neither splits over dimensions nor can be detached."""

    def log_prob_each(self, z):
        raise TypeError("Whole does not factorize over latent dimensions")

    def log_prob(self, value):
        return super().log_prob_each(value).sum(-1)

    def kl_each(self, p):
        raise TypeError("Whole has no KL per dimension")

    def detached(self):
        raise TypeError("Whole cannot be scored with detached parameters")


def latent_of(mean, log_var, samples=1, kind=DiagonalNormalPosterior) -> Latent:
    """Draws from a diagonal normal posterior, under a standard normal prior."""
    event = mean.shape[1:]
    return Latent.draw(kind(mean, log_var, len(event)), standard(event), samples, Noise())


def standard(event):
    return StandardNormal().bind(Shapes(Size([1]), latent=Size(event)))()


def trace_of(*latents) -> Trace:
    return Trace(latents, Normal(0.0, 1.0))


def gradients(objective, model, x, seed=0):
    """Name ↦ the gradient of the objective's mean over the rows."""
    with isolated_rng(seed):
        loss = objective(*terms(model, Batch(x), objective.samples), END).mean()
    return dict(zip(dict(model.named_parameters()), torch.autograd.grad(loss, list(model.parameters())), strict=True))


def test_the_doubly_reparameterized_bound_has_iwaes_value_and_decoder_gradients(linear_gaussian):
    model, x = linear_gaussian.model(shift=0.4, spread=1.5), linear_gaussian.sample(20)
    with isolated_rng(3):
        trace, log_px = terms(model, Batch(x), 8)
    values = [IWAE(8, gradient)(trace, log_px, END) for gradient in ("plain", "doubly", "auto")]
    assert torch.allclose(values[0], values[1], atol=1e-5)
    assert torch.equal(values[1], values[2])
    plain, doubly = gradients(IWAE(8, "plain"), model, x), gradients(IWAE(8, "doubly"), model, x)
    for name, gradient in plain.items():
        same = torch.allclose(gradient, doubly[name], rtol=1e-4, atol=1e-6)
        assert same != name.startswith("encoder")


@pytest.mark.parametrize("encoder_in_prior", [False, True])
@pytest.mark.parametrize(
    ("plain", "doubly"), [(IWAE(4, "plain"), IWAE(4)), (MIWAE(2, 3, "plain"), MIWAE(2, 3))], ids=["iwae", "miwae"]
)
def test_the_doubly_reparameterized_gradient_is_the_plain_one_in_expectation(
    linear_gaussian, plain, doubly, encoder_in_prior
):
    """One example stands 20,000 times in the batch, so that its gradients are nearly their expectations."""
    model, x = linear_gaussian.model(shift=0.4, spread=1.5), linear_gaussian.sample(2)
    if encoder_in_prior:
        model.prior = AtOneInput(x[1:])
    rows = x[:1].repeat(20_000, 1)
    expected, given = gradients(plain, model, rows), gradients(doubly, model, rows)
    for name in ENCODER:
        assert expected[name].norm() > 0.3
        assert (expected[name] - given[name]).norm() < 0.03 * expected[name].norm()


def test_the_doubly_reparameterized_gradient_has_less_variance(linear_gaussian):
    """At the true posterior all weights are equal: DReG's gradient is exactly zero, IWAE's is only so on average."""
    model, x = linear_gaussian.model(), linear_gaussian.sample(20)
    plain, doubly = (gradients(IWAE(8, gradient), model, x)[ENCODER[0]].norm() for gradient in ("plain", "doubly"))
    assert doubly < 1e-3 * plain


def test_doubly_is_refused_where_it_is_not_possible_and_auto_is_then_plain():
    mean = torch.randn(5, 2, requires_grad=True)
    single, whole = latent_of(mean, torch.zeros(5, 2), 4), latent_of(mean, torch.zeros(5, 2), 4, Whole)
    for trace, reason in ((trace_of(single, single), "one layer of latents, got 2"), (trace_of(whole), "detached")):
        with pytest.raises(ValueError, match=f"{reason}.*use gradient 'plain'"):
            IWAE(4, "doubly")(trace, torch.zeros(4, 5), END)
        values = [IWAE(4, gradient)(trace, torch.zeros(4, 5), END) for gradient in ("auto", "plain")]
        assert torch.equal(*values)
        assert torch.equal(*[torch.autograd.grad(value.sum(), mean, retain_graph=True)[0] for value in values])


def test_miwae_lies_between_the_elbo_and_iwae(linear_gaussian):
    """M bounds of 1 draw are the sampled ELBO, 1 bound of K draws is IWAE, M bounds of K draws are their mean."""
    model, x = linear_gaussian.model(shift=0.4), linear_gaussian.sample(50)
    with torch.no_grad(), isolated_rng(3):
        trace, log_px = terms(model, Batch(x), 6)
        log_w = log_px + trace.log_ratio()
        assert torch.allclose(MIWAE(6, 1)(trace, log_px, END), log_w.mean(0), atol=1e-5)
        assert torch.allclose(MIWAE(1, 6)(trace, log_px, END), IWAE(6)(trace, log_px, END), atol=1e-5)
        halves = (log_w[:3].exp().mean(0).log() + log_w[3:].exp().mean(0).log()) / 2
        assert torch.allclose(MIWAE(2, 3)(trace, log_px, END), halves, atol=1e-4)


@pytest.mark.parametrize(
    ("share", "cycles", "points"),
    [
        (0.0, 1, {0.0: 1.0, 0.5: 1.0, 1.0: 1.0}),
        (0.5, 1, {0.0: 0.0, 0.25: 0.5, 0.5: 1.0, 1.0: 1.0}),
        (0.5, 4, {0.0: 0.0, 0.0625: 0.5, 0.125: 1.0, 0.249: 1.0, 0.25: 0.0, 0.8125: 0.5, 0.99: 1.0, 1.0: 1.0}),
        (1.0, 2, {0.25: 0.5, 0.5: 0.0, 0.75: 0.5, 1.0: 1.0}),
    ],
)
def test_ramps_at_known_points(share, cycles, points):
    for progress, weight in points.items():
        assert float(ramp(torch.tensor(progress), share, cycles)) == pytest.approx(weight, abs=1e-6)


def test_cyclical_annealing_weighs_the_kl():
    trace, log_px = trace_of(latent_of(torch.randn(6, 2), torch.zeros(6, 2))), torch.randn(1, 6)
    for progress, weight in {0.125: 1.5, 0.25: 3.0, 0.5: 0.0, 0.625: 1.5, 1.0: 3.0}.items():
        value = ELBO(beta=3.0, warmup=0.5, cycles=2)(trace, log_px, torch.tensor(progress))
        assert torch.allclose(value, log_px[0] - weight * trace.kl()[0], atol=1e-5)


def test_capacity_punishes_the_distance_of_the_kl_from_its_target():
    trace, log_px = trace_of(latent_of(torch.randn(6, 2), torch.zeros(6, 2))), torch.randn(1, 6)
    objective = Capacity(capacity=8.0, gamma=3.0, warmup=0.5)
    for progress, target in {0.0: 0.0, 0.25: 4.0, 0.5: 8.0, 1.0: 8.0}.items():
        value = objective(trace, log_px, torch.tensor(progress))
        assert torch.allclose(value, log_px[0] - 3 * (trace.kl()[0] - target).abs(), atol=1e-5)


def test_free_bits_count_dimensions_below_them_as_constants():
    """Mean KL of a dimension with unit variance: half its mean's mean square."""
    mean = torch.tensor([[0.2, 2.0], [-0.2, 0.0]], requires_grad=True)
    trace = trace_of(latent_of(mean, torch.zeros(2, 2), 3))
    objective = ELBO(beta=2.0, free_bits=0.5, samples=3)
    value = objective(trace, torch.zeros(3, 2), END)
    assert torch.allclose(value, -2 * torch.tensor([0.5 + 2.0, 0.5 + 0.0]))  # dimension 0 has 0.02, dimension 1 has 1
    (gradient,) = torch.autograd.grad(value.sum(), mean)
    assert torch.allclose(gradient, -2 * torch.tensor([[0.0, 2.0], [0.0, 0.0]]))
    assert objective.couples_batch
    assert not ELBO().couples_batch


def test_free_bits_of_maps_are_by_channel_and_of_whole_layers_by_layer():
    mean = torch.zeros(4, 2, 3, 3)
    mean[:, 0] = 1.0  # 4.5 nats in channel 0, none in channel 1
    maps = trace_of(latent_of(mean, torch.zeros(4, 2, 3, 3)))
    assert torch.allclose(ELBO(free_bits=2.0)(maps, torch.zeros(1, 4), END), torch.tensor(-4.5 - 2.0))
    whole = latent_of(torch.full((4, 3), 2.0), torch.zeros(4, 3), kind=Whole)
    whole.__dict__["kl"] = torch.full((1, 4), 5.0)
    for free, kl in {1.0: 5.0, 2.0: 6.0}.items():  # the layer may hold 3 · λ
        assert torch.allclose(ELBO(free_bits=free)(trace_of(whole), torch.zeros(1, 4), END), torch.tensor(-kl))


def aggregate(mean, log_var):
    """The exact q(z) of a whole data set and its margins, in float64."""
    uniform = Categorical(torch.ones(len(mean), dtype=torch.float64))
    each = Normal(mean.double(), (0.5 * log_var.double()).exp())
    margins = MixtureSameFamily(Categorical(torch.ones(mean.shape[1], len(mean))), Normal(each.loc.mT, each.scale.mT))
    return MixtureSameFamily(uniform, Independent(each, 1)), margins


def pairs(latent):
    return latent.q.log_prob_each(latent.z.unsqueeze(2))


def bound_to(examples, **options):
    return TotalCorrelation(**options).bind(Shapes(Size([1]), examples=examples))


def test_with_the_data_as_the_batch_the_aggregate_posterior_is_exact():
    mean, log_var = 2 * torch.randn(7, 3), torch.randn(7, 3)
    latent = latent_of(mean, log_var, 5)
    joint, product = bound_to(7).aggregate(pairs(latent))
    exact, margins = aggregate(mean, log_var)
    assert torch.allclose(joint.double(), exact.log_prob(latent.z.double()), atol=1e-4)
    assert torch.allclose(product.double(), margins.log_prob(latent.z.double()).sum(-1), atol=1e-4)


def test_over_all_batches_the_aggregate_posterior_is_right_on_average():
    """Batches of 3 out of 6 examples, all that hold the first: the mean of q(z) is exact, for z of the first."""
    mean, log_var = 2 * torch.randn(6, 2), torch.randn(6, 2)
    each, objective = pairs(latent_of(mean, log_var)), bound_to(6)
    estimates = [
        objective.aggregate(each[:, [0, *others]][:, :, [0, *others]])[0][0, 0].exp()
        for others in combinations(range(1, 6), 2)
    ]
    exact = each[0, 0].sum(-1).exp().mean()
    assert torch.allclose(torch.stack(estimates).mean(), exact, rtol=1e-5)
    assert torch.stack(estimates).std() > 0.01 * exact


def test_equal_weights_give_the_elbo_and_the_terms_sum_to_the_kl():
    latent, log_px = latent_of(torch.randn(6, 3), torch.randn(6, 3), 4), torch.randn(4, 6)
    trace = trace_of(latent)
    elbo = ELBO(beta=2.0)(trace, log_px, END)
    assert torch.allclose(bound_to(90, alpha=2.0, beta=2.0, gamma=2.0)(trace, log_px, END), elbo, atol=1e-4)
    objective = bound_to(90, alpha=2.0, beta=5.0, gamma=0.5)
    joint, product = objective.aggregate(pairs(latent))
    information, total = latent.log_q - joint, joint - product
    expected = log_px - 0.5 * (trace.kl() - information - total) - 2.0 * information - 5.0 * total
    assert torch.allclose(objective(trace, log_px, END), expected.mean(0), atol=1e-4)


@pytest.mark.parametrize("weights", ["stratified", "weighted"])
def test_the_total_correlation_of_a_correlated_normal(weights):
    """Means that are correlated by ρ, known to within 0.3: TC = -½ log(1 - r²), r = ρ / (1 + 0.09)."""
    rows, noise, rho = 1500, 0.3, 0.9
    a, b = torch.randn(2, rows)
    mean = torch.stack([a, rho * a + math.sqrt(1 - rho**2) * b], -1)
    latent = latent_of(mean, torch.full((rows, 2), 2 * math.log(noise)))
    joint, product = bound_to(rows, weights=weights).aggregate(pairs(latent))
    shift = math.log(rows) if weights == "weighted" else 0.0  # 1/(N B) instead of 1/N, once against once a dimension
    expected = -0.5 * math.log(1 - (rho / (1 + noise**2)) ** 2) + shift
    assert (joint - product).mean().item() == pytest.approx(expected, abs=0.08)


def test_objectives_of_the_aggregate_posterior_refuse_what_they_cannot_judge():
    single, whole = latent_of(torch.zeros(3, 2), torch.zeros(3, 2)), latent_of(*torch.zeros(2, 3, 2), kind=Whole)
    for objective, name in ((bound_to(9), "total-correlation"), (MMD(), "mmd"), (DIP(), "dip")):
        assert objective.couples_batch
        with pytest.raises(TypeError, match=f"'{name}' needs one layer of latents, got 2"):
            objective(trace_of(single, single), torch.zeros(1, 3), END)
    with pytest.raises(TypeError, match="does not factorize"):
        bound_to(9)(trace_of(whole), torch.zeros(1, 3), END)
    with pytest.raises(TypeError, match="number of examples"):
        TotalCorrelation()(trace_of(single), torch.zeros(1, 3), END)


@pytest.mark.parametrize("kernel", ["imq", "rbf"])
def test_equal_samples_have_no_discrepancy(kernel):
    a = torch.randn(9, 3)
    assert MMD(kernel=kernel).discrepancy(a, a).abs().max() < 1e-5
    assert MMD(kernel=kernel).discrepancy(a, a + 1).mean() > 0.1


@pytest.mark.parametrize("kernel", ["imq", "rbf"])
def test_the_discrepancy_is_gretton_s_unbiased_estimate(kernel):
    a, b, scales = torch.randn(5, 2, dtype=torch.float64), torch.randn(5, 2, dtype=torch.float64) + 1, (0.3, 2.0)

    def k(x, y):
        squared, widths = (x - y).square().sum().item(), [2 * 2 * scale for scale in scales]
        return sum(c / (c + squared) if kernel == "imq" else math.exp(-squared / c) for c in widths) / 2

    others = [(i, j) for i in range(5) for j in range(5) if i != j]
    expected = sum(k(a[i], a[j]) + k(b[i], b[j]) - k(a[i], b[j]) - k(b[i], a[j]) for i, j in others) / 20
    assert MMD(kernel=kernel, scales=scales).discrepancy(a, b).mean().item() == pytest.approx(expected, abs=1e-9)


def test_the_discrepancy_of_two_normals_in_closed_form():
    """With x - y ~ N(m, v I): E exp(-|x - y|² / C) = (1 + 2v/C)^(-D/2) exp(-|m|² / (C + 2v))."""
    dims, shift, spread, width = 3, 0.7, 1.6, 2 * 3 * 0.5

    def mean(v, m=0.0):
        return (1 + 2 * v / width) ** (-dims / 2) * math.exp(-dims * m**2 / (width + 2 * v))

    expected = mean(2.0) + mean(2 * spread**2) - 2 * mean(1 + spread**2, shift)
    a, b = torch.randn(400, 50, dims), shift + spread * torch.randn(400, 50, dims)
    estimates = MMD(kernel="rbf", scales=(0.5,)).discrepancy(a, b).mean(-1)
    assert abs(estimates.mean() - expected) < 5 * estimates.std() / math.sqrt(400)
    assert estimates.std() / math.sqrt(400) < 0.05 * expected


def test_mmd_is_the_elbo_less_the_discrepancy_from_the_prior():
    latent, log_px = latent_of(1 + torch.randn(8, 2), torch.zeros(8, 2), 3), torch.randn(3, 8)
    with isolated_rng(5):
        value = MMD(beta=0.5, weight=20.0)(trace_of(latent), log_px, END)
    with isolated_rng(5):
        prior = torch.randn(3, 8, 2)
    share = torch.stack([MMD().discrepancy(*rows) for rows in zip(latent.z, prior, strict=True)])
    assert torch.allclose(value, (log_px - 0.5 * latent.kl - 20 * share).mean(0), atol=1e-4)


def test_mmd_draws_from_each_row_s_own_prior():
    mean = torch.arange(6.0)[:, None].expand(6, 2) * 100
    q = DiagonalNormalPosterior(mean, torch.zeros(6, 2), 1)
    latent = Latent.draw(q, DiagonalNormal(mean, torch.zeros(6, 2), 1), 40, Noise())
    discrepancy = -MMD(beta=0.0, weight=1.0)(trace_of(latent), torch.zeros(40, 6), END)
    assert discrepancy.abs().mean() < 0.02


def test_dip_is_the_elbo_where_the_codes_are_uncorrelated_with_unit_variance():
    """Means at the corners of a square: their covariance is ``size``² times the identity."""
    corners, log_px = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]]), torch.randn(1, 4)
    for variant, size, log_var in (("i", 1.0, -2.0), ("ii", math.sqrt(0.75), math.log(0.25))):
        trace = trace_of(latent_of(size * corners, torch.full((4, 2), log_var)))
        value = DIP(variant)(trace, log_px, END)
        assert torch.allclose(value, ELBO()(trace, log_px, END), atol=1e-5)
    assert DIP().penalty(torch.eye(5)) == 0


def test_dip_punishes_both_parts_of_the_covariance():
    mean, log_var, log_px = torch.randn(30, 3), torch.randn(30, 3), torch.randn(1, 30)
    trace = trace_of(latent_of(mean, log_var))
    for variant in ("i", "ii"):
        covariance = torch.cov(mean.mT, correction=0) + (variant == "ii") * log_var.exp().mean(0).diag()
        off = sum(covariance[i, j].item() ** 2 for i in range(3) for j in range(3) if i != j)
        on = sum((covariance[i, i].item() - 1) ** 2 for i in range(3))
        value = DIP(variant, off_diagonal=2.0, diagonal=7.0)(trace, log_px, END)
        expected = ELBO()(trace, log_px, END) - 2 * off - 7 * on
        assert torch.allclose(value, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: IWAE(4, "twice"), "gradient is one of auto, doubly, plain; got 'twice'"),
        (lambda: MIWAE(0, 3), "outer >= 1"),
        (lambda: ELBO(cycles=4), "warmup above 0"),
        (lambda: ELBO(free_bits=-1), "free_bits >= 0"),
        (lambda: Capacity(capacity=-1), "capacity >= 0"),
        (lambda: TotalCorrelation(weights="equal"), "'stratified' or 'weighted'"),
        (lambda: MMD(kernel="laplace"), "'imq' or 'rbf'"),
        (lambda: MMD(scales=()), "scales above 0"),
        (lambda: DIP("iii"), "variant 'i' or 'ii'"),
    ],
)
def test_options_that_make_no_sense_are_refused(make, sentence):
    with pytest.raises(ValueError, match=sentence):
        make()
