"""The ladder: equal to the one-layer model at depth one, its densities against a model known in closed form."""

import math

import pytest
import torch
from torch import Size
from torch.distributions import Normal

from vaekit import tasks, testing
from vaekit.core import Batch, Conditional, Parts, Shapes, Support, terms
from vaekit.likelihoods import Bernoulli, Gaussian
from vaekit.models import LadderVAE, OneLayerVAE
from vaekit.models.rows import PosteriorRows
from vaekit.networks import MLP, Convolutional, Residual
from vaekit.noise import Noise, isolated_rng
from vaekit.objectives import IWAE
from vaekit.posteriors import DiagonalNormal
from vaekit.priors import StandardNormal, VampPrior
from vaekit.recipes import build, members

BINARY = Support(0, 1, 1.0)


def ladder(latent=2, prior=None, posterior=None, **options) -> LadderVAE:
    parts = Parts(MLP((8,)), posterior or DiagonalNormal(), Gaussian(), prior or StandardNormal(), latent)
    return LadderVAE.assemble(parts, **{"width": 5, **options})


def picture_ladder(**options) -> LadderVAE:
    options = {"levels": 3, "channels": 2, "width": 4, **options}
    return LadderVAE(Residual((4, 6), (1,)), DiagonalNormal(), Bernoulli(), StandardNormal(), 3, **options)


def bound(model, *shape, c=None, support=None):
    with isolated_rng(0):
        return model.bind(Shapes(Size(shape), c and Size([c]), examples=100, support=support or Support()))


@pytest.mark.parametrize("levels", [1, 2, 4])
def test_contract_of_vectors(levels):
    testing.check_model(ladder(levels=levels))


@pytest.mark.parametrize("levels", [1, 3])
def test_contract_of_images(levels):
    testing.check_model(picture_ladder(levels=levels), (2, 9, 12), BINARY)


@pytest.mark.parametrize("posterior", [name for name, member in members("posterior").items() if not member.discrete])
def test_contract_of_every_posterior(posterior):
    testing.check_model(ladder(levels=2, posterior=build("posterior", posterior)))


@pytest.mark.parametrize("prior", [name for name, member in members("prior").items() if not member.discrete])
def test_every_prior_is_that_of_the_top(prior):
    """In a conditional model, with a gradient for all parameters; draws and importance weights are finite."""
    choice = {"name": "vamp", "components": 3} if prior == "vamp" else prior
    model, c = bound(ladder(levels=2, prior=build("prior", choice)), 4, c=2), torch.eye(2).repeat(3, 1)
    trace, log_px = terms(model, Batch(torch.randn(6, 4), c), 3)
    (log_px + trace.log_ratio()).sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() and p.grad.any() for p in model.parameters())
    assert model.decode(model.sample(6, c), c).mean.isfinite().all()


@pytest.mark.parametrize("c", [None, 3])
def test_depth_one_is_the_one_layer_model(c):
    """From the same seed the weights, and from the same noise every term, draw and gradient, to the bit."""
    model = bound(ladder(latent=3, levels=1, prior=VampPrior(4)), 6, c=c)
    encoder, decoder = Conditional(MLP((8,)), DiagonalNormal()), Conditional(MLP((8,)), Gaussian())
    reference = bound(OneLayerVAE(encoder, decoder, VampPrior(4), 3), 6, c=c)
    assert model.state_dict().keys() == reference.state_dict().keys()
    batch, results = Batch(torch.randn(5, 6), None if c is None else torch.randn(5, c)), []
    for each in (model, reference):
        with isolated_rng(1):
            trace, log_px = terms(each, batch, 4)
            value = IWAE(4)(trace, log_px, torch.tensor(1.0)).sum()
            gradients = torch.autograd.grad(value, [p for _, p in sorted(each.named_parameters())])
            draws = each.sample(5, batch.c)
            means = each.decode(draws, batch.c).mean
            results.append([log_px, trace.kl(), trace.log_ratio(), each.encode(batch), *draws, means, *gradients])
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


@pytest.mark.parametrize("levels", [2, 3])
def test_the_likelihood_is_the_integral_over_all_latents(levels):
    """Importance sampling down the rungs, and draws from the prior, against the trapezoidal rule over a grid of z."""
    model, x = bound(ladder(latent=1, levels=levels), 2), torch.tensor([[0.5, -1.0], [0.0, 0.3]])
    model.likelihood.log_sigma.data.fill_(-0.5)
    line = torch.linspace(-5, 5, 61)
    z = torch.cartesian_prod(*[line] * levels).unsqueeze(2).unbind(1)
    with torch.no_grad():
        log_prior = Normal(0.0, 1.0).log_prob(torch.cat(z, 1)).sum(1) + levels * (line[1] - line[0]).log()
        px = model.decode(tuple(z))
        exact = torch.stack([(px.log_prob(row).sum(1) + log_prior).logsumexp(0) for row in x])
        mean = (log_prior.exp().unsqueeze(1) * px.mean).sum(0)
        assert px.mean.std(0).min() > 0.05
        estimate = tasks.importance(model, x, 20_000).log_likelihood
        draws = tasks.generate(model, 20_000)
    assert log_prior.exp().sum() == pytest.approx(1.0, abs=1e-4)
    assert torch.allclose(estimate.float(), exact, atol=0.02)
    assert torch.allclose(draws.mean(0), mean, atol=0.02)


def test_latents_in_units_of_the_prior_have_the_densities_of_the_latents():
    """log p - log q and the KL of u equal those of z = mean + stddev · u under N(mean, stddev²), by torch's normals."""
    model = bound(ladder(levels=2), 4)
    with torch.no_grad():
        trace, _ = terms(model, Batch(torch.randn(6, 4)), 1)
        top, lower = trace.latents
        h = model.rungs[0].descend(top.z[0], None)
        p, q, u = model.rungs[0].prior(h, None), lower.q, lower.z[0]
        prior = Normal(p.loc, p.stddev)
        posterior = Normal(p.loc + p.stddev * q.loc, p.stddev * q.stddev)
        z = model.rungs[0].place(u, h, None)
    ratio = (prior.log_prob(z) - posterior.log_prob(z)).sum(-1)
    assert torch.allclose((lower.log_p - lower.log_q)[0], ratio, atol=1e-5)
    assert torch.allclose(lower.kl[0], torch.distributions.kl_divergence(posterior, prior).sum(-1), atol=1e-5)


def test_several_draws_are_single_draws_side_by_side():
    model = bound(ladder(levels=3, prior=VampPrior(3)), 4, c=2)
    batch, tables = Batch(torch.randn(5, 4), torch.randn(5, 2)), [torch.randn(3, 5, 2) for _ in range(3)]

    class Table(Noise):
        def __init__(self, rows):
            super().__init__()
            self.tables = [table[rows] for table in tables]

        def normal(self, k, b, event, like):
            return self.tables.pop(0)

    with torch.no_grad():
        trace, log_px = terms(model, batch, 3, Table(slice(0, 3)))
        for k in range(3):
            alone, alone_px = terms(model, batch, 1, Table(slice(k, k + 1)))
            assert torch.allclose(log_px[k], alone_px[0], atol=1e-5)
            assert torch.allclose(trace.kl()[k], alone.kl()[0], atol=1e-5)
            assert torch.allclose(trace.log_ratio()[k], alone.log_ratio()[0], atol=1e-5)
        q, p = trace.latents[1].q, trace.latents[1].p
        assert isinstance(q, PosteriorRows)
        assert torch.allclose(q.kl_each(p).sum(-1), trace.latents[1].kl.mean(0), atol=1e-5)
        each = q.log_prob_each(trace.latents[1].z)
        assert torch.allclose(each.sum(-1), trace.latents[1].log_q, atol=1e-5)


def test_shapes_come_from_the_image():
    events = bound(picture_ladder(levels=4, channels=5), 1, 28, 28, support=BINARY).events
    assert events == (Size([3]), Size([5, 2, 2]), Size([5, 4, 4]), Size([5, 7, 7]))
    given = picture_ladder(latents=[4, [2, 3, 3], [3, 5, 6]])
    assert bound(given, 1, 9, 12, support=BINARY).events == (Size([4]), Size([2, 3, 3]), Size([3, 5, 6]))
    assert bound(ladder(levels=3), 7).events == (Size([2]),) * 3


def test_posteriors_see_the_example_and_what_is_above():
    """The posterior of a finer latent changes with x at a fixed draw above, and with the draw above at a fixed x."""
    model = bound(picture_ladder(), 1, 12, 12, support=BINARY)
    a, b = torch.rand(2, 1, 1, 12, 12).round().unbind(0)
    top = torch.randn(2, 1, 3)
    rung = model.rungs[0]
    with torch.no_grad():
        seen = [model.encoder.climb(x)[0] for x in (a, b)]
        h = [rung.descend(z, None) for z in top]
        base = rung.encoder(seen[0], h[0], None).loc
        assert not torch.allclose(base, rung.encoder(seen[1], h[0], None).loc, atol=1e-4)
        assert not torch.allclose(base, rung.encoder(seen[0], h[1], None).loc, atol=1e-4)


def test_signals_live_through_any_number_of_rungs():
    """At the start the posteriors of a deep ladder depend on x as much as a shallow one's, and are as close to the
    priors.
    """
    x = torch.rand(32, 1, 28, 28, generator=torch.Generator().manual_seed(0)).round()
    parts = Parts(Residual((16, 16), (1,)), DiagonalNormal(), Bernoulli(), VampPrior(3), 8)
    for levels in (2, 8):
        model = bound(LadderVAE.assemble(parts, levels=levels, width=16), 1, 28, 28, support=BINARY)
        model.prepare(Batch(x))
        with torch.no_grad():
            features = model.encoder.climb(x)
            trace, log_px = terms(model, Batch(x), 1)
        assert all(0.4 < value.std(0).mean() < 1.2 for value in features)
        assert all(latent.kl.mean() / latent.z[0, 0].numel() < 2 for latent in trace.latents[1:])
        assert -log_px.mean() < 2 * 784 * math.log(2)


def test_codes_and_draws_make_up_tasks():
    """Flat codes are all latents; left out ones are at 0, the mean of their priors."""
    model = bound(picture_ladder(), 1, 12, 12, support=BINARY)
    x = torch.rand(4, 1, 12, 12).round()
    codes = tasks.encode(model, x)
    assert codes.shape == (4, 3 + 2 * 2 * 2 + 2 * 3 * 3)
    with torch.no_grad():
        z = model.split(codes)
        zeros = (z[0], torch.zeros_like(z[1]), torch.zeros_like(z[2]))
        assert torch.equal(model.decode(z[:1]).mean, model.decode(zeros).mean)
        assert torch.allclose(tasks.reconstruct(model, x), model.decode(z).mean, atol=1e-6)
    draws = tasks.sample_latents(model, 2000)
    assert abs(draws.mean()) < 0.02
    assert abs(draws.std() - 1) < 0.02
    assert tasks.generate(model, 3).shape == (3, 1, 12, 12)


def test_what_does_not_fit_is_refused():
    discrete = next((name for name, member in members("posterior").items() if member.discrete), None)
    if discrete:
        with pytest.raises(ValueError, match="use posterior 'diagonal-normal'"):
            bound(ladder(posterior=build("posterior", discrete)), 4)
    with pytest.raises(ValueError, match="at least 1 level"):
        ladder(levels=0)
    parts = Parts(Convolutional((4,)), DiagonalNormal(), Bernoulli(), StandardNormal(), 2)
    with pytest.raises(ValueError, match="use network 'residual'"):
        bound(LadderVAE.assemble(parts, levels=2), 1, 12, 12, support=BINARY)


def test_name_and_options():
    assert members("model")["ladder"] is LadderVAE
    parts = Parts(MLP(), DiagonalNormal(), Gaussian(), StandardNormal(), 3)
    model = build("model", {"name": "ladder", "levels": "2", "latents": [4, [2, 3, 3]]}, parts)
    assert (model.levels, model.latents) == (2, [4, [2, 3, 3]])
