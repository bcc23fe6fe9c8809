"""The contract of every noun, run over every member that the registry finds: a new member is covered by itself."""

import json
import math

import pytest
import torch
from torch import Size, nn
from torch.distributions import Laplace, Normal

from vaekit import testing
from vaekit.core import Conditional, Family, Objective, Parts, Prior, Shapes, Support
from vaekit.distributions import DiagonalNormal
from vaekit.models import OneLayerVAE
from vaekit.recipes import build, members, spell
from vaekit.recipes.registry import options

SUPPORTS = {
    "binary": Support(0, 1, 1.0),
    "grid": Support(0, 1, 1 / 7, 1 / 7),
    "8-bit": Support(0, 1, 1 / 255, 1 / 255),
    "range": Support(0, 1, None, 1.0),
    "interval": Support(-2.0, 3.0, None, 0.5),
    "positive": Support(low=-1.0, unit=2.0),
    "counts": Support(0.0, math.inf, 1.0),
    "columns": Support(unit=(0.5, 2.0, 10.0)),
    "columns of counts": Support((0.0, -0.5, -20.0), math.inf, (1.0, 0.25, 2.0), (1.0, 0.25, 2.0)),
    "columns in intervals": Support((0.0, -0.5, -20.0), (1.0, 0.25, 2.0), None, (1.0, 0.25, 2.0)),
}
NUMBERS = (Support(), Support(-1.0, 2.5), Support(step=0.5, unit=2.0), Support(low=-1.0), Support(-1.0, 2.0, 0.5))
CATEGORIES = (Support(0.0, 2.0, 1.0, categories=3), Support(0.0, 1.0, 1.0, categories=2))
TABLES = {
    "numbers": NUMBERS,
    "categories": CATEGORIES,
    "mixed": (CATEGORIES[0], NUMBERS[0], CATEGORIES[1], NUMBERS[2]),
    "spikes": (Support(-1.0, step=0.5, unit=2.0, spikes=(-1.0, 0.5)), Support(spikes=(0.25,)), CATEGORIES[1]),
}
MORE_OPTIONS = {
    "posterior": [
        {"name": "finite-scalar-quantized", "levels": [2, 7]},
        {"name": "flow", "kind": "maf", "transforms": 3, "hidden": []},
        {"name": "flow", "kind": "realnvp", "context": 3},
        {"name": "inverse-autoregressive", "steps": 3, "context": 1, "hidden": [8, 8]},
        {"name": "low-rank-normal", "rank": 1},
        {"name": "vector-quantized", "codes": 5},
    ],
    "likelihood": [
        {"name": "gaussian", "noise": "shared"},
        {"name": "gaussian", "noise": "output"},
        {"name": "gaussian", "noise": "fixed", "sigma": 0.2},
        {"name": "gaussian", "noise": "calibrated"},
        {"name": "logistic-mixture", "components": 2, "spikes": False},
        {"name": "four-phase", "inner": {"name": "gaussian", "noise": "shared"}, "width": 8, "depth": 1},
        {"name": "four-phase", "inner": {"name": "discretized-logistic"}, "channels": 3, "width": 8, "depth": 3},
        {"name": "student-t", "noise": "output"},
        {"name": "log-normal", "noise": "output", "sigma": 0.5},
        {"name": "negative-binomial", "dispersion": "output"},
        {"name": "discretized", "kernel": "normal", "noise": "output", "components": 2, "warp": False},
        {"name": "mixed", "numbers": {"name": "gaussian"}},
        {"name": "mixed", "ordinals": {"name": "category-columns"}, "counts": {"name": "negative-binomial"}},
    ],
    "objective": [
        {"name": "elbo", "beta": 4.0, "warmup": 0.5, "samples": 3},
        {"name": "elbo", "warmup": 0.5, "cycles": 4, "free_bits": 0.01},
        {"name": "iwae", "gradient": "plain"},
        {"name": "total-correlation", "alpha": 2.0, "weights": "weighted", "samples": 2},
        {"name": "mmd", "beta": 0.0, "kernel": "rbf", "scales": [1.0], "samples": 2},
        {"name": "dip", "variant": "i"},
    ],
    "prior": [
        {"name": "autoregressive", "components": 1, "hidden": [8]},
        {"name": "flow", "kind": "realnvp", "transforms": 2, "hidden": [8]},
        {"name": "flow", "kind": "nsf", "transforms": 1, "hidden": []},
        {"name": "vamp", "components": 3, "weighted": False},
        {"name": "conditional-normal", "hidden": []},
        {"name": "code-transformer", "layers": 1, "width": 6, "heads": 2},
    ],
    "network": [
        {"name": "mlp", "hidden": []},
        {"name": "convolutional", "channels": [3], "dense": 0},
        {"name": "convolutional", "channels": [3, 4, 2], "dense": 5},
        {"name": "gated-mlp", "hidden": []},
        {"name": "residual", "channels": [3], "blocks": [0], "dense": 0},
        {"name": "residual", "channels": [3, 4, 2], "blocks": [1, 2], "dense": 5},
    ],
    "schedule": [{"name": "cosine", "warmup": 0.0}, {"name": "one-cycle", "rise": 0.0, "final": 0.0}],
}
APPROXIMATE_MEANS = {
    ("discretized-logistic", "binary"): math.inf,  # within half a step, there half of the range
    ("logistic-mixture", "binary"): math.inf,
    ("four-phase", "image"): 0.5,  # a phase given the means of the earlier ones
}
FROM_EXAMPLES = ("histogram", "autoregressive")  # bins of numbers come from examples: see tests/test_synthesize.py
NOUNS = ("likelihood", "posterior", "prior", "objective", "network", "schedule")


def every(noun):
    choices = [{"name": name} for name in members(noun)] + MORE_OPTIONS.get(noun, [])
    return pytest.mark.parametrize("choice", choices, ids=json.dumps)


def refusal(family: Family, support: Support, event=(3,), columns=None) -> str | None:
    """Why a family does not bind to a support, None if it does."""
    try:
        family.bind(Shapes(Size(event), support=support, columns=columns))
    except ValueError as error:
        return str(error)
    return None


def image_support(choice) -> Support:
    """A support for images that a likelihood accepts: a grid unless it needs values without an upper end."""
    fits = [name for name in ("grid", "counts") if not refusal(build("likelihood", choice), SUPPORTS[name], (2, 4, 3))]
    if not fits:
        assert is_for_tables(choice)
        pytest.skip("for the columns of tables")
    return SUPPORTS[fits[0]]


def is_for_tables(choice) -> bool:
    """Whether a likelihood needs the supports of columns."""
    return bool(refusal(build("likelihood", choice), Support())) and not all(
        table_refusal(choice, columns) for columns in TABLES.values()
    )


def table_refusal(choice, columns) -> str | None:
    """Why a likelihood does not bind to rows of columns, None if it does."""
    return refusal(build("likelihood", choice), Support.join(columns), (len(columns),), columns)


@pytest.mark.parametrize("support", SUPPORTS)
@every("likelihood")
def test_likelihoods(choice, support):
    if reason := refusal(build("likelihood", choice), SUPPORTS[support]):
        assert "use likelihood" in reason
        return
    tolerance = APPROXIMATE_MEANS.get((choice["name"], support), 0.1)
    testing.check_likelihood(build("likelihood", choice), SUPPORTS[support], mean_tolerance=tolerance)


@pytest.mark.parametrize("table", TABLES)
@every("likelihood")
def test_likelihoods_of_tables(choice, table):
    if choice["name"] in FROM_EXAMPLES and table != "categories":
        return
    if is_for_tables(choice) and not table_refusal(choice, TABLES[table]):
        testing.check_likelihood(build("likelihood", choice), columns=TABLES[table])


@every("likelihood")
def test_likelihoods_of_images(choice):
    tolerance = APPROXIMATE_MEANS.get((choice["name"], "image"), 0.1)
    testing.check_likelihood(build("likelihood", choice), image_support(choice), (2, 2, 1), mean_tolerance=tolerance)


@every("likelihood")
def test_every_likelihood_accepts_some_support(choice):
    events = ((3,), (2, 4, 3))
    assert is_for_tables(choice) or not all(
        refusal(build("likelihood", choice), s, event) for s in SUPPORTS.values() for event in events
    )


@pytest.mark.parametrize("support", SUPPORTS.values(), ids=SUPPORTS)
def test_every_support_has_a_likelihood_with_a_density(support):
    families = [build("likelihood", name) for name in members("likelihood")]
    assert any(refusal(family, support) is None and family.has_density for family in families)


@every("posterior")
def test_posteriors(choice):
    testing.check_posterior(build("posterior", choice))


@every("prior")
def test_priors(choice):
    testing.check_prior(build("prior", choice))


@pytest.mark.parametrize("noun", ["posterior", "prior"])
def test_parts_of_the_latent_space_must_know_its_shape(noun):
    for name in members(noun):
        with pytest.raises(ValueError, match="latent shape"):
            build(noun, name).bind(Shapes(Size([3])))


@every("objective")
def test_objectives(choice):
    testing.check_objective(build("objective", choice))


@every("network")
def test_networks_as_encoders(choice):
    testing.check_network(build("network", choice), [(2, 5, 6)], (2, 3))


@every("network")
def test_networks_as_decoders_with_context(choice):
    testing.check_network(build("network", choice), [(3,), (4,)], (2, 1, 5, 6))


@every("network")
def test_networks_between_maps(choice):
    testing.check_network(build("network", choice), [(2, 5, 6), (3,)], (2, 4, 3, 3))
    testing.check_network(build("network", choice), [(4, 3, 3), (3,)], (2, 1, 5, 6))


@every("schedule")
def test_schedules(choice):
    testing.check_schedule(build("schedule", choice))


@pytest.mark.parametrize("network", members("network"))
@pytest.mark.parametrize("likelihood", members("likelihood"))
def test_one_layer_models(likelihood, network):
    model = OneLayerVAE(
        Conditional(build("network", network), build("posterior", "diagonal-normal")),
        Conditional(build("network", network), build("likelihood", likelihood)),
        build("prior", "standard-normal"),
        latent=2,
    )
    testing.check_model(model, (2, 4, 3), image_support(likelihood))


def assembled(name, *, event):
    """A model from the parts that suit it."""
    suited = {"network": "mlp", "likelihood": "gaussian"} | members("model")[name].suited(len(event) == 3)
    parts = {"posterior": "diagonal-normal", "prior": "standard-normal"} | suited
    return build("model", name, Parts(**{noun: build(noun, part) for noun, part in parts.items()}, latent=2))


@pytest.mark.parametrize("event", [(5,), (1, 8, 9)], ids=["vector", "image"])
@pytest.mark.parametrize("name", members("model"))
def test_models(name, event):
    testing.check_model(assembled(name, event=event), event)


@pytest.mark.parametrize("name", members("model"))
def test_a_model_is_spelled_as_its_own_options(name):
    spelled = spell("model", assembled(name, event=(5,)))
    assert spelled.keys() == {"name", *options(members("model")[name])}
    assert spell("model", json.loads(json.dumps(spelled))) == spelled


@pytest.mark.parametrize("noun", NOUNS)
def test_json_round_trips(noun):
    for choice in [*members(noun), *MORE_OPTIONS.get(noun, [])]:
        testing.check_round_trip(noun, build(noun, choice))


@pytest.mark.parametrize("noun", NOUNS)
def test_building_from_an_instance_copies_it(noun):
    for name in members(noun):
        member = build(noun, name)
        again = build(noun, member)
        assert again is not member
        assert spell(noun, again) == spell(noun, member)


class Unnormalized(Family):
    """A Gaussian that counts its densities in model units, whatever the unit of the data."""

    def bind(self, shapes):
        self.event, self.phi = shapes.x, Size([1, *shapes.x])
        return self

    def forward(self, phi):
        return Normal(phi.squeeze(-1 - len(self.event)), 1.0)


class Stray(Unnormalized):
    """Draws from one distribution, scores with another."""

    def forward(self, phi):
        loc = phi.squeeze(-1 - len(self.event))

        class Mixed(Normal):
            def sample(self, sample_shape=Size()):  # noqa: B008
                return Laplace(self.loc, self.scale).sample(sample_shape)

        return Mixed(loc, torch.ones_like(loc))


class Leaky(Unnormalized):
    """Lets a network see what is hidden."""

    def embed(self, x, mask=None):
        return x


class Forgetful(Unnormalized):
    """Does not keep an option under its name."""

    def __init__(self, scale: float = 1.0):
        super().__init__()


@pytest.mark.parametrize(
    ("family", "sentence"),
    [
        (Unnormalized(), "sum to 2.0"),
        (Stray(), "variance of log_prob"),
        (Leaky(), "embed lets hidden cells through"),
        (Forgetful(), "does not keep its options"),
    ],
)
def test_broken_likelihoods_are_caught(family, sentence):
    support = Support(unit=0.5) if type(family) is Unnormalized else Support()
    with pytest.raises(AssertionError, match=sentence):
        testing.check_likelihood(family, support)


class Wide(Prior):
    """Draws twice as widely as it says."""

    def bind(self, shapes):
        self.scale = nn.Parameter(torch.zeros(shapes.latent))
        return self

    def forward(self, c=None, encoder=None):
        class Liar(DiagonalNormal):
            def sample(self, sample_shape=Size()):  # noqa: B008
                return 2 * super().sample(sample_shape)

        return Liar(torch.zeros_like(self.scale), self.scale, 1)


def test_a_prior_with_stray_draws_is_caught():
    with pytest.raises(AssertionError, match="variance of log_prob"):
        testing.check_prior(Wide())


class Blind(Objective):
    """Leaves the KL out."""

    def forward(self, trace, log_px, progress):
        return log_px.detach().mean(0) - trace.kl().mean(0)


def test_an_objective_without_a_gradient_is_caught():
    with pytest.raises(AssertionError, match="no gradient reaches"):
        testing.check_objective(Blind())


def test_a_network_that_mixes_rows_is_caught():
    class Normalizing(type(build("network", "mlp"))):
        def build(self, inputs, out):
            return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))

    with pytest.raises((AssertionError, ValueError), match=r"influence each other|more than 1 value"):
        testing.check_network(Normalizing(), [(3,)], (4,))
