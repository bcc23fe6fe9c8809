"""Surprise and its causes, p-values, and the detector: against exact models and scikit-learn's rules."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch
from sklearn.utils.estimator_checks import parametrize_with_checks

from vaekit import VAEDetector, tasks
from vaekit.core import Batch, Parts, Shapes
from vaekit.estimators import PyODDetector
from vaekit.likelihoods import Gaussian
from vaekit.models import FullGaussian, LinearGaussian, OneLayerVAE
from vaekit.models.concentration import concentrate
from vaekit.models.full_gaussian import WIDEST, alike
from vaekit.networks import LinearResidual
from vaekit.posteriors import DiagonalNormal
from vaekit.priors import StandardNormal
from vaekit.recipes import preset

QUICK = {"latent_dim": 2, "network": {"name": "linear-residual", "hidden": [8]}, "refit": None}


def linear_gaussian(noise: str = "elementwise") -> tuple[LinearGaussian, torch.Tensor]:
    """Factor analysis with random weights, and rows of it, some cells hidden."""
    torch.manual_seed(0)
    model = LinearGaussian(2, noise).bind(Shapes(torch.Size([5])))
    x = model.sample(40)[0] @ model.weight.detach().mT + 0.4 * torch.randn(40, 5)
    x[::3, 1], x[7, :] = torch.nan, torch.nan
    return model, x


def table(n: int = 240, seed: int = 0):
    """Two numbers that depend on each other, a count, categories; an anomaly in row 3."""
    pandas = pytest.importorskip("pandas")
    rng = np.random.default_rng(seed)
    a = rng.normal(size=n)
    frame = pandas.DataFrame({"a": a, "b": 2 * a + 0.1 * rng.normal(size=n), "n": rng.poisson(20, n),
                              "c": rng.choice(["x", "y", "z"], n)})  # fmt: skip
    frame.loc[3, "b"] = 30.0
    return frame


def quick(**changes) -> VAEDetector:
    return VAEDetector(**{"choices": QUICK, "epochs": 4, "samples": 8, "verbose": False, **changes})


def test_surprise_of_the_linear_gaussian_model_is_exact():
    model, x = linear_gaussian()
    exact = -model.log_marginal(Batch(x, mask=~x.isnan())).double()
    found = tasks.surprise(model, x, samples=4)
    torch.testing.assert_close(found.score, exact, atol=1e-4, rtol=0)
    torch.testing.assert_close(found.ess, torch.full_like(exact, 4.0), atol=1e-2, rtol=0)


def test_a_row_without_observed_cells_is_no_surprise():
    model, x = linear_gaussian()
    assert tasks.surprise(model, x, samples=4).score[7].abs() < 1e-5


@pytest.mark.parametrize("samples", [1, 16])
def test_causes_add_up_to_the_surprise(samples):
    torch.manual_seed(0)
    parts = Parts(LinearResidual([8]), DiagonalNormal(), Gaussian(), StandardNormal(), 3)
    model = OneLayerVAE.assemble(parts).bind(Shapes(torch.Size([6])))
    x = 3 * torch.randn(30, 6)
    x[4, 2] = torch.nan
    found = tasks.causes(model, x, samples)
    torch.testing.assert_close(found.cells.sum(1) + found.latent, found.score)
    torch.testing.assert_close(found.score, tasks.surprise(model, x, samples).score, atol=1e-4, rtol=1e-6)
    assert found.cells[4, 2] == 0


def test_causes_of_the_linear_gaussian_model_are_those_of_its_posterior():
    model, x = linear_gaussian()
    x = x[torch.arange(40) % 3 == 1]
    found = tasks.causes(model, x, samples=4000)
    q = model.infer(Batch(x, mask=~x.isnan())).latents[0].q
    variance = model.likelihood(torch.zeros(1, *model.gaussian.phi)).density.scale.square()
    spread = (model.weight @ (q.scale_tril @ q.scale_tril.mT) @ model.weight.mT).diagonal(dim1=1, dim2=2)
    error = (x - q.mean @ model.weight.mT - model.bias).square() + spread
    exact = torch.where(x.isnan(), 0, 0.5 * (error / variance + (2 * math.pi * variance).log()))
    torch.testing.assert_close(found.cells.float(), exact.detach(), atol=0.1, rtol=0.05)


def test_what_a_cell_adds_is_its_conditional_density():
    model, x = linear_gaussian()
    x = x[1:3].nan_to_num()
    exact = -model.log_marginal(Batch(x)).double()
    hidden = x.clone()
    hidden[:, 3] = torch.nan
    rest = -model.log_marginal(Batch(hidden, mask=~hidden.isnan())).double()
    torch.testing.assert_close(tasks.added(model, x, samples=4)[:, 3], exact - rest, atol=1e-3, rtol=0)


def test_what_is_expected_of_a_cell_is_its_conditional_mean_and_interval():
    model, x = linear_gaussian()
    x = x[1:3].nan_to_num()
    factors = model._factors()
    covariance = factors.weight @ factors.weight.mT + factors.variance.diag()
    others = [0, 1, 3, 4]
    gain = covariance[2, others] @ torch.linalg.inv(covariance[others][:, others])
    mean = factors.mean[2] + (x[:, others].double() - factors.mean[others]) @ gain
    deviation = (covariance[2, 2] - gain @ covariance[others, 2]).sqrt()
    found = tasks.expected(model, x, torch.tensor([0, 1]), torch.tensor([2, 2]), samples=2000)
    torch.testing.assert_close(found.value.double(), mean, atol=0.1, rtol=0)
    half = ((found.high - found.low) / 2).double()
    torch.testing.assert_close(half, torch.full_like(half, 1.645 * deviation.item()), atol=0, rtol=0.25)


def test_scores_do_not_depend_on_order_and_units_of_columns():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 3)) @ rng.normal(size=(3, 3))
    scores = quick().fit(x).score_samples(x)
    other = x * [2.0, 1000.0, 0.01] + [5.0, -3.0, 100.0]
    np.testing.assert_allclose(quick().fit(other).score_samples(other), scores, atol=1e-2)
    exact = VAEDetector(choices={"model": "linear-gaussian", "likelihood": "gaussian", "latent_dim": 2, "refit": None},
                        robustness=0.0, epochs=5, verbose=False)  # fmt: skip
    plain = exact.fit(x).score_samples(x)
    np.testing.assert_allclose(exact.fit(other).score_samples(other), plain, atol=1e-4)
    np.testing.assert_allclose(exact.fit(x[:, [2, 0, 1]]).score_samples(x[:, [2, 0, 1]]), plain, atol=1e-4)


def test_p_values_are_uniform_and_thresholds_hold_the_rate():
    rng = np.random.default_rng(0)
    held, new = rng.gumbel(size=199), rng.gumbel(size=20_000)
    p = tasks.p_values(new, held)
    assert (p.min(), p.max()) == (1 / 200, 1)
    draws = [tasks.p_values(rng.gumbel(size=1), rng.gumbel(size=19))[0] for _ in range(4000)]
    shares = np.bincount(np.rint(np.array(draws) * 20).astype(int), minlength=21)[1:] / 4000
    np.testing.assert_allclose(shares, 0.05, atol=0.015)
    for rate in (0.005, 0.01, 0.1):
        at = tasks.threshold(held, rate)
        np.testing.assert_array_equal(new >= at, p <= rate)
    assert tasks.threshold(held, 0.004) == math.inf
    assert tasks.threshold(held, 1 - 1e-12) == np.nextafter(held.min(), np.inf)


def test_held_out_rows_are_not_learned_from_and_their_p_values_are_uniform():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(600, 4)) @ rng.normal(size=(4, 4))
    detector = quick(held_out=0.3).fit(x)
    assert len(detector.held_out_) == 180
    assert [run.model.shapes.examples for run in detector.runs_] == [math.ceil(0.6 * 420), 420]
    np.testing.assert_allclose(np.sort(detector.p_values(x))[:1], 1 / 181, atol=0.01)
    assert 0.4 < detector.p_values(x).mean() < 0.6


def test_the_surprise_is_the_weighted_mean_of_the_cores_and_of_all_rows():
    x = np.random.default_rng(0).normal(size=(80, 3))
    detector = quick(robustness=0.25, members=2).fit(x)
    assert detector.weights_ == (0.125, 0.125, 0.375, 0.375)
    each = [tasks.surprise(run.model, run.feed(x), 8).score.numpy() for run in detector.runs_]
    np.testing.assert_allclose(-detector.score_samples(x), detector.weights_ @ np.stack(each), atol=1e-4)
    assert quick(robustness=0.0).fit(x).weights_ == quick(trim=0.0).fit(x).weights_ == (1.0,)


def test_a_cluster_of_anomalies_among_the_rows_is_surprising_despite_being_learned():
    rng = np.random.default_rng(0)
    x = np.r_[rng.normal(size=(190, 4)), 5 + 0.1 * rng.normal(size=(10, 4))]
    scores = quick(choices=QUICK | {"refit": {"name": "vamp", "components": 200}, "refit_epochs": 0}).fit(x)
    assert scores.score_samples(x)[190:].max() < np.quantile(scores.score_samples(x)[:190], 0.05)


def test_concentration_leaves_the_anomalies_out():
    torch.manual_seed(0)
    x = torch.cat([torch.randn(90, 4), 8 + torch.randn(10, 4)])
    x[5, 1] = torch.nan
    assert concentrate(x, None, 0.6).max() < 90
    assert torch.equal(concentrate(x, None, 1.0), torch.arange(100))
    with pytest.raises(ValueError, match="share"):
        concentrate(x, None, 0.0)


def test_tables_wider_than_a_covariance_keep_the_rows_nearest_to_the_medians():
    rng = np.random.default_rng(0)
    rows = torch.from_numpy(rng.normal(size=(40, WIDEST + 1)))
    rows[[3, 30]] += 4
    assert concentrate(rows, None, 0.95).tolist() == [row for row in range(40) if row not in (3, 30)]


def test_hidden_cells_of_wide_tables_take_little_memory(monkeypatch):
    rng = np.random.default_rng(0)
    x = torch.from_numpy(rng.normal(size=(30, 6)))
    x[torch.from_numpy(rng.random((30, 6)) < 0.3)] = torch.nan
    model = FullGaussian.fit(x)
    expected = model.log_likelihood(x)
    monkeypatch.setattr("vaekit.models.full_gaussian.ELEMENTS", 36)
    assert all(part.covariance.numel() <= 36 for part in model.completed(alike(x)))
    torch.testing.assert_close(model.log_likelihood(x), expected)


def test_noise_stays_above_its_floor():
    shapes = Shapes(torch.Size([2]))
    likelihood = Gaussian(floor=0.3, sigma=1e-3).bind(shapes)
    sigma = likelihood(torch.zeros(1, 1, 2)).density.stddev
    torch.testing.assert_close(sigma, torch.full((1, 2), 0.3), atol=1e-4, rtol=0)
    with pytest.raises(ValueError, match="floor"):
        Gaussian(floor=-1.0)


def test_the_detector_finds_an_odd_cell_in_a_data_frame_and_says_which():
    frame = table()
    frame.loc[10, "n"] = None
    detector = quick(contamination=0.05, epochs=20).fit(frame)
    assert detector.score_samples(frame).argmin() == 3
    assert (detector.predict(frame) == -1).sum() == 12
    found = detector.explain(frame.iloc[[3, 10]], top=2)
    np.testing.assert_allclose(found.cells.sum(1) + found.latent, found.surprise)
    np.testing.assert_allclose(found.surprise, -detector.score_samples(frame.iloc[[3, 10]]), rtol=1e-5)
    first = found.causes[0]
    assert (first.row, first.column, first.value) == (0, "b", 30.0)
    assert first.low < first.expected < first.high < 30
    assert str(first).startswith("b: 30, expected about ")
    assert len(found.to_records()) == 4


def test_new_categories_and_numbers_far_away_are_surprises():
    frame = table()
    detector = quick().fit(frame)
    other = frame.head(3).copy()
    other.loc[0, "c"] = "never seen"
    other.loc[1, "b"] = -1e300
    before, after = detector.score_samples(frame.head(3)), detector.score_samples(other)
    assert after[0] < before[0] - 1
    assert -np.inf < after[1] < -1e20
    assert after[2] == before[2]
    assert detector.explain(other[1:2]).causes[0].column == "b"


def test_a_detector_is_kept_and_loaded(tmp_path):
    frame = table(120)
    detector = quick(members=2).fit(frame)
    detector.save(tmp_path / "run")
    again = VAEDetector.load(tmp_path / "run")
    np.testing.assert_array_equal(again.score_samples(frame), detector.score_samples(frame))
    np.testing.assert_array_equal(again.p_values(frame), detector.p_values(frame))
    np.testing.assert_array_equal(again.predict(frame), detector.predict(frame))
    np.testing.assert_allclose(again.baseline_p_values(frame), detector.baseline_p_values(frame))
    with pytest.raises(FileNotFoundError):
        VAEDetector.load(tmp_path)


def test_a_detector_from_a_run():
    from vaekit import VAE

    rng = np.random.default_rng(0)
    x = rng.normal(size=(80, 3))
    vae = VAE(latent_dim=1, epochs=2, network={"name": "mlp", "hidden": [8]}, verbose=False).fit(x)
    with pytest.raises(ValueError, match="name the data"):
        VAEDetector.from_run(vae.run_)


def test_images_are_judged_less_their_complexity_unless_the_noise_has_a_floor():
    rng = np.random.default_rng(0)
    x = rng.integers(0, 255, (60, 8, 8)).astype(np.uint8)
    network = {"network": {"name": "mlp", "hidden": [16]}, "latent_dim": 2, "likelihood": "gaussian"}
    detector = VAEDetector(choices=network, epochs=1, samples=4, verbose=False).fit(x)
    raw = tasks.surprise(detector.runs_[0].model, detector.runs_[0].feed(x), 4).score.numpy()
    np.testing.assert_allclose(-detector.score_samples(x), raw - tasks.complexity(x), rtol=0, atol=1e-4)
    found = detector.explain(x[:3])
    np.testing.assert_allclose(found.cells.reshape(3, -1).sum(1) + found.latent - found.complexity, found.surprise)
    few = {"latent_dim": 2, "epochs": 1, "batch_size": 20, "refit": {"name": "vamp", "components": 10}}
    detector = VAEDetector(choices=preset("detection-images") | few, samples=4, verbose=False).fit(x)
    raw = tasks.surprise(detector.runs_[0].model, detector.runs_[0].feed(x), 4).score.numpy()
    np.testing.assert_allclose(-detector.score_samples(x), raw, rtol=0, atol=1e-4)
    flat, noisy = np.zeros((1, 8, 8), np.uint8), x[:1]
    assert tasks.complexity(flat)[0] < tasks.complexity(noisy)[0]


@pytest.mark.parametrize(
    "changes",
    [
        {"contamination": 0.0},
        {"contamination": 0.6},
        {"false_alarm": 0},
        {"trim": 1},
        {"members": 0},
        {"robustness": 2},
    ],
)
def test_choices_that_cannot_be_met_are_refused(changes):
    with pytest.raises(ValueError, match=next(iter(changes))):
        quick(**changes).fit(np.random.default_rng(0).normal(size=(30, 2)))


@parametrize_with_checks([quick(epochs=2, false_alarm=0.1)])
def test_the_rules_of_scikit_learn(estimator, check):
    check(estimator)


def test_the_face_of_pyod():
    x = np.r_[np.random.default_rng(0).normal(size=(95, 3)), np.full((5, 3), 9.0)]
    detector = PyODDetector(quick(), contamination=0.05).fit(x)
    assert detector.labels_.tolist() == [0] * 95 + [1] * 5
    np.testing.assert_array_equal(detector.predict(x), detector.labels_)
    np.testing.assert_allclose(detector.decision_function(x), detector.decision_scores_)
    assert (detector.decision_scores_ > detector.threshold_).sum() == 5
    chances = detector.predict_proba(x)
    np.testing.assert_allclose(chances.sum(1), 1)
    assert chances[-1, 1] > chances[0, 1]


def test_the_command_streams_scores_and_explains(tmp_path, capsys):
    pytest.importorskip("pyarrow")
    from vaekit.cli.app import run

    frame = table(150)
    frame.to_csv(tmp_path / "rows.csv", index=False)
    frame.to_parquet(tmp_path / "rows.parquet")
    kept = str(tmp_path / "run")
    assert run(["detect", str(tmp_path / "rows.csv"), "--epochs", "3", "--run", kept, "--explain", "2", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["rows"], found["most_surprising"][0]["row"]) == (150, 3)
    data, scores, pictures = (tmp_path / name for name in ("rows.parquet", "scores.parquet", "pictures"))
    options = ["--data", str(data), "--out", str(scores), "--picture", str(pictures)]
    assert run(["detect", kept, *options]) == 0
    assert "row 3:" in capsys.readouterr().out
    import pandas

    written = pandas.read_parquet(scores)
    assert list(written) == ["row", "surprise", "p_value", "anomaly"]
    assert len(written) == 150
    assert {path.name for path in pictures.iterdir()} == {"surprise.png", "causes.png"}
