"""Posteriors against closed forms and reference implementations; what all share is in test_contracts."""

import math

import pytest
import torch
from torch import Size
from torch.autograd.functional import jacobian
from torch.distributions import Independent, MultivariateNormal, Normal, kl_divergence

from vaekit import posteriors, priors, testing
from vaekit.core import Batch, Conditional, Shapes, Support, terms
from vaekit.distributions import DiagonalNormal
from vaekit.likelihoods import Bernoulli
from vaekit.models import OneLayerVAE
from vaekit.networks import MLP
from vaekit.noise import isolated_rng


@pytest.fixture(autouse=True)
def seeded():
    with isolated_rng(0):
        yield


def bound(family, *latent):
    return family.bind(Shapes(Size([3]), latent=Size(latent), embedded=Size([3])))


FLOWS = [
    posteriors.InverseAutoregressive(steps=3, context=4, hidden=(16, 16)),
    posteriors.FlowPosterior("maf", context=4, hidden=(16,)),
    posteriors.FlowPosterior("realnvp", context=4, hidden=(16,)),
    posteriors.FlowPosterior("nsf", context=4, hidden=(16,)),
]


@pytest.mark.parametrize("family", FLOWS, ids=lambda family: getattr(family, "kind", "inverse-autoregressive"))
def test_flows_count_their_volume(family):
    family = bound(family, 5)
    with torch.no_grad():
        for parameter in family.parameters():
            parameter.mul_(2)
    phi, eps = torch.randn(1, *family.phi), torch.randn(5)
    z, log_q = family(phi).push(eps.view(1, 1, 5))
    jac = jacobian(lambda e: family(phi).push(e.view(1, 1, 5))[0].flatten(), eps)
    expected = Normal(0, 1).log_prob(eps).sum() - torch.linalg.slogdet(jac).logabsdet
    assert log_q.item() == pytest.approx(expected.item(), abs=1e-4)
    assert family(phi).log_prob(z).item() == pytest.approx(expected.item(), abs=1e-3)


def test_an_autoregressive_step_sees_every_dimension_before_and_none_after():
    step = posteriors.inverse_autoregressive.AutoregressiveStep(6, 2, (32, 32))
    for result in (0, 1):
        each = [jacobian(lambda z, r=result: step(z, torch.ones(2))[r], torch.randn(6)) for _ in range(20)]
        assert torch.equal(torch.stack(each).any(0), torch.ones(6, 6).tril(-1).bool())


def test_an_autoregressive_step_is_inverted_exactly():
    step = posteriors.inverse_autoregressive.AutoregressiveStep(6, 2, (32,))
    z, h = torch.randn(4, 7, 6), torch.randn(7, 2)
    m, log_g = step(z, h)
    source, again = step.inverse(torch.lerp(m, z, log_g.exp()), h)
    torch.testing.assert_close(source, z, atol=1e-5, rtol=0)
    torch.testing.assert_close(again, log_g, atol=1e-5, rtol=0)


def test_the_mean_of_a_flow_is_that_of_its_draws():
    family = bound(posteriors.InverseAutoregressive(), 3, 2, 1)
    q = family(torch.randn(2, *family.phi))
    draws = q.sample((20_000,))
    assert ((q.mean - draws.mean(0)) / draws.std(0)).abs().max() < 0.05


def low_rank(dim=6, rank=2, batch=3):
    family = bound(posteriors.LowRankNormal(rank), dim)
    q = family(torch.randn(batch, *family.phi))
    q.factor = 5 * q.factor
    covariance = torch.diag_embed(q.log_var.exp()) + q.factor @ q.factor.mT
    return q, MultivariateNormal(q.loc, covariance)


def test_low_rank_density_is_the_multivariate_normal():
    q, reference = low_rank()
    z = 2 * torch.randn(4, 3, 6)
    torch.testing.assert_close(q.log_prob(z), reference.log_prob(z))
    torch.testing.assert_close(q.detached().log_prob(z), reference.log_prob(z))


def test_low_rank_draws_have_their_covariance():
    q, reference = low_rank(dim=3)
    draws = q.sample((40_000,))
    for row in range(3):
        expected = reference.covariance_matrix[row]
        assert (draws[:, row].T.cov() - expected).abs().max() < 0.05 * expected.abs().max()


def test_low_rank_divergence_is_the_multivariate_normal_one():
    q, reference = low_rank()
    for p in (
        priors.StandardNormal().bind(Shapes(Size([3]), latent=Size([6])))(),
        DiagonalNormal(*torch.randn(2, 6), 1),
    ):
        expected = kl_divergence(reference, MultivariateNormal(p.loc, torch.diag(p.log_var.exp())))
        torch.testing.assert_close(kl_divergence(q, p), expected)


def test_a_point_mass_pays_nothing_to_any_prior():
    family = bound(posteriors.PointMass(), 4)
    q = family(torch.randn(3, *family.phi))
    for p in (DiagonalNormal(*torch.randn(2, 4), 1), Independent(Normal(torch.zeros(4), 1.0), 1)):
        assert kl_divergence(q, p).tolist() == [0, 0, 0]
    assert not family.has_density


def vector_quantized(outputs, codes, **options):
    family = bound(posteriors.VectorQuantized(codes, **options), *outputs.shape[1:])
    return family, family(outputs.unsqueeze(1))


def test_nearest_codes_are_the_nearest():
    outputs = torch.randn(10, 4, 3, 5)
    for codes in (7, 48):
        family, q = vector_quantized(outputs, codes)
        nearest = torch.cdist(outputs.movedim(1, -1).flatten(0, 2), family.book).argmin(-1).view(10, 3, 5)
        assert torch.equal(family.indices(outputs), nearest)
        assert torch.equal(q.mean[2, :, 1, 4], family.book[nearest[2, 1, 4]])
        assert torch.equal(family.lookup(nearest), q.mean)
        assert torch.equal(family.indices(q.mean), nearest)


def test_the_gradient_at_the_code_is_handed_straight_through():
    h = torch.randn(5, 4, requires_grad=True)
    _, q = vector_quantized(h, 3, commitment=0.3)
    z, log_q = q.push(torch.empty(2, 5, 0))
    assert torch.equal(z, q.mean.expand(2, 5, 4))
    assert log_q.tolist() == [[0.0] * 5] * 2
    (through,) = torch.autograd.grad(z.pow(3).sum(), h, retain_graph=True)
    torch.testing.assert_close(through, 2 * 3 * q.mean.square())
    torch.testing.assert_close(q.penalty, 0.3 * (h - q.mean).square().sum(1))
    (pull,) = torch.autograd.grad(q.penalty.sum(), h)
    torch.testing.assert_close(pull, 2 * 0.3 * (h.detach() - q.mean))


def test_without_decay_an_update_is_a_step_of_k_means():
    outputs = torch.randn(200, 2)
    family, q = vector_quantized(outputs, 4, decay=0.0)
    expected = torch.stack([outputs[q.index == code].mean(0) for code in range(4)])
    family.update(q.stats())
    torch.testing.assert_close(family.book, expected)


def test_codes_are_fading_averages_of_their_outputs():
    first, second = torch.randn(2, 300, 2)
    family, _ = vector_quantized(first, 3, decay=0.9)
    counts, sums = torch.zeros(3), torch.zeros(3, 2)
    for outputs in (first, second):
        index = family.indices(outputs)
        hot = torch.nn.functional.one_hot(index, 3).float()
        counts, sums = 0.9 * counts + 0.1 * hot.sum(0), 0.9 * sums + 0.1 * hot.T @ outputs
        family.update(family(outputs.unsqueeze(1)).stats())
        torch.testing.assert_close(family.book, sums / counts.unsqueeze(1))
    share = counts / counts.sum()
    assert family.perplexity == pytest.approx(math.exp(-(share * share.log()).sum()), rel=1e-5)


def is_among(row, rows):
    return bool(((row - rows).abs().amax(1) < 1e-5).any())


def test_dead_codes_move_to_outputs_and_living_ones_stay():
    outputs = torch.randn(50, 2)
    family, _ = vector_quantized(outputs, 4, decay=0.0)
    family.book[2:] = 1e3
    q = family(outputs.unsqueeze(1))
    expected = torch.stack([outputs[q.index == code].mean(0) for code in (0, 1)])
    family.update(q.stats())
    torch.testing.assert_close(family.book[:2], expected)
    assert all(is_among(code, outputs) for code in family.book[2:])


def test_codes_find_every_cluster_from_any_start():
    clusters = 10 * torch.randn(6, 3)
    family, _ = vector_quantized(clusters, 8, decay=0.5)
    family.book += 100
    for _ in range(40):
        family.update(family(clusters.repeat(5, 1).unsqueeze(1)).stats())
    torch.testing.assert_close(family.lookup(family.indices(clusters)), clusters)


def test_statistics_of_two_processes_add_up(monkeypatch):
    outputs = torch.randn(40, 2)
    family, q = vector_quantized(outputs, 5)
    whole = q.stats()
    parts = []
    monkeypatch.setattr("torch.distributed.is_initialized", lambda: True)
    monkeypatch.setattr("torch.distributed.get_world_size", lambda: 2)
    for rank in range(2):
        monkeypatch.setattr("torch.distributed.get_rank", lambda rank=rank: rank)
        parts.append(family(outputs[rank::2].unsqueeze(1)).stats())
    for name in ("vq_counts", "vq_sums"):
        torch.testing.assert_close(parts[0][name] + parts[1][name], whole[name])
    candidates = parts[0]["vq_outputs"] + parts[1]["vq_outputs"]
    assert all(is_among(candidate, outputs) for candidate in candidates)
    assert len(candidates.unique(dim=0)) == 5


def reference_fsq(z, levels):
    """Mentzer et al. (2024), appendix A.1, without the straight-through estimator."""
    levels = torch.tensor(levels)
    half_l = (levels - 1) * (1 + 1e-3) / 2
    offset = torch.where(levels % 2 == 1, 0.0, 0.5)
    shift = torch.atanh(offset / half_l)
    return torch.round(torch.tanh(z + shift) * half_l - offset) / (levels // 2)


def test_finite_scalars_are_the_published_ones():
    h = 3 * torch.randn(500, 4)
    family = bound(posteriors.FiniteScalarQuantized((8, 5, 3, 2)), 4)
    torch.testing.assert_close(family(h.unsqueeze(1)).mean, reference_fsq(h, (8, 5, 3, 2)))
    assert len(family.book) == 240
    assert torch.equal(family.indices(family.book), torch.arange(240))
    assert len(family.book.unique(dim=0)) == 240
    assert torch.equal(family.lookup(torch.tensor([[1, 8]])), torch.tensor([[[-0.75, -1, -1, -1], [-1, -0.5, -1, -1]]]))


def test_finite_scalars_pass_the_gradient_of_the_bound():
    h = torch.randn(5, 3, 2, 2, requires_grad=True)
    family = bound(posteriors.FiniteScalarQuantized(5), 3, 2, 2)
    z, _ = family(h.unsqueeze(1)).push(torch.empty(1, 5, 0))
    (gradient,) = torch.autograd.grad(z.sum(), h)
    torch.testing.assert_close(gradient, (1 - h.tanh().square()).detach() * (4 * (1 + 1e-3) / 2) / 2)


def test_the_first_update_spreads_outputs_over_the_levels_for_good():
    family = bound(posteriors.FiniteScalarQuantized(5), 2)
    outputs = torch.tensor([1e-3, 40.0]) * torch.randn(5000, 2) + torch.tensor([0.0, 7.0])
    q = family(outputs.unsqueeze(1))
    whole = q.stats()["fsq_moments"]
    halves = [family(half.unsqueeze(1)).stats()["fsq_moments"] for half in outputs.split(3000)]
    torch.testing.assert_close(sum(halves), whole)
    assert len(q.mean[:, 0].unique()) == 1
    family.update(q.stats())
    for number in family(outputs.unsqueeze(1)).mean.unbind(1):
        share = number.unique(return_counts=True)[1] / 5000
        assert (share - torch.tensor([1, 2, 2, 2, 1]) / 8).abs().max() < 0.03  # the outermost are half as wide
    scale = family.scale.clone()
    family.update(family(5 * outputs.unsqueeze(1)).stats())
    assert torch.equal(family.scale, scale)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: posteriors.InverseAutoregressive(hidden=()), "at least 1 step"),
        (lambda: posteriors.FlowPosterior("glow"), "kind is one of maf, realnvp, nsf"),
        (lambda: posteriors.FlowPosterior(transforms=0), "transforms=0"),
        (lambda: posteriors.LowRankNormal(0), "diagonal-normal"),
        (lambda: posteriors.VectorQuantized(codes=1), "at least 2 codes"),
        (lambda: posteriors.RelaxedCategorical(0), "temperature above 0"),
        (lambda: posteriors.VectorQuantized(decay=1.0), "decay"),
        (lambda: posteriors.FiniteScalarQuantized(1), "at least 2 levels"),
        (lambda: bound(posteriors.FiniteScalarQuantized([5, 5]), 3), "codes of 3 numbers"),
        (lambda: bound(posteriors.FiniteScalarQuantized(8), 64, 7, 7), "fewer numbers a code"),
    ],
)
def test_senseless_options_are_refused(make, sentence):
    with pytest.raises(ValueError, match=sentence):
        make()


def small_model(family, latent):
    prior = priors.UniformCodesPrior() if family.discrete else priors.StandardNormal()
    return OneLayerVAE(Conditional(MLP((8,)), family), Conditional(MLP((8,)), Bernoulli()), prior, latent)


@pytest.mark.parametrize("latent", [3, (3, 2, 2)], ids=str)
@pytest.mark.parametrize(
    "family",
    [*FLOWS[::3], posteriors.LowRankNormal(2), posteriors.PointMass(), posteriors.VectorQuantized(7),
     posteriors.FiniteScalarQuantized(17), posteriors.RelaxedCategorical()],
    ids=lambda family: type(family).__name__,
)  # fmt: skip
def test_models(family, latent):
    testing.check_model(small_model(family, latent), (5,), Support(0, 1, 1.0))


def relaxed_categorical(temperature):
    family = bound(posteriors.RelaxedCategorical(temperature), 3, 1, 2)
    logits = torch.tensor([[1.0, -0.5], [0.3, 0.0], [-1.0, 2.0]]).view(1, 3, 1, 2).requires_grad_()
    return family, family(logits.unsqueeze(1)), logits


def test_relaxed_categories_are_drawn_as_often_as_their_mass():
    _, q, logits = relaxed_categorical(0.7)
    z, log_q = q.push(torch.randn(100_000, 1, *q.noise))
    assert set(z.unique().tolist()) == {0.0, 1.0}
    assert (z.sum(2) == 1).all()
    torch.testing.assert_close(z.mean(0), logits.softmax(1), atol=0.01, rtol=0)
    torch.testing.assert_close(log_q[0], (z[0] * logits.log_softmax(1)).sum((1, 2, 3)))


def test_the_kl_of_relaxed_categories_is_the_sum_over_all_codes():
    family, q, _ = relaxed_categorical(0.7)
    prior = priors.UniformCodesPrior().bind(Shapes(Size([3]), latent=family.event))
    p = prior(None, Conditional(MLP(()), family))
    codes = family.lookup(torch.cartesian_prod(torch.arange(3), torch.arange(3)).view(9, 1, 1, 2))
    log_q, log_p = q.log_prob(codes), p.log_prob(codes)
    torch.testing.assert_close(log_p.exp().sum(), torch.tensor(1.0))
    torch.testing.assert_close(kl_divergence(q, p), (log_q.exp() * (log_q - log_p)).sum(0))


def test_the_relaxed_gradient_is_right_at_low_temperatures():
    _, q, logits = relaxed_categorical(0.05)
    weights = torch.tensor([[1.0, 0.0], [-2.0, 3.0], [0.5, -1.0]]).view(3, 1, 2)
    z, _ = q.push(torch.randn(200_000, 1, *q.noise))
    (found,) = torch.autograd.grad((z * weights).sum((2, 3, 4)).mean(), logits, retain_graph=True)
    (exact,) = torch.autograd.grad((logits.softmax(1) * weights).sum(), logits)
    torch.testing.assert_close(found, exact, atol=0.03, rtol=0)


def test_the_bound_of_codes_counts_their_bits():
    model = small_model(posteriors.VectorQuantized(16), (3, 2, 2)).bind(Shapes(Size([5]), support=Support(0, 1, 1.0)))
    trace, _ = terms(model, Batch(torch.rand(4, 5).round()), 2)
    torch.testing.assert_close(trace.kl(), torch.full((2, 4), 4 * math.log(16)))
