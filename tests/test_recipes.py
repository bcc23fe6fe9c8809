"""Names, requests, presets and run folders: what is read back is what was written, and nothing bad gets in."""

import json
import os
import pickle
import shutil
import signal
from importlib.metadata import EntryPoint
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from vaekit import store, tasks
from vaekit.data import Dataset, Schema, load_dataset
from vaekit.likelihoods import Gaussian
from vaekit.networks import MLP, Convolutional
from vaekit.objectives import ELBO, IWAE
from vaekit.priors import StandardNormal
from vaekit.recipes import (
    PRESETS,
    Run,
    TrainRequest,
    build,
    build_model,
    build_objective,
    build_settings,
    complete,
    members,
    preset,
    read_config_file,
    registry,
    resume,
    spell,
    support_of,
    train,
    training_items,
)
from vaekit.training import Constant, Interrupted, Reporter

TINY = {
    "data": "digits", "network": {"name": "mlp", "hidden": [12]}, "latent_dim": 2, "epochs": 2, "batch_size": 256,
    "precision": "fp32", "device": "cpu",
}  # fmt: skip


def request_of(**changes) -> TrainRequest:
    return TrainRequest.parse({**TINY, **changes})


class TestParse:
    @pytest.mark.parametrize(
        ("content", "sentence"),
        [
            ({"latent_dims": 2}, "unknown option 'latent_dims'; did you mean 'latent_dim'"),
            ({"zzz": 2}, "unknown option 'zzz'; valid names: average, batch_size, beta"),
            ({"likelihood": "bernouli"}, "unknown likelihood 'bernouli'; did you mean 'bernoulli'"),
            ({"prior": {"name": "standart-normal"}}, "did you mean 'standard-normal'"),
            ({"schedule": "onecycle"}, "did you mean 'one-cycle'"),
            (
                {"network": {"name": "mlp", "hiden": [3]}},
                "option of network 'mlp': 'hiden'; did you mean 'hidden'",
            ),
            ({"likelihood": {"name": "bernoulli", "p": 1}}, "likelihood 'bernoulli' has no options, got 'p'"),
            ({"schedule": {"name": "constant", "args": 1}}, "schedule 'constant' has no options, got 'args'"),
            ({"network": {"hidden": [3]}}, "network needs a 'name', one of convolutional"),
            ({"network": {"name": ["mlp"]}}, "network needs a 'name'"),
            ({"network": {"name": "mlp", "hidden": "wide"}}, "hidden"),
            ({"network": {"name": "mlp", "hidden": [2.5]}}, "hidden"),
            ({"objective": {"name": "iwae", "samples": "x"}}, "samples"),
            ({"prior": 5}, "prior"),
            ({"prior": ["standard-normal"]}, "prior"),
            ({"prior": "os.system"}, "unknown prior 'os.system'"),
            ({"network": "vaekit.networks.MLP"}, "unknown network"),
            ({"epochs": 0}, "epochs"),
            ({"epochs": -3}, "epochs"),
            ({"epochs": "many"}, "epochs"),
            ({"latent_dim": 0}, "latent_dim"),
            ({"batch_size": 0}, "batch_size"),
            ({"lr": 0}, "lr"),
            ({"lr": float("nan")}, "lr"),
            ({"beta": -1}, "beta"),
            ({"held_out": 1.0}, "held_out"),
            ({"warmup": 1.5}, "warmup"),
            ({"clip": 0}, "clip"),
            ({"seed": -1}, "seed"),
            ({"seed": 2**63}, "seed"),
            ({"precision": "fp8"}, "precision"),
        ],
        ids=str,
    )
    def test_bad_choices_are_answered_with_one_sentence(self, content, sentence):
        with pytest.raises(ValueError) as caught:  # noqa: PT011 - the sentence is compared below
            TrainRequest.parse(content)
        assert sentence in str(caught.value)
        assert "\n" not in str(caught.value)
        assert "pydantic" not in str(caught.value)

    def test_names_mappings_and_instances_are_one_choice(self):
        spelled = {"name": "gaussian", "noise": "shared", "sigma": None, "floor": 0.0}
        for choice in (spelled, Gaussian("shared")):
            assert TrainRequest.parse({"likelihood": choice}).likelihood == spelled
        assert TrainRequest.parse({"likelihood": "gaussian"}).likelihood == {"name": "gaussian"}
        assert TrainRequest.parse({"network": Convolutional([3])}).network == {
            "name": "convolutional", "channels": [3], "dense": 256,
        }  # fmt: skip

    @pytest.mark.parametrize("name", ["", *PRESETS])
    def test_requests_are_json(self, name):
        request = TrainRequest.parse(preset(name) if name else {"prior": StandardNormal(), "network": MLP([3, 4])})
        assert TrainRequest.parse(json.loads(json.dumps(request.to_json()))) == request

    def test_a_request_cannot_be_changed(self):
        with pytest.raises(ValueError, match="frozen"):
            TrainRequest().lr = 1.0


class TestRegistry:
    def test_names(self):
        assert {"bernoulli", "discretized-logistic", "gaussian"} <= members("likelihood").keys()
        assert {"elbo", "iwae"} <= members("objective").keys()
        assert {"mlp", "convolutional"} <= members("network").keys()
        assert "network" not in members("network")

    @pytest.mark.parametrize(
        ("name", "expected"),
        [("DiscretizedLogistic", "discretized-logistic"), ("VampPrior", "vamp"), ("MLP", "mlp"), ("IWAE", "iwae"),
         ("BetaTCVAE", "beta-tcvae"), ("OneCycle", "one-cycle"), ("GaussianLikelihood", "gaussian")],
    )  # fmt: skip
    def test_a_name_is_the_class_in_kebab_case(self, name, expected):
        assert registry.name_of(type(name, (), {})) == expected

    def test_building_gives_new_objects(self):
        network = MLP([3])
        assert build("network", network).hidden is not network.hidden
        assert build("objective", "iwae") is not build("objective", "iwae")

    @pytest.mark.parametrize("choice", [5, None, ["mlp"], ELBO()])
    def test_building_from_something_else_is_refused(self, choice):
        with pytest.raises(TypeError, match="network is a name, a mapping with a name, or a Network"):
            build("network", choice)

    def test_what_the_constructor_refuses_is_refused(self):
        with pytest.raises(ValueError, match="hidden width must be at least 1"):
            build("network", {"name": "mlp", "hidden": [0]})

    def test_a_class_without_a_name_cannot_be_spelled(self):
        class Mine(MLP):
            pass

        with pytest.raises(ValueError, match=r"Mine has no name.*entry point of the group 'vaekit.network'"):
            spell("network", Mine())

    def test_entry_points_add_members_and_do_not_replace_any(self, monkeypatch):
        points = [
            EntryPoint("third-party", "vaekit.networks.mlp:MLP", "vaekit.network"),
            EntryPoint("convolutional", "vaekit.networks.mlp:MLP", "vaekit.network"),
        ]
        monkeypatch.setattr(registry, "entry_points", lambda group: points if group == "vaekit.network" else [])
        registry.members.cache_clear()
        try:
            assert registry.members("network")["third-party"] is MLP
            assert registry.members("network")["convolutional"] is Convolutional
        finally:
            registry.members.cache_clear()


class TestPresets:
    def test_the_article(self):
        request = TrainRequest.parse(preset("article"))
        assert (request.epochs, request.batch_size, request.lr, request.held_out) == (10, 128, 1e-3, 0)
        assert request.include_test
        assert type(build_settings(request).schedule) is Constant
        objective = build_objective(request)
        assert (type(objective), objective.beta, objective.samples) == (ELBO, 1, 1)

    def test_fast_and_held_out_are_the_same_model(self):
        article, fast, heldout = (TrainRequest.parse(preset(f"article{end}")) for end in ("", "-fast", "-heldout"))
        for other in (fast, heldout):
            for name in ("data", "network", "likelihood", "posterior", "prior", "objective", "latent_dim", "epochs"):
                assert getattr(other, name) == getattr(article, name)
        assert fast.include_test
        assert not heldout.include_test

    def test_an_unknown_preset_is_answered_with_the_nearest(self):
        with pytest.raises(ValueError, match="unknown preset 'artcle'; did you mean 'article'"):
            preset("artcle")


def images(dtype, high=255, size=(9, 8)) -> np.ndarray:
    values = np.random.default_rng(0).random((6, *size)) * high
    values.flat[:2] = 0, high
    return values.astype(dtype) if dtype.startswith("float") else values.round().astype(dtype)


class TestComplete:
    @pytest.mark.parametrize(
        ("raw", "likelihood", "network", "latent_dim"),
        [
            (images("uint8"), "discretized-logistic", "convolutional", 16),
            (images("uint8", 16), "discretized-logistic", "convolutional", 16),
            (images("uint8", 1), "bernoulli", "convolutional", 16),
            (images("float32", 1), "gaussian", "convolutional", 16),
            (images("uint8", size=(9, 7)), "discretized-logistic", "mlp", 16),
            (images("float64", 7).reshape(6, 72), "gaussian", "mlp", 16),
            (images("float64", 7)[..., 0], "gaussian", "mlp", 5),
            (images("float64", 7)[:, 0, :1], "gaussian", "mlp", 1),
            (images("uint8", 1)[:, 0], "bernoulli", "mlp", 4),
        ],
        ids=["8-bit", "few levels", "binary", "float", "narrow", "long vectors", "vectors", "column", "binary vectors"],
    )
    def test_defaults_follow_the_data(self, raw, likelihood, network, latent_dim):
        schema = Schema.infer(raw)
        request = complete(TrainRequest(), schema, 1000)
        assert (request.likelihood["name"], request.network["name"]) == (likelihood, network)
        assert request.latent_dim == latent_dim
        model = build_model(request, schema, 1000)
        assert model.shapes.x == schema.shape
        assert complete(request, schema, 1000) == request

    @pytest.mark.parametrize(
        ("examples", "epochs", "batch_size"),
        [(2, 200, 1), (100, 200, 25), (1617, 200, 128), (20_000, 60, 128), (60_000, 20, 128)],
    )
    def test_small_data_are_seen_more_often_in_smaller_batches(self, examples, epochs, batch_size):
        request = complete(TrainRequest(), Schema.infer(images("uint8")), examples)
        assert (request.epochs, request.batch_size) == (epochs, batch_size)

    def test_what_is_chosen_is_kept(self):
        request = complete(request_of(likelihood="bernoulli"), Schema.infer(images("uint8")), 1000)
        assert request == request_of(likelihood="bernoulli", prior="standard-normal")


class TestSupport:
    def test_of_grids(self):
        for raw, levels in ((images("uint8"), 256), (images("uint8", 16), 17), (images("uint8", 1), 2)):
            support = support_of(Schema.infer(raw))
            assert (support.low, support.high, support.levels) == (0, 1, levels)
            assert support.cell == pytest.approx(1 / (levels - 1))

    def test_of_shifted_integers(self):
        support = support_of(Schema.infer(images("int16", 40) - 30))
        assert (support.low, support.high, support.levels) == (0, 1, 41)

    def test_of_continuous_images(self):
        support = support_of(Schema.infer(images("float32", 50)))
        assert (support.low, support.high, support.step) == pytest.approx((0, 1, None))
        assert support.cell == pytest.approx(1 / 50, rel=1e-3)

    def test_of_standardized_columns(self):
        """One original unit is 1 / deviation of a column in model units; there are no ends."""
        raw = np.random.default_rng(0).normal(0, [0.1, 5.0], (500, 2))
        support = support_of(Schema.infer(raw))
        assert support.levels is None
        assert (support.low, support.high) == (-np.inf, np.inf)
        assert support.unit == pytest.approx(tuple(1 / raw.std(0)))


class TestObjective:
    def test_beta_and_warmup_are_short_for_its_options(self):
        objective = build_objective(request_of(beta=4.0, warmup=0.3))
        assert (objective.beta, objective.warmup) == (4.0, 0.3)

    @pytest.mark.parametrize("name", ["beta", "warmup"])
    def test_an_objective_without_them_says_so(self, name):
        with pytest.raises(ValueError, match=f"objective 'iwae' has no {name}"):
            build_objective(request_of(objective="iwae", **{name: 0.5}))

    def test_options(self):
        objective = build_objective(request_of(objective={"name": "iwae", "samples": 3}))
        assert (type(objective), objective.samples) == (IWAE, 3)

    def test_settings_need_a_complete_request(self):
        with pytest.raises(ValueError, match="not complete"):
            build_settings(TrainRequest())


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished run in its folder."""
    return train(request_of(), tmp_path_factory.mktemp("runs") / "finished")


@pytest.fixture
def folder(finished, tmp_path):
    """A copy of the finished run's folder, to be damaged."""
    return shutil.copytree(finished.path, tmp_path / "copy")


def edit_json(path, change) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


class TestRunFolder:
    def test_what_is_loaded_computes_the_same_bits(self, finished, folder):
        loaded = Run.load(folder)
        feed = finished.feed(load_dataset("digits").x[:50])
        for task in (tasks.encode, tasks.reconstruct, lambda model, x: tasks.importance(model, x, 7).log_likelihood):
            assert torch.equal(task(loaded.model, feed), task(finished.model, feed))
        assert torch.equal(tasks.generate(loaded.model, 3, draw=True), tasks.generate(finished.model, 3, draw=True))
        assert (loaded.request, loaded.schema, loaded.history) == (finished.request, finished.schema, finished.history)
        assert loaded.model.shapes == finished.model.shapes
        assert not loaded.model.training

    def test_convolutional_weights_survive_too(self, tmp_path):
        network = {"name": "convolutional", "channels": [3, 4], "dense": 5}
        run = train(request_of(network=network, epochs=1), tmp_path / "run")
        x = run.feed(load_dataset("digits").x[:20])
        assert torch.equal(tasks.reconstruct(Run.load(tmp_path / "run").model, x), tasks.reconstruct(run.model, x))

    def test_its_files(self, finished):
        files = "README.md checkpoint.safetensors config.json metrics.jsonl model.safetensors schema.json"
        assert " ".join(sorted(path.name for path in finished.path.iterdir())) == files
        rows = store.read_jsonl(finished.path / "metrics.jsonl")
        assert rows == finished.history
        assert " ".join(rows[0]) == "epoch loss reconstruction kl val_loss lr kl_each seconds examples_per_second"
        assert "vaekit.load" in (finished.path / "README.md").read_text()

    def test_saved_elsewhere_it_is_the_same_run(self, finished, tmp_path):
        path = Run.load(finished.path).save(tmp_path / "other")
        for name in ("config.json", "schema.json", "model.safetensors", "metrics.jsonl"):
            assert (path / name).read_bytes() == (finished.path / name).read_bytes()

    def test_the_same_request_gives_the_same_bytes(self, finished, tmp_path):
        again = train(request_of(), tmp_path / "again")
        weights = [(path / "model.safetensors").read_bytes() for path in (finished.path, again.path)]
        assert weights[0] == weights[1]

    def test_weights_are_the_best_ones(self, finished):
        assert_holds_the_best_weights(finished.path)


def assert_holds_the_best_weights(path) -> None:
    tensors, _ = store.read_tensors(path / "checkpoint.safetensors")
    best = {name.removeprefix("best/"): value for name, value in tensors.items() if name.startswith("best/")}
    stored, _ = store.read_tensors(path / "model.safetensors")
    assert best.keys() == stored.keys()
    assert all(np.array_equal(best[name], stored[name]) for name in best)


class TestBadFolders:
    @pytest.mark.parametrize(
        "content",
        ["", "{", "[]", "null", "5", '{"format": 1}', '{"format": 1, "vaekit": "0.1"}', '{"format": 99, "vaekit": "9"}',
         '{"format": "1", "vaekit": "0.1", "request": {}}', '{"format": 1, "vaekit": "0.1", "request": NaN}',
         "[" * 100_000, '{"format": 1, "vaekit": "0.1", "request": "mlp"}'],
        ids=lambda text: text[:40],
    )  # fmt: skip
    def test_a_damaged_config(self, folder, content):
        (folder / "config.json").write_text(content)
        for read in (Run.load, resume):
            with pytest.raises(ValueError, match=r"copy|config"):
                read(folder)

    @pytest.mark.parametrize(
        "change",
        [
            {"network": {"name": "os.system"}},
            {"network": {"name": "../../etc/passwd"}},
            {"network": {"name": "mlp", "hidden": [10**9, 10**9]}},
            {"network": {"name": "mlp", "hidden": [10**30]}},
            {"network": {"name": "mlp", "hidden": [-1]}},
            {"network": {"name": "mlp", "hidden": [1.5]}},
            {"network": {"name": "mlp", "hidden": {}}},
            {"network": {"name": "mlp", "hidden": [13]}},
            {"network": {"name": "mlp", "__class__": "x"}},
            {"network": {"name": "convolutional", "channels": [3]}},
            {"network": {"name": "mlp"}},
            {"network": None},
            {"network": 5},
            {"network": [["name", "mlp"]]},
            {"likelihood": None},
            {"likelihood": "gaussian"},
            {"likelihood": {"name": {"name": "gaussian"}}},
            {"latent_dim": 10**12},
            {"latent_dim": 10**30},
            {"latent_dim": 3},
            {"latent_dim": None},
            {"latent_dim": "two"},
            {"surprise": 1},
            {"epochs": -1},
            {"seed": 1.5},
        ],
        ids=str,
    )
    def test_a_hostile_request(self, folder, change):
        """Refused before memory is taken, with the folder's name in the sentence."""
        edit_json(folder / "config.json", lambda content: content["request"].update(change))
        with pytest.raises(ValueError, match="copy") as caught:
            Run.load(folder)
        assert len(str(caught.value)) < 500
        with pytest.raises(ValueError, match="copy"):
            resume(folder)

    @pytest.mark.parametrize(
        "change",
        [
            lambda content: content.clear(),
            lambda content: content["schema"].clear(),
            lambda content: content["schema"].update(shape=[10**6, 10**6, 10**6]),
            lambda content: content["schema"].update(shape=[1, 8, 9]),
            lambda content: content["schema"].update(scale=[0.0]),
            lambda content: content["schema"].update(scale="16"),
            lambda content: content["schema"].update(surprise=1),
            lambda content: content["split"].update(train="all"),
            lambda content: content["split"].pop("train"),
            lambda content: content.update(split=[]),
        ],
    )
    def test_a_damaged_schema(self, folder, change):
        edit_json(folder / "schema.json", change)
        with pytest.raises(ValueError, match="copy"):
            Run.load(folder)

    @pytest.mark.parametrize("name", ["schema.json", "model.safetensors"])
    def test_missing_files(self, folder, name):
        (folder / name).unlink()
        with pytest.raises(OSError, match=r"schema.json|no trained weights"):
            Run.load(folder)

    @pytest.mark.parametrize("damage", [lambda data: b"", lambda data: data[:-10], lambda data: data[:100],
                                        lambda data: pickle.dumps([1]), lambda data: b"\xff" * len(data)])  # fmt: skip
    @pytest.mark.parametrize("name", ["model.safetensors", "checkpoint.safetensors"])
    def test_damaged_weights(self, folder, name, damage):
        path = folder / name
        path.write_bytes(damage(path.read_bytes()))
        with pytest.raises(ValueError, match=f"{name} is damaged or not a safetensors file"):
            (Run.load if name.startswith("model") else resume)(folder)

    def test_weights_of_another_model(self, folder, tmp_path):
        other = train(request_of(latent_dim=3, epochs=1), tmp_path / "other")
        for name in ("model.safetensors", "checkpoint.safetensors"):
            shutil.copy(other.path / name, folder / name)
        with pytest.raises(ValueError, match=r"weights of another model: .* has shape"):
            Run.load(folder)
        with pytest.raises(ValueError, match="weights of another model"):
            resume(folder)

    def test_weights_with_other_names(self, folder):
        store.write_tensors(folder / "model.safetensors", {"weight": np.zeros(3)})
        with pytest.raises(ValueError, match="is not in both"):
            Run.load(folder)

    def test_no_folder_and_a_folder_that_is_no_run(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="no run at"):
            Run.load(tmp_path / "nothing")
        with pytest.raises(ValueError, match="is not a run"):
            Run.load(tmp_path)


class Stop(Reporter):
    """A signal in the middle of the second epoch."""

    def step(self, training):
        if (training.epoch, training.step) == (1, 3):
            os.kill(os.getpid(), signal.SIGINT)


class TestResume:
    def test_an_interrupted_run_ends_as_an_unbroken_one(self, finished, tmp_path):
        path = tmp_path / "run"
        with pytest.raises(Interrupted) as caught:
            train(request_of(), path, reporter=Stop())
        assert len(caught.value.run.history) == 1
        assert len(store.read_jsonl(path / "metrics.jsonl")) == 1
        assert len(Run.load(path).history) == 1
        assert_holds_the_best_weights(path)
        store.append_jsonl(path / "metrics.jsonl", {"epoch": 2})  # as if killed before the epoch's checkpoint
        run = resume(path)
        assert (path / "model.safetensors").read_bytes() == (finished.path / "model.safetensors").read_bytes()
        timeless = [[{k: v for k, v in row.items() if "second" not in k} for row in r.history] for r in (run, finished)]
        assert timeless[0] == timeless[1]
        assert store.read_jsonl(path / "metrics.jsonl") == run.history

    def test_a_finished_run_is_trained_on(self, finished, folder):
        run = resume(folder, {"epochs": 3})
        assert run.history[:2] == finished.history
        assert [row["epoch"] for row in run.history] == [1, 2, 3]
        assert Run.load(folder).request == request_of(
            epochs=3, likelihood=finished.request.likelihood, prior="standard-normal"
        )

    def test_a_finished_run_has_nothing_to_resume(self, finished, folder):
        assert resume(folder).history == finished.history
        assert (folder / "model.safetensors").read_bytes() == (finished.path / "model.safetensors").read_bytes()

    @pytest.mark.parametrize(
        "changes", [{"lr": 0.5}, {"latent_dim": 3}, {"objective": "iwae"}, {"seed": 1}, {"data": "mnist"}], ids=str
    )
    def test_other_choices_cannot_change(self, folder, changes):
        before = (folder / "config.json").read_bytes()
        with pytest.raises(ValueError, match=f"keeps its {next(iter(changes))}"):
            resume(folder, changes)
        assert (folder / "config.json").read_bytes() == before

    def test_the_same_choice_in_another_spelling_is_no_change(self, folder):
        resume(folder, {"prior": "standard-normal", "network": MLP([12]), "lr": 2e-3})

    def test_an_unknown_option_is_named(self, folder):
        with pytest.raises(ValueError, match="unknown option 'epoch'; did you mean 'epochs'"):
            resume(folder, {"epoch": 3})

    def test_without_a_checkpoint(self, folder):
        (folder / "checkpoint.safetensors").unlink()
        with pytest.raises(ValueError, match="no checkpoint"):
            resume(folder)

    def test_a_damaged_checkpoint_leaves_the_folder_as_it_was(self, folder):
        (folder / "checkpoint.safetensors").write_bytes(b"nothing")
        before = {path.name: path.read_bytes() for path in folder.iterdir()}
        with pytest.raises(ValueError, match="damaged"):
            resume(folder, {"epochs": 5})
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == before

    def test_data_that_have_changed(self, tmp_path):
        file = tmp_path / "data.npy"
        np.save(file, np.random.default_rng(0).random((60, 5)))
        train(request_of(data=str(file), batch_size=20, latent_dim=1), tmp_path / "run")
        np.save(file, np.random.default_rng(0).random((50, 5)))
        with pytest.raises(ValueError, match="have changed"):
            resume(tmp_path / "run", {"epochs": 3})


class TestTrain:
    @pytest.mark.parametrize(
        ("changes", "error"),
        [
            ({"batch_size": 1618}, "only 1617 training examples"),
            ({"objective": "iwae", "beta": 2.0}, "has no beta"),
            (
                {"likelihood": "gaussian", "network": {"name": "convolutional", "channels": [3]}, "device": "gpu"},
                "device is",
            ),
            ({"held_out": 0.0, "patience": 3}, "no examples are held out"),
            ({"data": "digitz"}, "digits"),
            ({"data": None}, "no data given"),
        ],
        ids=str,
    )
    def test_what_is_refused_leaves_no_folder(self, tmp_path, changes, error):
        with pytest.raises((ValueError, OSError), match=error):
            train(request_of(**changes), tmp_path / "run")
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize(
        ("x", "error"),
        [
            (np.full((20, 4), 3.0), "constant"),
            (np.full((20, 4), np.nan), "NaN|not finite|missing"),
            (np.ones((1, 4)), "1 sample"),
            (np.ones((20,)), "Reshape"),
        ],
        ids=["constant", "NaN", "single", "flat"],
    )
    def test_data_that_cannot_be_learned(self, tmp_path, x, error):
        with pytest.raises(ValueError, match=error):
            train(request_of(data=None), tmp_path / "run", dataset=Dataset("mine", x))
        assert list(tmp_path.iterdir()) == []

    def test_an_existing_run_is_kept_unless_overwritten(self, folder):
        before = (folder / "model.safetensors").read_bytes()
        with pytest.raises(FileExistsError, match="holds a run"):
            train(request_of(seed=1), folder)
        assert (folder / "model.safetensors").read_bytes() == before
        train(request_of(seed=1, epochs=1), folder, overwrite=True)
        assert len(Run.load(folder).history) == 1

    def test_a_folder_of_something_else_is_never_overwritten(self, tmp_path):
        (tmp_path / "thesis.txt").write_text("precious")
        with pytest.raises(FileExistsError, match="not a run"):
            train(request_of(), tmp_path, overwrite=True)
        assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]

    def test_init_starts_from_the_weights_of_a_run(self, finished):
        run = train(request_of(lr=1e-12, epochs=1, seed=5), init=finished.path)
        for name, value in run.model.state_dict().items():
            assert torch.allclose(value, finished.model.state_dict()[name], atol=1e-6)

    def test_init_of_another_model_is_refused(self, finished, tmp_path):
        with pytest.raises(ValueError, match="weights of another model"):
            train(request_of(latent_dim=5), tmp_path / "run", init=finished.path)
        assert list(tmp_path.iterdir()) == []

    def test_without_a_folder_nothing_is_written(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        run = train(request_of(epochs=1))
        assert run.path is None
        assert list(tmp_path.iterdir()) == []

    def test_items_for_training(self):
        data = SimpleNamespace(x=np.zeros((3, 2)), y=np.arange(3), x_test=np.ones((2, 2)), y_test=np.arange(2))
        x, y = training_items(request_of(), data)
        assert (len(x), len(y)) == (3, 3)
        x, y = training_items(request_of(include_test=True), data)
        assert x[:, 0].tolist() == [0, 0, 0, 1, 1]
        assert y.tolist() == [0, 1, 2, 0, 1]


class TestConfigFiles:
    TOML = 'latent-dim = 3\nlr = 0.5\n[prior]\nname = "standard-normal"\n'
    YAML = "latent-dim: 3\nlr: 0.5\nprior:\n  name: standard-normal\n"
    JSON = '{"latent-dim": 3, "lr": 0.5, "prior": {"name": "standard-normal"}}'

    @pytest.mark.parametrize(("suffix", "text"), [("toml", TOML), ("yaml", YAML), ("yml", YAML), ("json", JSON)])
    def test_say_the_same(self, tmp_path, suffix, text):
        path = tmp_path / f"config.{suffix}"
        path.write_text(text)
        content = read_config_file(path)
        assert content == {"latent_dim": 3, "lr": 0.5, "prior": {"name": "standard-normal"}}
        assert TrainRequest.parse(content).latent_dim == 3

    @pytest.mark.parametrize(
        ("name", "data", "error"),
        [
            ("a.toml", b"latent-dim = ", ValueError),
            ("a.yaml", b"a: [1", ValueError),
            ("a.yaml", b"!!python/object/apply:os.system ['true']", ValueError),
            ("a.json", b"{", ValueError),
            ("a.json", b"[1]", ValueError),
            ("a.yaml", b"", ValueError),
            ("a.ini", b"a = 1", ValueError),
            ("a.toml", b"\xff\xfe", OSError),
        ],
    )
    def test_bad_ones_are_named(self, tmp_path, name, data, error):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(error, match=name) as caught:
            read_config_file(tmp_path / name)
        assert "\n" not in str(caught.value)

    def test_a_missing_one(self, tmp_path):
        with pytest.raises(OSError, match="cannot read the config file"):
            read_config_file(tmp_path / "a.toml")
