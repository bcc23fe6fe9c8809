"""Priors against closed forms, enumeration and automatic differentiation, and the refitting of a prior."""

import copy
import itertools
import json
import math
import subprocess
import sys
import warnings

import numpy as np
import pytest
import torch
from torch import Size
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal
from torch.func import jacrev

from vaekit import recipes
from vaekit.cli import main
from vaekit.core import Conditional, Shapes
from vaekit.distributions import NormalMixture, OtherComponents
from vaekit.likelihoods import Gaussian
from vaekit.models import LinearGaussian, OneLayerVAE
from vaekit.networks import MLP
from vaekit.noise import isolated_rng
from vaekit.posteriors import DiagonalNormal, InverseAutoregressive, VectorQuantized
from vaekit.priors import (
    AutoregressivePrior,
    CodeTransformer,
    ConditionalNormal,
    FlowPrior,
    GaussianMixture,
    StandardNormal,
    UniformCodesPrior,
    VampPrior,
)
from vaekit.priors.codes import UniformCodes
from vaekit.training import Feed, Reporter
from vaekit.training.refit import refit_prior

KINDS = ("maf", "realnvp", "nsf")


def test_other_components_judge_z_without_its_likeliest_component():
    generator = torch.Generator().manual_seed(0)
    logits, mean, log_var = torch.randn(5, generator=generator), *torch.randn(2, 5, 3, generator=generator)
    z = 2 * torch.randn(40, 3, generator=generator)
    weights, whole = logits.softmax(0), NormalMixture(logits, mean, log_var, 1)
    own = whole.log_joint(z).argmax(1)
    for row, left in zip(z, own, strict=True):
        rest = [at for at in range(5) if at != left]
        others = NormalMixture(weights[rest].log(), mean[rest], log_var[rest], 1)
        found = OtherComponents(logits, mean, log_var, 1).log_prob(row[None])
        torch.testing.assert_close(found, others.log_prob(row[None]), rtol=1e-4, atol=1e-4)


def shapes(latent=(4,), c=None) -> Shapes:
    return Shapes(Size([3]), None if c is None else Size([c]), Size(latent), Size([3]), examples=100)


def encoder(family, given: Shapes) -> Conditional:
    return Conditional(MLP((8,)), family).bind_inputs([given.embedded, given.c], given)


def mixture_of(logits, mean, log_var):
    return MixtureSameFamily(Categorical(logits=logits), Independent(Normal(mean, (0.5 * log_var).exp()), 1))


@pytest.mark.parametrize("batch", [(), (5,)])
def test_a_mixture_is_torchs(batch):
    logits, mean, log_var = torch.randn(7), 3 * torch.randn(*batch, 7, 6), torch.randn(*batch, 7, 6) - 1
    own = NormalMixture(logits, mean.unflatten(-1, (2, 3)), log_var.unflatten(-1, (2, 3)), 2)
    reference = mixture_of(logits.expand(*batch, 7), mean, log_var)
    z = 3 * torch.randn(4, *batch, 6)
    torch.testing.assert_close(own.log_prob(z.unflatten(-1, (2, 3))), reference.log_prob(z), atol=1e-4, rtol=1e-5)
    torch.testing.assert_close(own.mean.flatten(-2), reference.mean)
    assert own.sample(Size([2, 3])).shape == (2, 3, *batch, 2, 3)


def test_a_mixture_keeps_its_accuracy_under_bfloat16():
    mixture = NormalMixture(torch.zeros(9), 2 * torch.randn(9, 30), torch.full((9, 30), -4.0), 1)
    z = mixture.sample(Size([50]))
    with torch.autocast("cpu", torch.bfloat16):
        half = mixture.log_prob(z)
    assert torch.equal(half, mixture.log_prob(z))


def test_a_vamp_of_one_pseudo_input_is_that_posterior():
    given = shapes((2, 2, 1))
    network = encoder(DiagonalNormal(), given)
    prior = VampPrior(1).bind(given)
    q = network(prior.inputs, None)
    z = torch.randn(6, 2, 2, 1)
    torch.testing.assert_close(prior(None, network).log_prob(z), q.log_prob(z), atol=1e-4, rtol=1e-5)


def test_a_vamp_given_a_context_mixes_the_posteriors_of_that_context():
    given = shapes(c=2)
    network, prior = encoder(DiagonalNormal(), given), VampPrior(3).bind(given)
    torch.nn.init.normal_(prior.logits)
    c, z = torch.randn(2, 2)[[0, 1, 1, 0]], torch.randn(5, 4, 4)
    found = prior(c, network).log_prob(z)
    for row in range(4):
        q = network(prior.inputs, c[row].expand(3, -1))
        expected = mixture_of(prior.logits, q.loc, q.log_var).log_prob(z[:, row])
        torch.testing.assert_close(found[:, row], expected, atol=1e-4, rtol=1e-5)


def test_pseudo_inputs_start_at_examples_and_stay_in_their_range():
    given = shapes()
    network, prior = encoder(DiagonalNormal(), given), VampPrior(5).bind(given)
    x = torch.rand(40, 3) * torch.tensor([1.0, 10.0, 0.0]) - 5
    prior.prepare(x, None, network)
    nearest = torch.cdist(prior.inputs, x).min(1)
    assert nearest.values.max() < 0.5
    assert len(nearest.indices.unique()) == 5
    with torch.no_grad():
        prior.inputs += 100
    q = network(x.amax(0, keepdim=True), None)
    z = torch.randn(6, 4)
    torch.testing.assert_close(prior(None, network).log_prob(z), q.log_prob(z), atol=1e-4, rtol=1e-5)
    prior.prepare(x[:2], None, network)  # fewer examples than pseudo-inputs
    assert len(prior.inputs.unique(dim=0)) == 5


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("c", [None, 3])
def test_flows_invert_and_change_variables(kind, c):
    given = shapes(c=c)
    prior = FlowPrior(kind, transforms=3, hidden=(16,)).bind(given)
    for parameter in prior.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    context = None if c is None else torch.randn(1, c)
    p = prior(context)
    z = p.sample(Size([20])).view(20, 4)
    f = p.transform
    of_one = lambda at: f(at.view(1, 4)).view(4)  # noqa: E731
    base, jacobian = f(z.unsqueeze(1)).squeeze(1), torch.stack([jacrev(of_one)(row) for row in z])
    expected = Normal(0.0, 1.0).log_prob(base).sum(-1) + jacobian.slogdet().logabsdet
    torch.testing.assert_close(p.log_prob(z.unsqueeze(1) if c else z).view(20), expected, atol=1e-3, rtol=1e-4)
    torch.testing.assert_close(f.inv(base.unsqueeze(1)).squeeze(1), z, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("latent", [(1,), (5,), (2, 3, 3)])
def test_flows_start_near_the_standard_normal_whatever_the_latent_shape(kind, latent):
    given = shapes(latent)
    p, z = FlowPrior(kind).bind(given)(), torch.randn(50, *latent)
    expected = Normal(0.0, 1.0).log_prob(z).flatten(1).sum(1)
    assert (p.log_prob(z) - expected).abs().max() < math.sqrt(math.prod(latent))
    assert p.sample(Size([2])).shape == (2, *latent)


@pytest.mark.parametrize("c", [None, 2])
def test_autoregressive_factors_are_mixtures_given_the_dimensions_before(c):
    prior = AutoregressivePrior(3, hidden=(16, 16)).bind(shapes((2, 3), c=c))
    for parameter in prior.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    p, z = prior(None if c is None else torch.randn(7, c)), torch.randn(4, 7, 2, 3)
    total, flat = torch.zeros(28), z.view(28, 6)

    def see(at: int, factor: NormalMixture) -> torch.Tensor:
        nonlocal total
        value = flat[:, at : at + 1]
        expected = mixture_of(factor.logits, factor.loc, factor.log_var)
        total = total + expected.log_prob(value)
        return value

    assert torch.equal(p.in_order(28, see).view_as(z), z)
    torch.testing.assert_close(p.log_prob(z).flatten(), total, atol=1e-4, rtol=1e-5)


def test_an_autoregressive_prior_learns_a_dependence_that_no_diagonal_mixture_has():
    angle = torch.rand(2000, generator=torch.Generator().manual_seed(0)) * 2 * math.pi
    z = torch.stack([angle.cos(), angle.sin()], -1)
    z = z + 0.1 * torch.randn(z.shape, generator=torch.Generator().manual_seed(1))
    with isolated_rng(0):
        prior = AutoregressivePrior(6, hidden=(32,)).bind(shapes((2,)))
    optimizer = torch.optim.Adam(prior.parameters(), 1e-2)
    for _ in range(400):
        optimizer.zero_grad()
        loss = -prior().log_prob(z).mean()
        loss.backward()
        optimizer.step()
    radius = torch.linspace(1e-3, 2, 2000, dtype=torch.float64)  # the density of a ring, by Bessel's integral
    ring = (-((radius - 1) ** 2) / 0.02).exp() * torch.special.i0e(radius / 0.01) / (2 * math.pi * 0.01)
    mass = ring * 2 * math.pi * radius * (radius[1] - radius[0])
    entropy = -(mass * ring.clamp(min=1e-300).log()).sum()
    assert float(loss.detach()) == pytest.approx(float(entropy), abs=0.1)


def test_a_tempered_mixture_has_narrower_components_of_the_same_weight():
    logits, mean, log_var = torch.randn(7), 3 * torch.randn(7, 4), torch.randn(7, 4)
    cool, z = NormalMixture(logits, mean, log_var, 1).tempered(0.5), torch.randn(20, 4)
    expected = mixture_of(logits, mean, log_var + 2 * math.log(0.5)).log_prob(z)
    torch.testing.assert_close(cool.log_prob(z), expected, atol=1e-4, rtol=1e-5)


def test_a_tempered_flow_starts_from_a_narrower_normal():
    p = FlowPrior("realnvp", transforms=2, hidden=(8,)).bind(shapes())()
    cool = p.tempered(0.5).tempered(0.5)
    with isolated_rng(0):
        base = torch.randn(6, 4)
    with isolated_rng(0):
        z = cool.sample(Size([6]))
    torch.testing.assert_close(z, p.transform.inv(0.25 * base).view_as(z))
    expected = Normal(0.0, 0.25).log_prob(0.25 * base).sum(-1) + p.transform.call_and_ladj(z)[1]
    torch.testing.assert_close(cool.log_prob(z), expected, atol=1e-4, rtol=1e-4)


def test_codes_have_no_temperature():
    with pytest.raises(TypeError, match="UniformCodes is not made of normals"):
        UniformCodes(None, Size(), Size([4])).tempered(0.5)


@pytest.mark.parametrize(
    "prior", [AutoregressivePrior(), FlowPrior(), VampPrior(3), GaussianMixture(3), CodeTransformer(1, 8, 2)]
)
def test_priors_are_outlined_without_memory(prior):
    own = copy.deepcopy(prior).bind(shapes((2, 2, 1))).state_dict()
    with torch.device("meta"):
        outline = copy.deepcopy(prior).bind(shapes((2, 2, 1))).state_dict()
    assert all(value.is_meta for value in outline.values())
    assert {name: value.shape for name, value in outline.items()} == {name: value.shape for name, value in own.items()}


def test_loading_zuko_leaves_the_validation_of_distributions_on():
    code = (
        "from vaekit.distributions.zuko import load_zuko; from torch.distributions import Normal; load_zuko()\n"
        "try: Normal(0.0, -1.0)\nexcept ValueError: print('refused')"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "refused\n"


def test_flows_instantiate_nothing_that_warns():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        p = FlowPrior().bind(shapes())()
        p.log_prob(p.sample(Size([2])))


def test_the_conditional_normal_is_an_affine_regression_without_hidden_layers():
    prior = ConditionalNormal(()).bind(shapes(c=2))
    layer = prior.body.layers[0]
    c, z = torch.randn(5, 2), torch.randn(5, 4)
    mean, log_var = layer(c).unflatten(1, (2, 4)).unbind(1)
    expected = Normal(mean, (0.5 * log_var).exp()).log_prob(z).sum(1)
    torch.testing.assert_close(prior(c).log_prob(z), expected)


def all_codes(network: Conditional, positions: tuple[int, ...]) -> torch.Tensor:
    """Every latent there is."""
    codes = range(len(network.family.book))
    indices = torch.tensor(list(itertools.product(codes, repeat=math.prod(positions))))
    return network.family.lookup(indices.view(-1, *positions))


@pytest.mark.parametrize("latent", [(3,), (3, 2, 2)])
def test_uniform_codes_cost_the_logarithm_of_the_book(latent):
    given = shapes(latent)
    network = encoder(VectorQuantized(5), given)
    p = UniformCodesPrior().bind(given)(None, network)
    z = all_codes(network, latent[1:])
    torch.testing.assert_close(p.log_prob(z), torch.full((len(z),), -math.log(len(z))))


@pytest.mark.parametrize("latent", [(3,), (3, 2, 2)])
@pytest.mark.parametrize("c", [None, 2])
def test_the_masses_of_all_codes_sum_to_one(latent, c):
    given = shapes(latent, c)
    network, prior = encoder(VectorQuantized(4), given), CodeTransformer(2, 16, 2).bind(given)
    for parameter in prior.parameters():
        torch.nn.init.normal_(parameter, std=0.4)
    p = prior(None if c is None else torch.randn(3, c), network)
    z = all_codes(network, latent[1:])
    z = z if c is None else z.unsqueeze(1).expand(-1, 3, *latent)
    torch.testing.assert_close(p.log_prob(z).exp().sum(0), torch.ones(() if c is None else 3))


def test_a_code_sees_those_before_it_alone_and_draws_remember_them():
    given = shapes((3, 2, 3))
    network, prior = encoder(VectorQuantized(4), given), CodeTransformer(2, 16, 2).bind(given)
    x = torch.randn(2, 6, 16)
    whole = prior.transformer(x)
    past = [[] for _ in prior.transformer.blocks]
    stepped = [prior.transformer.step(x[:, at], at, past) for at in range(6)]
    torch.testing.assert_close(torch.stack(stepped, 1), whole)
    x[:, 4] += 1
    torch.testing.assert_close(prior.transformer(x)[:, :4], whole[:, :4])
    assert prior(None, network).sample(Size([7])).shape == (7, 3, 2, 3)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: VampPrior(0), "at least 1"),
        (lambda: GaussianMixture(0), "at least 1"),
        (lambda: AutoregressivePrior(0), "components >= 1"),
        (lambda: AutoregressivePrior(hidden=()), "hidden widths"),
        (lambda: FlowPrior("glow"), "maf, realnvp, nsf"),
        (lambda: FlowPrior(transforms=0), "transforms >= 1"),
        (lambda: CodeTransformer(width=10, heads=4), "divisible by heads"),
        (lambda: ConditionalNormal((0,)), "at least 1"),
        (lambda: ConditionalNormal().bind(shapes()), "use prior 'standard-normal'"),
        (FlowPrior().bind(shapes(c=2)), "depends on a context"),
        (ConditionalNormal().bind(shapes(c=2)), "depends on a context"),
        (CodeTransformer().bind(shapes(c=2)), "depends on a context"),
        (VampPrior().bind(shapes()), "encoder"),
        (lambda: VampPrior().bind(shapes())(None, encoder(InverseAutoregressive(), shapes())), "diagonal-normal"),
        (lambda: UniformCodesPrior().bind(shapes())(None, encoder(DiagonalNormal(), shapes())), "vector-quantized"),
    ],
)
def test_what_makes_no_sense_is_refused(make, sentence):
    with pytest.raises(ValueError, match=sentence):
        make()


CENTERS, SPREAD, NOISE = torch.tensor([[3.0, 0.0], [-3.0, 1.0], [0.0, -2.0]]), 0.4, 0.3


def identity_model(posterior=None) -> OneLayerVAE:
    """q(z|x) = N(x, 0.3² I), so that the aggregate posterior is the data's distribution, blurred."""
    network = Conditional(MLP(()), posterior or DiagonalNormal())
    model = OneLayerVAE(network, Conditional(MLP(()), Gaussian()), StandardNormal(), latent=2)
    model.bind(Shapes(Size([2]), examples=2000))
    if posterior is None:
        layer = model.encoder.body.layers[0]
        with torch.no_grad():
            layer.weight.copy_(torch.cat([torch.eye(2), torch.zeros(2, 2)]))
            layer.bias.copy_(torch.tensor([0.0, 0.0, *[2 * math.log(NOISE)] * 2]))
    return model.eval()


def known_mixture(n: int, seed: int) -> Feed:
    with isolated_rng(seed):
        return Feed(CENTERS[torch.randint(3, (n,))] + SPREAD * torch.randn(n, 2))


def entropy_of_known_mixture() -> tuple[float, float]:
    """Of the blurred mixture, by Monte Carlo over its exact density, with the standard error."""
    p = mixture_of(torch.zeros(3), CENTERS, torch.full((3, 2), math.log(SPREAD**2 + NOISE**2)))
    each = -p.log_prob(p.sample(Size([200_000])))
    return each.mean().item(), each.std().item() / math.sqrt(2000)  # the error over the held-out examples


@pytest.mark.parametrize(
    ("prior", "epochs", "slack"),
    [(GaussianMixture(3), 2, 0.01), (VampPrior(100), 3, 0.1), (FlowPrior("nsf", 2, (32,)), 8, 0.1)],
)
def test_refitted_to_a_known_mixture_the_cross_entropy_is_its_entropy(prior, epochs, slack):
    model, train, held = identity_model(), known_mixture(2000, 1), known_mixture(2000, 2)
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    state = torch.get_rng_state()
    report = refit_prior(model, prior, train, held, epochs=epochs, lr=3e-3)
    assert torch.equal(state, torch.get_rng_state())
    entropy, error = entropy_of_known_mixture()
    assert -4 * error < report.after.cross_entropy - entropy < 4 * error + slack
    second_moment = 2 * NOISE**2 + held.x.square().sum(1).mean().item()
    assert report.before.cross_entropy == pytest.approx(math.log(2 * math.pi) + 0.5 * second_moment, abs=0.1)
    entropy_of_q = math.log(2 * math.pi * math.e * NOISE**2)
    assert report.after.kl == pytest.approx(report.after.cross_entropy - entropy_of_q, abs=0.1)
    gained = report.before.cross_entropy - report.after.cross_entropy
    assert report.after.elbo - report.before.elbo == pytest.approx(gained, abs=1e-3)
    assert all(torch.equal(value, model.state_dict()[name]) for name, value in weights.items() if "prior" not in name)
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert type(model.prior) is type(prior)
    assert not hasattr(prior, "event"), "the given prior was bound"


def test_refitting_tells_each_epoch_and_keeps_the_best():
    notes = []

    class Listening(Reporter):
        def note(self, text):
            notes.append(text)

    model, held = identity_model(), known_mixture(200, 2)
    report = refit_prior(model, GaussianMixture(3), known_mixture(300, 1), held, epochs=3, lr=1.0, reporter=Listening())
    assert [note.split()[1] for note in notes] == ["1/3", "2/3", "3/3"]
    assert report.after.cross_entropy <= min(float(note.split()[-1]) for note in notes) + 0.02


def test_refitting_without_held_out_examples_judges_on_the_training_ones():
    report = refit_prior(identity_model(), GaussianMixture(3), known_mixture(300, 1), epochs=1)
    assert not report.held_out
    assert report.after.cross_entropy < report.before.cross_entropy


def test_keeping_what_the_encoder_says_changes_nothing(monkeypatch):
    train, held = known_mixture(300, 1), known_mixture(200, 2)
    kept = refit_prior(identity_model(), GaussianMixture(3), train, held, epochs=2)
    monkeypatch.setattr("vaekit.training.refit.KEPT", 0)
    again = refit_prior(identity_model(), GaussianMixture(3), train, held, epochs=2)
    assert kept.after.cross_entropy == pytest.approx(again.after.cross_entropy, abs=1e-5)


def test_a_transformer_refitted_to_codes_beats_the_uniform_prior_and_bounds_their_entropy():
    torch.manual_seed(0)
    model = OneLayerVAE(
        Conditional(MLP(()), VectorQuantized(8)), Conditional(MLP(()), Gaussian()), UniformCodesPrior(), latent=2
    ).bind(Shapes(Size([2]), examples=2000))
    train, held = known_mixture(2000, 1), known_mixture(2000, 2)
    report = refit_prior(model, CodeTransformer(1, 16, 2), train, held, epochs=12, lr=1e-2)
    q = model.encoder(held.x)
    share = torch.bincount(model.encoder.family.indices(q.mean), minlength=8) / 2000
    entropy = torch.special.entr(share).sum().item()
    assert report.before.cross_entropy == pytest.approx(math.log(8), abs=1e-5)
    assert report.before.kl == report.before.cross_entropy
    assert entropy - 1e-4 < report.after.cross_entropy < entropy + 0.05


def test_what_cannot_be_refitted_keeps_its_prior():
    model, train = identity_model(), known_mixture(300, 1)
    for wrong, sentence in [
        ({"prior": UniformCodesPrior()}, "use prior 'gaussian-mixture'"),
        ({"prior": GaussianMixture(), "lr": 0.0}, "lr > 0"),
        ({"prior": ConditionalNormal()}, "make it conditional"),
    ]:
        with pytest.raises(ValueError, match=sentence):
            refit_prior(model, train=train, **wrong)
    with pytest.raises(FloatingPointError, match="learning rate"):
        refit_prior(model, GaussianMixture(3), train, lr=1e30, epochs=3)
    assert type(model.prior) is StandardNormal
    with pytest.raises(ValueError, match="one layer"):
        refit_prior(LinearGaussian.__new__(LinearGaussian), GaussianMixture(), train)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("priors") / "digits"
    request = recipes.TrainRequest.parse(
        {"data": "digits", "network": {"name": "mlp", "hidden": [16]}, "latent_dim": 2, "epochs": 2}
    )
    recipes.train(request, folder)
    return folder


def test_a_refitted_run_is_an_ordinary_run(trained, tmp_path):
    run = recipes.Run.load(trained)
    fitted, report = recipes.refit(run, {"name": "flow", "transforms": "2", "hidden": [8]}, epochs=2)
    assert report.after.cross_entropy < report.before.cross_entropy
    assert report.held_out
    assert type(run.model.prior) is StandardNormal
    again = recipes.Run.load(fitted.save(tmp_path / "fitted"))
    assert again.request.prior == {"name": "flow", "transforms": 2, "hidden": [8]}
    assert again.history == run.history
    z = torch.randn(5, 2)
    assert torch.equal(again.model.prior().log_prob(z), fitted.model.prior().log_prob(z))
    assert torch.equal(again.model.decode((z,)).mean, run.model.decode((z,)).mean)


def test_a_run_on_arrays_is_refitted_with_its_arrays():
    x = np.random.default_rng(0).normal(size=(300, 3)).astype(np.float32)
    request = recipes.TrainRequest.parse({"network": {"name": "mlp", "hidden": [8]}, "latent_dim": 2, "epochs": 1})
    run = recipes.train(request, dataset=recipes_dataset(x))
    fitted, report = recipes.refit(run, GaussianMixture(2), x, epochs=1)
    assert fitted.request.prior == {"name": "gaussian-mixture", "components": 2}
    assert report.held_out
    with pytest.raises(ValueError, match="arrays given in Python"):
        recipes.refit(run, "flow")


def recipes_dataset(x):
    from vaekit.data import Dataset

    return Dataset("arrays", x)


def test_the_command_writes_a_run_and_leaves_the_old_one(trained, tmp_path, capsys):
    before = (trained / "model.safetensors").read_bytes()
    out = tmp_path / "mixture"
    arguments = ["refit", str(trained), "--prior", "gaussian-mixture", "--prior.components", "4", "--epochs", "1"]
    assert main([*arguments, "--out", str(out), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["after"]["cross_entropy"] < report["before"]["cross_entropy"]
    assert recipes.Run.load(out).request.prior == {"name": "gaussian-mixture", "components": 4}
    assert (trained / "model.safetensors").read_bytes() == before
    assert main([*arguments, "--out", str(out)]) == 2
    assert "holds a run" in capsys.readouterr().err
    assert main([*arguments, "--out", str(out), "--overwrite"]) == 0
    assert "cross_entropy" in capsys.readouterr().out


def test_a_refused_command_leaves_no_folder(trained, tmp_path, capsys):
    assert main(["refit", str(trained), "--prior", "uniform-codes", "--out", str(tmp_path / "new")]) == 2
    assert "use prior" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()
