"""Findings on models and histories whose illness is known, and that every remedy can be typed."""

import dataclasses
import json

import numpy as np
import pytest
import torch

from vaekit.evaluation import (
    QUICK,
    Evaluation,
    Sizes,
    assess_latents,
    choose_features,
    diagnose,
    evaluate,
    evaluate_fully,
    share_at_bound,
)
from vaekit.evaluation.latent import LatentSpace
from vaekit.evaluation.likelihood import Likelihood
from vaekit.evaluation.paths import Smoothness
from vaekit.recipes import TrainRequest
from vaekit.training import Feed

HEALTHY = Evaluation(100, 10, -95.0, 85.0, 10.0, -94.0, 0.5, 5.0, None, 5, 0.1, None)
LATENTS = LatentSpace(100, "density", 5, 5, [2.0] * 5, 4.0, 0.2, 0.02, 0.02, None, None, Smoothness(1.0, 1.0, 1.0))
LIKELY = Likelihood(100, 100, 50, 5000, 500, -94.0, 0.5, -94.1, 0.1, 0.01, 0.02, 0.01, 0.2, 0.0, None)


def row(epoch, val_loss, loss=None, **more):
    loss = val_loss if loss is None else loss
    return {"epoch": epoch, "loss": loss, "reconstruction": loss - 10, "kl": 10.0, "val_loss": val_loss, **more}


def names(*args, **options):
    return [finding.name for finding in diagnose(*args, **options)]


def only(*args, **options):
    (finding,) = diagnose(*args, **options)
    return finding


def test_a_healthy_model_has_no_findings():
    history = [row(i, 100 - i, 99 - i, lr=1e-3) for i in range(20)]
    found = diagnose(HEALTHY, history, latents=LATENTS, likelihood=LIKELY, noise_at_bound=0.0, baseline=-100.0)
    assert found == []
    assert diagnose(HEALTHY) == []


class TestCollapse:
    def test_names_the_units(self):
        finding = only(HEALTHY, latents=dataclasses.replace(LATENTS, kl_each=[2.0, 0.001, 2.0, 0.0, 2.0]))
        assert finding.name == "posterior collapse"
        assert "2 of 5 latent dimensions (1, 3)" in finding.sentence
        assert "--objective.free-bits 0.1" in finding.remedy

    def test_says_since_when_all_are_gone(self):
        history = [row(i + 1, 100 - i, kl=kl) for i, kl in enumerate((3.0, 0.5, 0.001, 0.02, 0.0, 0.001))]
        latents = dataclasses.replace(LATENTS, kl_each=[0.0] * 5, active_units=0)
        assert only(HEALTHY, history, latents=latents).sentence.endswith("since epoch 5.")

    def test_says_since_when_each_unit_is_gone(self):
        each = [(1, 1, 1, 1, 1), (1, 0, 1, 0, 1), (1, 0, 1, 1, 0), (1, 0, 1, 0, 0)]
        history = [row(i + 1, 100 - i, kl_each=list(kl)) for i, kl in enumerate(each)]
        latents = dataclasses.replace(LATENTS, kl_each=[2.0, 0.0, 2.0, 0.0, 0.0])
        sentence = only(HEALTHY, history, latents=latents).sentence
        assert "3 of 5 latent dimensions (1 since epoch 2; 3 since epoch 4; 4 since epoch 3) say nothing" in sentence

    def test_of_a_model_that_ignores_its_data(self, linear_gaussian):
        model, x = linear_gaussian.model(), Feed(linear_gaussian.sample(60))
        with torch.no_grad():
            for parameter in model.encoder.parameters():
                parameter.zero_()
        found = diagnose(evaluate(model, x, 2), latents=assess_latents(model, x))
        assert "All of 2 latent dimensions say nothing" in found[0].sentence


class TestHistory:
    def test_overfitting(self):
        history = [row(i + 1, v, 99 - 3 * i) for i, v in enumerate((100, 90, 85, 86, 88, 91))]
        finding = only(HEALTHY, history)
        assert finding.name == "overfitting"
        assert "since epoch 3" in finding.sentence
        assert "risen by 6.00 nats" in finding.sentence

    def test_noise_around_the_best_epoch_is_not_overfitting(self):
        assert names(HEALTHY, [row(i + 1, v) for i, v in enumerate((100, 90, 85, 84, 84.1, 84.05))]) == []

    def test_divergence(self):
        history = [row(i + 1, v, lr=4e-3) for i, v in enumerate((100, 80, 70, 90, 300))]
        finding = next(f for f in diagnose(HEALTHY, history) if f.name == "divergence")
        assert "70.00 nats in epoch 3" in finding.sentence
        assert finding.remedy == "--lr 1.0e-03 --clip 1"

    def test_without_held_out_examples(self):
        history = [{"epoch": i + 1, "reconstruction": v, "kl": 1.0, "loss": v, "val_loss": None, "lr": 1e-3}
                   for i, v in enumerate((100, 70, 400))]  # fmt: skip
        assert names(HEALTHY, history) == ["divergence"]


def test_losing_to_the_linear_model():
    assert names(HEALTHY, baseline=-94.9) == []
    finding = only(HEALTHY, baseline=-90.0)
    assert finding.name == "loses to the linear model"
    assert "-90.00 nats against -94.00" in finding.sentence
    assert names(HEALTHY, likelihood=dataclasses.replace(LIKELY, log_likelihood=-80.0), baseline=-90.0) == []


def test_holes():
    assert names(HEALTHY, latents=dataclasses.replace(LATENTS, holes=0.4)) == ["latent holes"]
    assert names(HEALTHY, latents=dataclasses.replace(LATENTS, mutual_information=2.0, mismatch=2.0)) == [
        "latent holes"
    ]
    assert names(HEALTHY, latents=dataclasses.replace(LATENTS, mismatch=None)) == []
    saturated = dataclasses.replace(LATENTS, n=50, mutual_information=3.8, mismatch=9.0)  # log 50 = 3.9
    assert names(HEALTHY, latents=saturated) == []


def test_points_and_codes_have_other_remedies():
    """The scale of an autoencoder's codes is nobody's concern, and a VampPrior is no prior over codes."""
    for kind, remedy in (("point", "--posterior diagonal-normal"), ("code", "--prior code-transformer")):
        latents = dataclasses.replace(LATENTS, kind=kind, kl_each=None, mismatch=None, active_units=0, holes=0.8)
        finding = only(HEALTHY, latents=latents)
        assert (finding.name, finding.remedy) == ("latent holes", remedy)
        TrainRequest.parse({remedy.split()[0][2:]: remedy.split()[1]})


def test_too_small_a_latent_space():
    finding = only(HEALTHY, latents=dataclasses.replace(LATENTS, kl_each=[4.0, 3.0, 3.0, 3.0, 2.6]))
    assert finding.name == "too small a latent space"
    assert finding.remedy == "--latent-dim 10"


@pytest.mark.parametrize("change", [{"drift": 0.5}, {"untrusted": 0.4}])
def test_unsure_likelihood(change):
    assert names(HEALTHY, likelihood=dataclasses.replace(LIKELY, **change)) == ["unsure likelihood"]


def test_noise_at_its_bound(linear_gaussian):
    model, x = linear_gaussian.model(), Feed(linear_gaussian.sample(10))
    assert share_at_bound(model, x) == 0
    with torch.no_grad():
        model.likelihood.log_sigma.fill_(-12.0)
    assert share_at_bound(model, x) == 1
    assert names(HEALTHY, noise_at_bound=1.0) == ["noise at its bound"]


def test_every_remedy_can_be_typed():
    latents = dataclasses.replace(LATENTS, kl_each=[4.0] * 4 + [2.6], holes=0.9)
    history = [row(i + 1, v, 100 - i, lr=1e-3) for i, v in enumerate((100, 80, 70, 90, 300))]
    unsure = dataclasses.replace(LIKELY, drift=1.0)
    found = diagnose(HEALTHY, history, latents=latents, likelihood=unsure, noise_at_bound=0.1, baseline=0.0)
    found += diagnose(HEALTHY, latents=dataclasses.replace(LATENTS, kl_each=[0.0] * 5))
    assert len({finding.name for finding in found}) == 8
    for finding in found:
        words = finding.remedy.split()
        request: dict = {}
        for option, value in zip(words[::2], words[1::2], strict=True):
            noun, _, key = option.removeprefix("--").replace("-", "_").partition(".")
            if key:
                base = request.get(noun, TrainRequest.parse({}).model_dump()[noun])
                request[noun] = {**({"name": base} if isinstance(base, str) else base), key: value}
            else:
                request[noun] = value
        TrainRequest.parse(request)


class TestFullReport:
    sizes = Sizes(samples=5, many=50, corrected=20, generated=60, replicates=10, encoded=60, points=30)

    def test_gathers_everything(self, linear_gaussian):
        model, x = linear_gaussian.model(), linear_gaussian.sample(200)
        factors = np.arange(80)[:, None] % 4
        report = evaluate_fully(
            model, Feed(x[:80]), Feed(x[80:]), factors=factors, history=[row(1, 5.0)], sizes=self.sizes,
            baselines={"linear_gaussian": 0.0},
        )  # fmt: skip
        assert report.evaluation == evaluate(model, Feed(x[:80]), 5)
        assert report.likelihood.log_likelihood == pytest.approx(report.evaluation.log_likelihood, abs=1e-3)
        assert [part.features["kind"] for part in report.sample_quality] == ["random", "values"]
        assert report.findings[0].name == "loses to the linear model"
        assert report.disentanglement.mig < 0.5
        assert json.loads(json.dumps(report.to_json()))["latents"]["dims"] == 2
        assert report.to_json()["elbo"] == report.evaluation.elbo

    def test_features_and_floors_are_shared(self, linear_gaussian):
        x = linear_gaussian.sample(200)
        test, train = Feed(x[:80]), Feed(x[80:])
        y = (x[:, 1] > 0).numpy().astype(int)
        features = choose_features(train, y[80:], steps=20)
        assert [each.kind for each in features] == ["labels"]
        labels = {"y_test": y[:80], "y_train": y[80:]}
        first = evaluate_fully(linear_gaussian.model(), test, train, features=features, sizes=self.sizes, **labels)
        floors = {part.features["sha256"]: part.floor for part in first.sample_quality}
        second = evaluate_fully(
            linear_gaussian.model(shift=1.0), test, train, features=features, floors=floors, sizes=self.sizes, **labels
        )
        assert second.sample_quality[0].floor is first.sample_quality[0].floor
        assert second.latents.linear_accuracy is not None

    def test_unknown_labels_make_no_features(self, linear_gaussian):
        train = Feed(linear_gaussian.sample(30))
        assert [each.kind for each in choose_features(train, np.full(30, -1))] == ["random", "values"]

    def test_quick_is_quicker(self):
        assert all(getattr(QUICK, f.name) <= getattr(Sizes(), f.name) for f in dataclasses.fields(Sizes))
