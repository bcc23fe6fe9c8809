"""What conditional models are told, data that vary from look to look, averaged weights, choices that do not fit."""

import numpy as np
import pytest
import torch

import vaekit
from vaekit.data import Context, Schema
from vaekit.noise import isolated_rng
from vaekit.recipes import TrainRequest, build_model, build_objective, build_settings, complete
from vaekit.training import Feed, Reporter, Training
from vaekit.training.feed import BINARIZATION


class TestContext:
    def test_labels_are_told_by_name_or_position(self):
        context = Context.infer(np.array([0, 1, 2]), ("T-shirt", "bag", "coat"))
        expected = np.eye(4, dtype=np.float32)[[1, 2, 3, 0]]
        assert np.array_equal(context.encode(np.array([1, 2, -1, 0]), 4), expected)
        assert np.array_equal(context.encode(["bag", "coat", "-1", "T-shirt"], 4), expected)
        assert np.array_equal(context.encode(None, 2), np.eye(4)[[3, 3]])
        assert np.array_equal(context.encode(["bag"], 3), np.eye(4)[[1, 1, 1]])

    def test_names_that_are_numbers_come_first(self):
        context = Context.infer(np.array([7, 3, 7, 5]))
        assert context.names == ("3", "5", "7")
        assert np.array_equal(context.encode([7, 3], 2), np.eye(4)[[2, 0]])

    def test_covariates_are_standardized_and_flagged_where_missing(self):
        y = np.array([[1.0, 10.0], [3.0, np.nan], [5.0, 30.0]])
        encoded = Context.infer(y).encode(y, 3)
        deviation = np.sqrt(8 / 3)
        expected = [[-2 / deviation, -1, 0, 0], [0, 0, 0, 1], [2 / deviation, 1, 0, 0]]
        assert np.allclose(encoded, expected)

    @pytest.mark.parametrize(
        ("y", "n", "sentence"),
        [(["hat"], 1, "unknown label 'hat'"), ([0, 1], 3, "one label for each of 3"), ([5], 1, "unknown label '5'")],
    )
    def test_bad_labels(self, y, n, sentence):
        with pytest.raises(ValueError, match=sentence):
            Context.infer(np.array([0, 1]), ("a", "b")).encode(y, n)

    def test_bad_covariates(self):
        with pytest.raises(ValueError, match="at least 2 classes"):
            Context.infer(np.zeros(3, int))
        with pytest.raises(ValueError, match="2 covariates for each of 2"):
            Context.infer(np.ones((3, 2))).encode(np.ones((2, 3)), 2)

    def test_it_survives_the_schema(self):
        x = np.arange(24, dtype=np.uint8).reshape(6, 2, 2)
        from dataclasses import replace

        schema = replace(Schema.infer(x), binarized=True, context=Context.infer(np.array([0, 1, 0])))
        assert Schema.from_json(schema.to_json()) == schema


def grey(n: int) -> tuple[Schema, np.ndarray]:
    from dataclasses import replace

    x = np.random.default_rng(0).integers(0, 256, (n, 4, 5), dtype=np.uint8)
    return replace(Schema.infer(x), binarized=True), x


def test_binarized_once_with_a_published_seed():
    schema, x = grey(50)
    feed = Feed.from_raw(schema, x)
    expected = np.random.default_rng(BINARIZATION).random((50, 1, 4, 5), np.float32) < x[:, None] / np.float32(255)
    assert torch.equal(feed.batch(slice(None)).x, torch.from_numpy(expected).float())
    assert torch.equal(feed.batch(slice(None)).x, feed.batch(slice(None)).x)


def test_binarized_anew_at_each_look_with_the_grey_values_as_means():
    schema, x = grey(20)
    feed = Feed.from_raw(schema, x, varying=True)
    with isolated_rng(0):
        draws = torch.stack([feed.batch(slice(None)).x for _ in range(2000)])
    assert set(draws.unique().tolist()) == {0.0, 1.0}
    p = torch.from_numpy(x[:, None]).double() / 255
    error = (p * (1 - p) / 2000).sqrt().clamp(min=1e-6)
    assert ((draws.double().mean(0) - p).abs() < 5.5 * error).all()


def test_a_tenth_of_the_labels_is_forgotten_in_training():
    x = np.random.default_rng(0).integers(0, 256, (4000, 2, 2), dtype=np.uint8)
    from dataclasses import replace

    y = np.arange(4000) % 3
    schema = replace(Schema.infer(x), context=Context.infer(y))
    with isolated_rng(0):
        c = Feed.from_raw(schema, x, y=y, varying=True).batch(slice(None)).c
    assert c is not None
    assert c[:, -1].mean().item() == pytest.approx(0.1, abs=5 * np.sqrt(0.09 / 4000))
    assert torch.equal(c.sum(1), torch.ones(4000))


def test_a_conditional_model_draws_from_the_class_it_is_told():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 1000)
    x = rng.normal(np.where(y[:, None], 4.0, -4.0), 0.5, (1000, 3))
    vae = vaekit.VAE(conditional=True, latent_dim=1, epochs=60, batch_size=32, lr=1e-2, verbose=False)
    vae.fit(x, np.array(["low", "high"])[y])
    for label, center in (("low", -4.0), ("high", 4.0)):
        assert vae.sample(200, [label]).mean() == pytest.approx(center, abs=0.3)
    assert vae.score(x, np.array(["low", "high"])[y]) > vae.score(x, np.array(["low", "high"])[1 - y])
    with pytest.raises(ValueError, match="unknown label 'hat'"):
        vae.sample(1, ["hat"])
    with pytest.raises(ValueError, match="not conditional"):
        vaekit.VAE(latent_dim=1, epochs=1, verbose=False).fit(x).sample(1, ["low"])


def make_training(x: np.ndarray, reporter: Reporter | None = None, **options) -> Training:
    schema = Schema.infer(x)
    request = complete(TrainRequest.parse({"epochs": 2, "batch_size": 16, **options}), schema, len(x))
    model, objective = build_model(request, schema, len(x)), build_objective(request)
    feed = Feed.from_raw(schema, x)
    return Training(model, objective, feed, feed.select(np.arange(10)), build_settings(request), reporter=reporter)


def test_averaged_weights_follow_their_recurrence():
    x = np.random.default_rng(0).normal(size=(40, 3))
    seen: list[torch.Tensor] = []

    class Watch(Reporter):
        def start(self, training):
            seen.append(training.parameters[0].detach().clone())

        def step(self, training):
            seen.append(training.parameters[0].detach().clone())

    training = make_training(x, Watch(), average=0.9, likelihood="gaussian")
    name = next(name for name, p in training.model.named_parameters() if p is training.parameters[0])
    training.run()
    average = seen[0]
    for position, weights in enumerate(seen[1:]):
        average = torch.lerp(average, weights, 1 - min(0.9, (1 + position) / (10 + position)))
    assert training.averaged is not None
    assert torch.allclose(training.averaged[name], average, atol=1e-6)


def test_the_best_averaged_weights_are_not_changed_by_later_steps():
    x, kept = np.random.default_rng(0).normal(size=(40, 3)), []

    class Watch(Reporter):
        def epoch(self, training, row):
            kept.append({name: value.clone() for name, value in training.averaged.items()})

    training = make_training(x, Watch(), average=0.9, epochs=12, lr=0.5, schedule="constant")
    training.run()
    assert training.best_epoch < 12
    best = kept[training.best_epoch - 1]
    assert all(torch.equal(value, best[name]) for name, value in training.model.state_dict().items())


def test_importance_weighted_objectives_are_validated_by_their_own_bound():
    x = np.random.default_rng(0).normal(size=(60, 3))
    losses = {}
    for samples in (1, 50):
        training = make_training(x, objective={"name": "iwae", "samples": samples})
        losses[samples] = training.validate()
    assert losses[50] < losses[1]


def test_objectives_that_couple_a_batch_refuse_several_processes():
    from vaekit.objectives import ELBO, MMD
    from vaekit.training import Workers

    training = make_training(np.random.default_rng(0).normal(size=(40, 3)))
    given = (training.train, None, training.settings)
    for objective in (MMD(), ELBO(free_bits=0.1)):
        with pytest.raises(ValueError, match="train in one process"):
            Training(training.model, objective, *given, workers=Workers(rank=0, world=2))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"posterior": "vector-quantized", "prior": "standard-normal"}, "use prior 'uniform-codes'"),
        ({"posterior": "inverse-autoregressive", "objective": "total-correlation"}, "diagonal-normal"),
        ({"posterior": "inverse-autoregressive", "prior": "vamp"}, "diagonal-normal"),
        ({"prior": "conditional-normal"}, "context|conditional"),
        ({"model": "linear-gaussian", "likelihood": "student-t"}, "use likelihood 'gaussian'"),
    ],
    ids=str,
)
def test_choices_that_do_not_fit_are_refused_before_training(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        make_training(np.random.default_rng(0).normal(size=(40, 4)), **options)
