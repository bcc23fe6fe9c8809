"""The scikit-learn face: conventions, round trips, and scikit-learn's own PCA as the oracle."""

from __future__ import annotations

import copy
import doctest
import inspect
import io
import pickle
import signal
from typing import Any

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from rich.console import Console
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import vaekit
from vaekit.estimators import VAE, load
from vaekit.estimators import base as module
from vaekit.likelihoods import Gaussian
from vaekit.networks import MLP
from vaekit.recipes import TrainRequest
from vaekit.training import Interrupted, OneCycle, PlainReporter, Reporter, RichReporter
from vaekit.training.notebook import NotebookReporter

TINY: dict[str, Any] = {
    "network": {"name": "mlp", "hidden": [8]}, "latent_dim": 2, "epochs": 2, "samples": 10, "precision": "fp32",
    "device": "cpu", "verbose": False,
}  # fmt: skip


def tiny(**changes: Any) -> VAE:
    return VAE(**{**TINY, **changes})


@pytest.fixture(scope="module")
def table() -> np.ndarray:
    """Correlated columns of very different units."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 2)) @ rng.normal(size=(2, 6)) + 0.5 * rng.normal(size=(400, 6))
    return x * [1, 10, 0.1, 3, 50, 0.02] + np.arange(6)


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return load_digits().images[:200].astype(np.uint8)  # pyright: ignore[reportAttributeAccessIssue]


@pytest.fixture(scope="module")
def fitted(table: np.ndarray) -> VAE:
    return tiny().fit(table)


@pytest.fixture(scope="module")
def fitted_images(images: np.ndarray) -> VAE:
    return tiny(network={"name": "convolutional", "channels": [4, 8], "dense": 8}).fit(images)


@parametrize_with_checks([tiny()])
def test_scikit_learns_own_checks_pass(estimator: VAE, check: Any) -> None:
    check(estimator)


def test_parameters_are_the_fields_of_a_request_with_its_defaults() -> None:
    own = inspect.signature(VAE).parameters
    of_the_data, of_the_estimator = {"data", "resize", "include_test"}, {"init", "samples", "verbose"}
    assert own.keys() - of_the_estimator == TrainRequest.model_fields.keys() - of_the_data
    for name in own.keys() - of_the_estimator:
        default = TrainRequest.model_fields[name].default
        assert own[name].default == (default["name"] if isinstance(default, dict) else default), name
        assert own[name].kind is inspect.Parameter.KEYWORD_ONLY


def test_every_parameter_and_attribute_is_documented(fitted: VAE) -> None:
    text = inspect.getdoc(VAE) or ""
    attributes = [name for name in vars(fitted) if name.endswith("_")]
    assert {"run_", "model_", "schema_", "history_", "n_iter_", "n_features_in_"} == set(attributes)
    for name in [*inspect.signature(VAE).parameters, *attributes, "feature_names_in_"]:
        assert f"\n{name} : " in text


def test_the_example_of_the_documentation_runs() -> None:
    (example,) = doctest.DocTestFinder(recurse=False).find(VAE, "VAE", globs={})
    result = doctest.DocTestRunner().run(example)
    assert result.attempted > 0
    assert result.failed == 0


def test_the_public_names_are_these() -> None:
    assert vaekit.VAE is VAE
    assert vaekit.load is load


def test_a_linear_vae_reaches_probabilistic_pca(table: np.ndarray) -> None:
    vae = VAE(
        latent_dim=2, network={"name": "mlp", "hidden": []}, likelihood={"name": "gaussian", "noise": "shared"},
        held_out=0.0, epochs=200, batch_size=100, lr=0.2, precision="fp32", device="cpu", verbose=False,
    ).fit(table)  # fmt: skip
    scaler: Any = StandardScaler().fit(table)
    z = scaler.transform(table)
    jacobian = np.log(scaler.scale_).sum()  # from a density per standard deviation to one per original unit
    pca: Any = PCA(2).fit(z)
    assert vae.score(table) == pytest.approx(pca.score(z) - jacobian, abs=0.015)
    np.testing.assert_allclose(vae.score_samples(table), pca.score_samples(z) - jacobian, atol=0.3)
    shrunk = pca.transform(z) * (1 - pca.noise_variance_ / pca.explained_variance_)  # the posterior mean
    reconstructed = scaler.transform(vae.reconstruct(table))
    np.testing.assert_allclose(reconstructed, pca.inverse_transform(shrunk), atol=0.1)


def test_fit_keeps_its_parameters(table: np.ndarray) -> None:
    given = {"network": MLP([8]), "likelihood": Gaussian("shared"), "prior": {"name": "standard-normal"}}
    vae = tiny(**given)
    before = vae.get_params()
    vae.fit(table)
    assert all(vae.get_params()[name] is value for name, value in before.items())
    assert not list(given["likelihood"].parameters()), "the instance was trained itself, not a copy"


def test_a_choice_is_a_name_a_dictionary_or_an_instance(table: np.ndarray) -> None:
    spellings: list[dict[str, Any]] = [
        {"likelihood": "gaussian", "schedule": "one-cycle"},
        {"likelihood": {"name": "gaussian", "noise": "elementwise"}, "schedule": {"name": "one-cycle"}},
        {"likelihood": Gaussian("elementwise"), "schedule": OneCycle(), "latent_dim": np.int64(2)},
    ]
    first, *others = [tiny(**spelling).fit(table).transform(table) for spelling in spellings]
    for other in others:
        np.testing.assert_array_equal(first, other)


@pytest.mark.parametrize(
    "x",
    [
        pytest.param(load_digits().images[:60].astype(np.uint8), id="grey, uint8"),  # pyright: ignore
        pytest.param(np.random.default_rng(0).integers(0, 256, (40, 3, 5, 4), np.uint8), id="channels first"),
        pytest.param(np.random.default_rng(0).integers(0, 256, (40, 5, 4, 3), np.uint8), id="channels last"),
        pytest.param(np.random.default_rng(0).normal(size=(40, 5, 4)).astype(np.float32), id="continuous"),
        pytest.param(np.random.default_rng(0).normal(5, 3, (40, 3)), id="table"),
        pytest.param(np.random.default_rng(0).integers(-9, 99, (40, 3)), id="whole numbers"),
        pytest.param(np.random.default_rng(0).integers(0, 2, (40, 7)).astype(bool), id="two-valued"),
    ],
)
def test_results_have_the_layout_and_dtype_of_the_data(x: np.ndarray) -> None:
    vae = tiny().fit(x)
    z = vae.transform(x)
    assert (z.shape, z.dtype) == ((len(x), 2), np.float32)
    assert vae.n_features_in_ == x[0].size
    again = vae.reconstruct(x)
    np.testing.assert_array_equal(vae.inverse_transform(z), again)
    for result in (again, vae.sample(len(x)), vae.sample(len(x), draw=True)):
        assert (result.shape, result.dtype) == (x.shape, x.dtype)
    if x.dtype.kind != "f":
        means = vae.reconstruct(x, round=False)
        assert means.dtype.kind == "f"
        assert np.abs(means - again).max() <= 0.5 or x.dtype.kind == "i"  # outside the training range it is clipped
        np.testing.assert_array_equal(np.rint(means).clip(x.min(), x.max()).clip(again.min(), again.max()), again)


def test_what_is_saved_comes_back_to_the_bit(fitted_images: VAE, images: np.ndarray, tmp_path: Any) -> None:
    path = fitted_images.save(tmp_path / "run")
    loaded = load(path).set_params(samples=10)
    buffer = io.BytesIO()
    joblib.dump(fitted_images, buffer)
    buffer.seek(0)
    for other in (loaded, joblib.load(buffer), pickle.loads(pickle.dumps(fitted_images)), copy.deepcopy(fitted_images)):
        for result in (
            lambda vae: vae.transform(images),
            lambda vae: vae.reconstruct(images, round=False),
            lambda vae: vae.score_samples(images),
            lambda vae: vae.sample(5, draw=True),
        ):
            np.testing.assert_array_equal(result(other), result(fitted_images))
        assert other.history_ == fitted_images.history_
        assert other.schema_ == fitted_images.schema_
        assert (other.n_iter_, other.n_features_in_) == (2, 64)
    again: Any = clone(loaded)
    np.testing.assert_array_equal(again.fit(images).transform(images), fitted_images.transform(images))
    assert loaded.get_params()["posterior"] == "diagonal-normal"


def test_an_existing_run_is_overwritten_only_on_request(fitted: VAE, table: np.ndarray, tmp_path: Any) -> None:
    fitted.save(tmp_path / "run")
    with pytest.raises(FileExistsError, match="holds a run"):
        fitted.save(tmp_path / "run")
    other = tiny(seed=1).fit(table)
    other.save(tmp_path / "run", overwrite=True)
    np.testing.assert_array_equal(load(tmp_path / "run").transform(table), other.transform(table))
    with pytest.raises(FileNotFoundError, match="no run at"):
        load(tmp_path / "nothing")


def test_copies_are_independent(table: np.ndarray) -> None:
    vae = tiny().fit(table)
    before = vae.transform(table)
    other = copy.deepcopy(vae)
    other.set_params(seed=1).fit(table)
    assert not np.array_equal(other.transform(table), before)
    np.testing.assert_array_equal(vae.transform(table), before)
    with pytest.raises(NotFittedError):
        pickle.loads(pickle.dumps(clone(vae))).transform(table)


def test_a_score_depends_on_its_row_alone(fitted: VAE, table: np.ndarray) -> None:
    together = fitted.score_samples(table)
    alone = np.concatenate([fitted.score_samples(table[i : i + 1]) for i in range(20)])
    np.testing.assert_allclose(alone, together[:20], atol=1e-4)
    np.testing.assert_allclose(fitted.score_samples(table[::-1])[::-1], together, atol=1e-4)
    assert fitted.score(table) == pytest.approx(together.mean(), abs=1e-4)


def test_scores_are_the_bound_where_the_likelihood_is_no_density(images: np.ndarray) -> None:
    vae = tiny(likelihood="bernoulli", samples=200).fit(images)
    evaluation = vae.evaluate(images)
    assert evaluation.log_likelihood is None
    assert vae.score(images) == pytest.approx(evaluation.elbo, rel=5e-3)
    proper = tiny(samples=200).fit(images)
    assert proper.score(images) == pytest.approx(proper.evaluate(images).log_likelihood, rel=5e-3)
    assert proper.evaluate(images, samples=3).samples == 3


def test_random_state_gradient_mode_and_threads_are_left_alone(table: np.ndarray) -> None:
    def state() -> tuple[Any, ...]:
        numpy_state: Any = np.random.get_state(legacy=False)
        return (
            torch.random.get_rng_state().tolist(), numpy_state["state"]["key"].tolist(), numpy_state["state"]["pos"],
            torch.is_grad_enabled(), torch.get_num_threads(), torch.get_default_dtype(),
            signal.getsignal(signal.SIGINT),
        )  # fmt: skip

    vae = tiny()
    torch.manual_seed(123)
    before = state()
    for method in (
        lambda: vae.fit(table), lambda: vae.transform(table), lambda: vae.inverse_transform(np.zeros((3, 2))),
        lambda: vae.reconstruct(table), lambda: vae.sample(3, draw=True), lambda: vae.score_samples(table),
        lambda: vae.evaluate(table), lambda: pickle.dumps(vae),
    ):  # fmt: skip
        method()
        assert state() == before


def test_the_same_seed_gives_the_same_result(fitted: VAE, table: np.ndarray) -> None:
    torch.manual_seed(99)
    again = tiny(seed=np.int64(0)).fit(table)
    np.testing.assert_array_equal(again.transform(table), fitted.transform(table))
    np.testing.assert_array_equal(again.sample(4), fitted.sample(4))
    np.testing.assert_array_equal(again.score_samples(table), fitted.score_samples(table))
    assert again.evaluate(table) == fitted.evaluate(table)
    np.testing.assert_array_equal(fitted.sample(4, seed=7), fitted.sample(4, seed=7))
    assert not np.array_equal(fitted.sample(4, seed=7), fitted.sample(4, seed=8))
    assert not np.array_equal(tiny(seed=1).fit(table).transform(table), fitted.transform(table))


@pytest.mark.parametrize(
    "use",
    [
        lambda vae, x: vae.transform(x), lambda vae, x: vae.inverse_transform(x), lambda vae, x: vae.reconstruct(x),
        lambda vae, x: vae.sample(), lambda vae, x: vae.score_samples(x), lambda vae, x: vae.score(x),
        lambda vae, x: vae.evaluate(x), lambda vae, x: vae.save("run"), lambda vae, x: vae.get_feature_names_out(),
    ],
)  # fmt: skip
def test_nothing_but_fit_works_before_fit(use: Any, table: np.ndarray) -> None:
    with pytest.raises(NotFittedError, match="not fitted yet"):
        use(VAE(), table)


class _Stop(Reporter):
    """Sends Ctrl-C when an epoch is done, or when training begins."""

    def __init__(self, after: int):
        self.after, self.best = after, {}

    def start(self, training: Any) -> None:
        if self.after == 0:
            signal.raise_signal(signal.SIGINT)

    def epoch(self, training: Any, row: dict[str, Any]) -> None:
        if row["epoch"] == self.after:
            self.best = {name: value.clone() for name, value in training.best.items()}
            signal.raise_signal(signal.SIGINT)


def test_an_interrupted_fit_keeps_the_best_weights(table: np.ndarray, tmp_path: Any, monkeypatch: Any) -> None:
    stop = _Stop(after=3)
    monkeypatch.setattr("vaekit.estimators.vae.make_reporter", lambda verbose: stop)
    vae = tiny(epochs=50)
    with pytest.raises(Interrupted):
        vae.fit(table)
    assert vae.n_iter_ == len(vae.history_) == 3
    assert all(torch.equal(value, stop.best[name]) for name, value in vae.model_.state_dict().items())
    assert not vae.model_.training
    np.testing.assert_array_equal(load(vae.save(tmp_path / "run")).transform(table), vae.transform(table))


def test_a_fit_interrupted_at_once_leaves_nothing(table: np.ndarray, monkeypatch: Any) -> None:
    monkeypatch.setattr("vaekit.estimators.vae.make_reporter", lambda verbose: _Stop(after=0))
    vae = tiny()
    with pytest.raises(KeyboardInterrupt):
        vae.fit(table)
    with pytest.raises(NotFittedError):
        vae.transform(table)


def test_progress_is_shown_where_somebody_looks(monkeypatch: Any) -> None:
    terminal = RichReporter(Console(force_terminal=True, file=io.StringIO()))
    monkeypatch.setattr(module, "default_reporter", PlainReporter)
    assert module.make_reporter(None) is None
    assert type(module.make_reporter(True)) is PlainReporter
    monkeypatch.setattr(module, "default_reporter", lambda: terminal)
    assert module.make_reporter(None) is terminal
    assert module.make_reporter(False) is None
    monkeypatch.setattr("multiprocessing.parent_process", lambda: "the process of the search")
    assert module.make_reporter(None) is None


def test_a_notebook_shows_one_output_redrawn_in_place(table: np.ndarray, monkeypatch: Any) -> None:
    shown: list[list[dict[str, str]]] = []

    class Output:
        def update(self, content: dict[str, str], raw: bool) -> None:
            shown[-1].append(content)

    def display(content: dict[str, str], raw: bool, display_id: bool) -> Output:
        shown.append([content])
        return Output()

    monkeypatch.setattr("IPython.display.display", display)
    monkeypatch.setattr("vaekit.estimators.vae.make_reporter", lambda verbose: NotebookReporter(shown=2))
    tiny(epochs=3).fit(table)
    (contents,) = shown
    assert '<progress value="0" max="12"></progress> epoch 1/3' in contents[0]["text/html"]
    assert [line[:9] for line in contents[-1]["text/plain"].splitlines()] == ["epoch 2/3", "epoch 3/3"]
    assert "<progress" not in contents[-1]["text/html"]


def test_it_shows_itself_in_a_notebook(fitted: VAE) -> None:
    html = fitted._repr_html_()
    assert "latent_dim" in html
    assert "n_features_in_" in html
    assert repr(VAE(latent_dim=3)) == "VAE(latent_dim=3)"


def test_data_frames_keep_their_names(table: np.ndarray, tmp_path: Any) -> None:
    columns = list("abcdef")
    frame = pd.DataFrame(table, columns=pd.Index(columns))
    vae = tiny().fit(frame)
    z = vae.transform(frame)
    assert list(vae.feature_names_in_) == columns
    assert list(vae.reconstruct(frame).columns) == columns
    assert list(vae.get_feature_names_out()) == ["vae0", "vae1"]
    np.testing.assert_array_equal(vae.transform(frame[columns[::-1]]), z)
    loaded = load(vae.save(tmp_path / "run"))
    np.testing.assert_array_equal(loaded.feature_names_in_, vae.feature_names_in_)
    with pytest.raises(ValueError, match=r"the columns \['a'\] of the training data are missing"):
        loaded.transform(frame.rename(columns={"a": "z"}))


def test_transform_gives_data_frames_on_request(table: np.ndarray, fitted: VAE) -> None:
    frame = pd.DataFrame(table, columns=pd.Index(list("abcdef")), index=pd.RangeIndex(10, 410))
    z = tiny().set_output(transform="pandas").fit_transform(frame)
    assert isinstance(z, pd.DataFrame)
    assert list(z.columns) == ["vae0", "vae1"]
    assert z.index.equals(frame.index)
    vae = tiny().set_output(transform="polars").fit(table)
    z = vae.transform(table)
    assert isinstance(z, pl.DataFrame)
    np.testing.assert_array_equal(vae.inverse_transform(z), fitted.reconstruct(table))


def test_tensors_lists_and_polars_frames_are_as_good_as_arrays(table: np.ndarray, fitted: VAE) -> None:
    expected = fitted.transform(table)
    for x in (torch.from_numpy(table).requires_grad_(), table.tolist(), table.astype(object)):
        np.testing.assert_array_equal(tiny().fit(x).transform(x), expected)


def test_it_works_in_a_pipeline(table: np.ndarray) -> None:
    pipeline: Any = make_pipeline(StandardScaler(), tiny()).fit(table)
    assert list(pipeline.get_feature_names_out()) == ["vae0", "vae1"]
    z = pipeline.transform(table)
    assert pipeline.inverse_transform(z).shape == table.shape
    assert pipeline.score(table) == pytest.approx(pipeline[-1].score(StandardScaler().fit_transform(table)))


def test_a_search_caps_the_threads_of_its_workers(table: np.ndarray, monkeypatch: Any) -> None:
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)

    def threads(vae: VAE, x: np.ndarray, y: Any = None) -> dict[str, float]:
        return {"score": vae.score(x), "threads": torch.get_num_threads()}

    best: Any = "score"
    search = GridSearchCV(tiny(), {"latent_dim": np.array([1, 2])}, cv=2, n_jobs=2, scoring=threads, refit=best)
    search.fit(table)
    assert search.best_estimator_.transform(table).shape == (400, search.best_params_["latent_dim"])
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.cv_results_["mean_test_threads"].max() <= max(1, joblib.cpu_count() // 2)


def test_a_preset_gives_its_training_choices() -> None:
    vae = VAE.from_preset("article", epochs=1)
    assert (vae.latent_dim, vae.likelihood, vae.epochs, vae.schedule) == (2, "bernoulli", 1, "constant")
    with pytest.raises(ValueError, match="did you mean 'article'"):
        VAE.from_preset("artikle")


def test_init_starts_from_a_saved_model(fitted: VAE, table: np.ndarray, tmp_path: Any) -> None:
    path = fitted.save(tmp_path / "run")
    tuned = load(path).set_params(init=path, epochs=1, lr=1e-9, verbose=False).fit(table)
    np.testing.assert_allclose(tuned.transform(table), fitted.transform(table), atol=1e-5)
    with pytest.raises(ValueError, match="weights of another model"):
        tiny(init=path, latent_dim=3).fit(table)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"latent_dim": 0}, "latent_dim"),
        ({"epochs": -1}, "epochs"),
        ({"held_out": 1.5}, "held_out"),
        ({"batch_size": 401}, "batch_size is 401 but there are only 360"),
        ({"likelihood": "gausian"}, "did you mean 'gaussian'"),
        ({"network": {"name": "mlp", "widths": [8]}}, "valid names: hidden"),
        ({"precision": "fp8"}, "precision"),
        ({"device": "tpu"}, "device is one of"),
    ],
)
def test_bad_choices_are_told_by_fit(parameters: dict[str, Any], message: str, table: np.ndarray) -> None:
    with pytest.raises(ValueError, match=message):
        tiny(**parameters).fit(table)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.full((9, 2), np.nan), "no cell holds a value"),
        (np.ones((9, 2)), "constant"),
        (np.zeros((1, 8, 8)), "1 sample"),
        (np.zeros(9), "Reshape your data"),
        (np.full((9, 2, 2), "a"), "array of numbers"),
    ],
)
def test_bad_data_are_told_by_fit(x: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        tiny().fit(x)


def test_bad_data_are_told_at_use(fitted: VAE, fitted_images: VAE, images: np.ndarray, table: np.ndarray) -> None:
    with pytest.raises(ValueError, match="X has 5 features, but VAE is expecting 6"):
        fitted.transform(table[:, :5])
    with pytest.raises(ValueError, match="of shape"):
        fitted_images.transform(images[:, :4])
    with pytest.raises(ValueError, match="of shape"):
        fitted_images.transform(images.reshape(len(images), -1))
    with pytest.raises(ValueError, match=r"latents of shape \(N, 2\)"):
        fitted.inverse_transform(np.zeros((3, 4)))
    with pytest.raises(ValueError, match="at least 1 example"):
        fitted.sample(0)
