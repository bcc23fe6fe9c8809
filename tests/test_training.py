"""The loop: reproducible to the bit, resumable anywhere, stopped cleanly, robust to numbers that are not finite."""

import json
import math
import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Size, nn

from vaekit import store
from vaekit.core import Batch, Conditional, Objective, Shapes, Support, terms
from vaekit.data import Schema
from vaekit.likelihoods import Bernoulli, Gaussian
from vaekit.models import OneLayerVAE
from vaekit.networks import MLP, Convolutional
from vaekit.noise import isolated_rng
from vaekit.objectives import ELBO, IWAE
from vaekit.posteriors import DiagonalNormal
from vaekit.priors import StandardNormal
from vaekit.recipes import TrainRequest, train
from vaekit.training import (
    Constant,
    Cosine,
    Feed,
    Interrupted,
    OneCycle,
    Precision,
    Reporter,
    Settings,
    Training,
    choose_device,
    load_state,
    save_state,
)
from vaekit.training.adam import AdamW
from vaekit.training.feed import permutation, share, stream

SETTINGS = Settings(epochs=3, batch_size=64, lr=0.01, precision="fp32")
NUMBERS = ("epoch", "loss", "reconstruction", "kl", "val_loss", "lr")


class Recorder(Reporter):
    """Keeps rows, notes and the weights after each epoch; ``at`` maps (epoch, step) to something to do once."""

    def __init__(self, at=None):
        self.rows, self.notes, self.weights, self.at = [], [], [], dict(at or {})

    def step(self, training):
        action = self.at.pop((training.epoch, training.step), None)
        if action:
            action(training)

    def epoch(self, training, row):
        self.rows.append({name: row[name] for name in NUMBERS})
        self.weights.append(weights_of(training.model))

    def note(self, text):
        self.notes.append(text)


def weights_of(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def assert_same_bits(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> None:
    assert a.keys() == b.keys()
    assert all(torch.equal(a[name], b[name]) for name in a)


def make_model(event, network=None, likelihood=None, seed=0) -> OneLayerVAE:
    network = network or MLP([12])
    model = OneLayerVAE(
        Conditional(network, DiagonalNormal()),
        Conditional(network, likelihood or Bernoulli()),
        StandardNormal(),
        latent=2,
    )
    with isolated_rng(seed):
        model.bind(Shapes(Size(event), examples=300, support=Support(0, 1, 1 / 16, 1 / 16)))
    return model.to(memory_format=torch.channels_last)  # as recipes do; a resumed optimizer must keep to that layout


def make_training(digits, *, reporter=None, objective=None, image=False, checkpoint=None, model=None, **changes):
    x = digits.view(-1, 1, 8, 8) if image else digits
    model = model or make_model(x.shape[1:], Convolutional([3, 4], 6) if image else None)
    reporter = reporter or Recorder()
    data = Feed(x[:300]), Feed(x[300:])
    settings = replace(SETTINGS, **changes)
    return Training(model, objective or ELBO(), *data, settings, reporter=reporter, checkpoint=checkpoint)


def kill(number):
    return lambda training: os.kill(os.getpid(), number)


def stop_and_resume(digits, tmp_path, reporter, **options):
    """Train until the reporter's signal; continue from the checkpoint's file with another start, to the end."""
    file = tmp_path / "checkpoint.safetensors"
    first = make_training(
        digits,
        reporter=reporter,
        checkpoint=lambda training: store.write_tensors(file, *save_state(training)),
        **options,
    )
    with pytest.raises(Interrupted):
        first.run()
    second = make_training(digits, **options)
    for parameter in second.model.parameters():
        parameter.data.normal_()
    load_state(second, *store.read_tensors(file))
    second.run()
    return second


class TestReproducibility:
    def test_the_same_seed_gives_the_same_bits(self, digits):
        runs = [make_training(digits) for _ in range(2)]
        for run in runs:
            run.run()
        assert_same_bits(weights_of(runs[0].model), weights_of(runs[1].model))
        assert runs[0].reporter.rows == runs[1].reporter.rows

    def test_another_seed_gives_another_run(self, digits):
        runs = [make_training(digits, seed=seed) for seed in (0, 1)]
        for run in runs:
            run.run()
        assert runs[0].reporter.rows != runs[1].reporter.rows

    def test_the_global_random_state_is_left_alone(self, digits):
        before = torch.get_rng_state()
        make_training(digits).run()
        with pytest.raises(Interrupted):
            make_training(digits, reporter=Recorder({(0, 2): kill(signal.SIGINT)})).run()
        assert torch.equal(torch.get_rng_state(), before)

    def test_draws_made_by_reporters_do_not_change_the_run(self, digits):
        plain, curious = (
            make_training(digits),
            make_training(digits, reporter=Recorder({(1, 2): lambda _: torch.randn(9)})),
        )
        for run in (plain, curious):
            run.run()
        assert_same_bits(weights_of(plain.model), weights_of(curious.model))


class TestResume:
    @pytest.mark.parametrize("image", [False, True], ids=["mlp", "convolutional"])
    @pytest.mark.parametrize("at", [(0, 2), (1, 1), (1, 5), (2, 5)], ids=lambda at: f"epoch {at[0]} step {at[1]}")
    def test_a_resumed_run_ends_with_the_bits_of_an_unbroken_one(self, digits, tmp_path, at, image):
        whole = make_training(digits, image=image)
        whole.run()
        reporter = Recorder({at: kill(signal.SIGINT)})
        resumed = stop_and_resume(digits, tmp_path, reporter, image=image)
        assert_same_bits(weights_of(whole.model), weights_of(resumed.model))
        assert reporter.rows + resumed.reporter.rows == whole.reporter.rows
        assert (resumed.best_loss, resumed.best_epoch) == (whole.best_loss, whole.best_epoch)

    def test_from_the_checkpoint_of_an_epoch(self, digits):
        states = []
        whole = make_training(digits, image=True, checkpoint=lambda training: states.append(save_state(training)))
        whole.run()
        assert len(states) == 3
        resumed = make_training(digits, image=True)
        load_state(resumed, *states[0])
        resumed.run()
        assert_same_bits(weights_of(whole.model), weights_of(resumed.model))
        assert resumed.reporter.rows == whole.reporter.rows[1:]

    def test_best_weights_survive(self, digits, tmp_path):
        """The best epoch lies before the interruption and is what the resumed run ends with."""
        options = {"lr": 0.7, "schedule": Constant(), "epochs": 6}
        whole = make_training(digits, **options)
        whole.run()
        assert whole.best_epoch < 6
        reporter = Recorder({(5, 1): kill(signal.SIGTERM)})
        resumed = stop_and_resume(digits, tmp_path, reporter, **options)
        assert_same_bits(weights_of(resumed.model), reporter.weights[whole.best_epoch - 1])

    def test_the_memory_layout_of_moments_is_restored(self, digits):
        """The fused optimizer pairs weights and moments by their place in memory."""
        first = make_training(digits, image=True, epochs=1)
        first.run()
        second = make_training(digits, image=True, epochs=1)
        load_state(second, *save_state(first))
        for values in second.optimizer.moments:
            assert [each.stride() for each in values] == [each.stride() for each in second.parameters]


class TestAdamW:
    def test_it_is_torchs_to_the_bit(self):
        """Where a parameter has no gradient too."""
        ours, theirs = ([nn.Parameter(torch.randn(5, 3)), nn.Parameter(torch.ones(7)), nn.Parameter(torch.ones(2))]
                        for _ in range(2))  # fmt: skip
        ours[0].data.copy_(theirs[0].data)
        mine, reference = AdamW(ours, 0.1), torch.optim.AdamW(theirs, 0.02, weight_decay=0.1, fused=True)
        for step in range(5):
            mine.clear()
            reference.zero_grad()
            for a, b, _ in (ours, theirs):
                (a.sin().sum() * (step + 1) + (b**3).sum()).backward()
            mine.step(0.02)
            reference.step()
            fresh = AdamW(ours, 0.1)
            fresh.load(mine.state())
            mine = fresh
        assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))


class TestDamagedCheckpoints:
    @pytest.fixture
    def saved(self, digits):
        training = make_training(digits, epochs=1)
        training.run()
        return save_state(training)

    def position(self, metadata, **changes):
        return {"training": json.dumps({**json.loads(metadata["training"]), **changes})}

    def test_of_another_model(self, digits, saved):
        for other in (
            make_model([64], MLP([13])),
            make_model([64], MLP([12, 12])),
            make_model([64], likelihood=Gaussian()),
        ):
            with pytest.raises(ValueError, match="does not belong to this model"):
                load_state(make_training(digits, model=other), *saved)

    @pytest.mark.parametrize("text", ["", "[]", "{}", "5", "null", '"ab"', "nope", '{"epoch": 1}', "[" * 5000])
    def test_with_a_damaged_position(self, digits, saved, text):
        with pytest.raises(ValueError, match="does not belong to this model"):
            load_state(make_training(digits), saved[0], {"training": text})

    @pytest.mark.parametrize(
        "changes",
        [{"epoch": "one"}, {"step": None}, {"rate": []}, {"sums": [1.0]}, {"sums": "abc"}, {"best_loss": "low"}],
        ids=str,
    )
    def test_with_a_position_of_other_types(self, digits, saved, changes):
        with pytest.raises(ValueError, match="does not belong to this model"):
            load_state(make_training(digits), saved[0], self.position(saved[1], **changes))

    def test_a_position_sets_nothing_but_the_position(self, digits, saved):
        training = make_training(digits)
        load_state(training, saved[0], self.position(saved[1], checkpoint="hijacked", model=1))
        assert callable(training.checkpoint)
        assert isinstance(training.model, nn.Module)

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("surprise", np.zeros(3)),
            ("optimizer/99.exp_avg", np.zeros(3)),
            ("optimizer/zero.exp_avg", np.zeros(3)),
            ("optimizer/0.exp_avg", np.zeros((2, 2))),
            ("model/surprise", np.zeros(3)),
        ],
    )
    def test_with_foreign_tensors(self, digits, saved, name, value):
        with pytest.raises(ValueError, match="does not belong to this model"):
            load_state(make_training(digits), {**saved[0], name: value}, saved[1])

    def test_without_metadata(self, digits, saved):
        with pytest.raises(ValueError, match="does not belong to this model"):
            load_state(make_training(digits), saved[0], {})


class TestBestWeights:
    def test_are_those_with_the_lowest_held_out_loss(self, digits):
        training = make_training(digits, lr=0.7, schedule=Constant(), epochs=6)
        training.run()
        losses = [row["val_loss"] for row in training.reporter.rows]
        best = int(np.argmin(losses))
        assert best < 5
        assert (training.best_epoch, training.best_loss) == (best + 1, losses[best])
        assert_same_bits(weights_of(training.model), training.reporter.weights[best])
        assert not training.model.training

    def test_without_held_out_examples_the_last(self, digits):
        recorder = Recorder()
        training = Training(make_model([64]), ELBO(), Feed(digits), None, SETTINGS, reporter=recorder)
        training.run()
        assert [row["val_loss"] for row in recorder.rows] == [None] * 3
        assert_same_bits(weights_of(training.model), recorder.weights[-1])

    @pytest.mark.parametrize(("average", "epochs"), [(None, 6), (0.9, 5)])
    def test_the_last_where_they_are_asked_for(self, digits, average, epochs):
        training = make_training(digits, lr=0.7, schedule=Constant(), epochs=epochs, average=average, keep="last")
        training.run()
        losses = [row["val_loss"] for row in training.reporter.rows]
        assert training.best_loss == min(losses) < losses[-1]
        assert training.validate() == losses[-1]

    @pytest.mark.parametrize("patience", [1, 3])
    def test_patience(self, digits, patience):
        training = make_training(digits, lr=0.3, schedule=Constant(), epochs=40, patience=patience)
        training.run()
        losses = [row["val_loss"] for row in training.reporter.rows]
        assert len(losses) == training.best_epoch + patience < 40
        assert training.best_loss == min(losses)

    def test_patience_needs_held_out_examples(self, digits):
        with pytest.raises(ValueError, match="no examples are held out"):
            Training(make_model([64]), ELBO(), Feed(digits), None, replace(SETTINGS, patience=2))


class TestValidation:
    def test_is_a_bound_whatever_the_objective(self, digits):
        """The evidence bound, or the importance-weighted one, which is tighter."""
        model = make_model([64])
        losses = [make_training(digits, model=model, objective=o).validate() for o in (ELBO(), ELBO(beta=9), IWAE(5))]
        assert losses[2] < losses[0] == losses[1]

    def test_is_minus_the_elbo(self, linear_gaussian):
        """At the exact posterior the bound is log p(x) in expectation; its noise averages out over the rows."""
        x = linear_gaussian.sample(4000)
        training = Training(linear_gaussian.model(), ELBO(), Feed(x), Feed(x), SETTINGS)
        with torch.no_grad():
            trace, log_px = terms(training.model, Batch(x))
        error = (log_px - trace.kl()).std().item() / math.sqrt(len(x))
        assert training.validate() == pytest.approx(-linear_gaussian.log_likelihood(x).mean().item(), abs=5 * error)

    def test_does_not_change_between_calls(self, digits):
        training = make_training(digits)
        assert training.validate() == training.validate()

    def test_needs_held_out_examples(self, digits):
        with pytest.raises(ValueError, match="no held-out examples"):
            Training(make_model([64]), ELBO(), Feed(digits), None, SETTINGS).validate()


class TestOptimization:
    def test_reported_parts_add_up(self, digits):
        training = make_training(digits)
        training.run()
        for row in training.reporter.rows:
            assert row["loss"] == pytest.approx(row["reconstruction"] + row["kl"], rel=1e-6)

    def test_the_kl_warms_up_over_a_fraction_of_the_steps(self, digits):
        """With one step an epoch, epoch e of 8 has progress e/8."""
        training = make_training(digits, objective=ELBO(beta=3.0, warmup=0.5), epochs=8, batch_size=300)
        training.run()
        for i, row in enumerate(training.reporter.rows):
            weight = 3.0 * min(i / 8 / 0.5, 1)
            assert row["loss"] == pytest.approx(row["reconstruction"] + weight * row["kl"], rel=1e-5)

    @pytest.mark.parametrize("schedule", [Constant(), Cosine(0.3, 0.05), OneCycle(0.3, 0.2, 0.05)])
    def test_the_learning_rate_follows_the_schedule(self, digits, schedule):
        training = make_training(digits, schedule=schedule, epochs=4)
        training.run()
        steps = 4 * training.steps_per_epoch
        expected = [0.01 * schedule((epoch * training.steps_per_epoch - 1) / steps) for epoch in range(1, 5)]
        assert [row["lr"] for row in training.reporter.rows] == pytest.approx(expected)

    def test_is_adam(self, digits):
        """One step on all data is torch's AdamW on the mean bound with the same noise."""
        training = make_training(digits, epochs=1, batch_size=300, schedule=Constant(), weight_decay=0.1)
        model = make_model([64])
        optimizer = torch.optim.AdamW(model.parameters(), 0.01, weight_decay=0.1)
        training.run()
        order = permutation(300, stream(0, 0, 0))
        with isolated_rng(stream(0, 1, 0)):
            trace, log_px = terms(model, Batch(digits[:300][order]))
        (trace.kl() - log_px).mean().backward()
        optimizer.step()
        for name, value in model.state_dict().items():
            assert torch.allclose(value, training.model.state_dict()[name], atol=1e-6)

    def test_clipping_bounds_the_norm_of_the_gradient(self, digits):
        norms = {None: [], 0.5: []}

        class Norms(Reporter):
            def step(self, training):
                gradients = [parameter.grad.flatten() for parameter in training.parameters]
                norms[training.settings.clip].append(torch.cat(gradients).norm().item())

        for clip in norms:
            make_training(digits, clip=clip, reporter=Norms()).run()
        assert min(norms[None]) > 0.5
        assert norms[0.5] == pytest.approx([0.5] * len(norms[0.5]), rel=1e-4)

    def test_every_example_is_seen_once_an_epoch(self, digits):
        seen = []

        class Spy(ELBO):
            def forward(self, trace, log_px, progress):
                seen.append(log_px.shape[1])
                return super().forward(trace, log_px, progress)

        training = make_training(digits, objective=Spy(), epochs=2)
        seen.clear()  # of the trial before training
        training.run()
        assert seen == [64, 64, 64, 64, 44] * 2

    def test_bfloat16_learns_as_float32_does(self, digits):
        last = []
        for precision in ("fp32", "bf16"):
            training = make_training(digits, precision=precision, epochs=10)
            training.run()
            assert all(parameter.dtype == torch.float32 for parameter in training.parameters)
            last.append(training.reporter.rows[-1]["loss"])
        assert last[1] == pytest.approx(last[0], rel=0.02)


def poison_weight(training):
    training.parameters[0].data[0] = math.nan


def poison_gradient_once(training):
    handle = training.parameters[0].register_hook(lambda gradient: (handle.remove(), gradient * math.nan)[1])


class TestNonFinite:
    @pytest.mark.parametrize("poison", [poison_weight, poison_gradient_once])
    @pytest.mark.parametrize("at", [(0, 1), (1, 4), (1, 5), (2, 3)], ids=str)
    def test_once_it_goes_back_and_finishes_at_half_the_rate(self, digits, poison, at):
        training = make_training(digits, reporter=Recorder({at: poison}), schedule=Constant())
        training.run()
        assert (training.rolled_back, training.rate) == (1, 0.5)
        assert [row["epoch"] for row in training.reporter.rows] == [1, 2, 3]
        assert all(math.isfinite(value) for row in training.reporter.rows for value in row.values())
        assert training.reporter.rows[-1]["lr"] == pytest.approx(0.005)
        assert len(training.reporter.notes) == 1
        assert "half the learning rate" in training.reporter.notes[0]

    def test_it_goes_back_to_the_start_of_the_epoch(self, digits):
        """Nothing of the failed attempt remains: the run is that of an epoch at the full rate and two at half."""
        poisoned = make_training(digits, reporter=Recorder({(1, 3): poison_weight}), image=True)
        poisoned.run()
        reference = make_training(digits, reporter=Recorder({(0, 5): lambda _: None}), image=True)
        reference.checkpoint = lambda training: setattr(training, "rate", 0.5)
        reference.run()
        assert_same_bits(weights_of(poisoned.model), weights_of(reference.model))
        assert poisoned.reporter.rows == reference.reporter.rows

    def test_always_it_stops_with_a_sentence_that_says_what_to_change(self, digits):
        training = make_training(digits, rollbacks=2)
        training.parameters[0].register_hook(lambda gradient: gradient * math.nan)
        with pytest.raises(
            FloatingPointError, match=r"learning rate below 1\.3e-03, gradient clipping .* precision fp32"
        ):
            training.run()
        assert len(training.reporter.notes) == 2
        assert training.reporter.rows == []

    def test_data_that_overflow(self, digits):
        model = make_model([64], likelihood=Gaussian())
        training = Training(model, ELBO(), Feed(digits * 1e30), None, SETTINGS)
        with pytest.raises(FloatingPointError, match="extreme values in the data"):
            training.run()

    def test_the_last_checkpoint_is_good(self, digits):
        states = []
        training = make_training(digits, checkpoint=lambda training: states.append(save_state(training)), rollbacks=0)
        training.reporter.at[1, 2] = poison_weight
        with pytest.raises(FloatingPointError):
            training.run()
        assert len(states) == 1
        assert all(np.isfinite(value).all() for value in states[0][0].values())


class TestSignals:
    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_stop_after_the_step_with_a_checkpoint(self, digits, number):
        states = []
        handlers = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
        training = make_training(
            digits,
            reporter=Recorder({(1, 2): kill(number)}),
            checkpoint=lambda training: states.append((training.epoch, training.step)),
        )
        with pytest.raises(KeyboardInterrupt, match=f"{number.name} in epoch 2"):
            training.run()
        assert states == [(1, 0), (1, 2)]
        assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == handlers

    def test_a_second_one_acts_at_once(self, digits):
        def twice(training):
            os.kill(os.getpid(), signal.SIGINT)
            while training.interrupts.asked is None:  # two that are pending at once count as one
                pass
            os.kill(os.getpid(), signal.SIGINT)

        states = []
        training = make_training(digits, reporter=Recorder({(0, 2): twice}), checkpoint=states.append)
        with pytest.raises(KeyboardInterrupt) as caught:
            training.run()
        assert not isinstance(caught.value, Interrupted)
        assert states == []

    def test_training_in_a_thread_leaves_signals_alone(self, digits):
        training = make_training(digits)
        thread = threading.Thread(target=training.run)
        thread.start()
        thread.join()
        assert len(training.reporter.rows) == 3


class TestRefusals:
    def test_a_batch_larger_than_the_data(self, digits):
        with pytest.raises(ValueError, match="only 300 training examples"):
            make_training(digits, batch_size=301)

    @pytest.mark.parametrize("name", ["epochs", "batch_size", "lr", "clip", "patience"])
    @pytest.mark.parametrize("value", [0, -1, math.nan])
    def test_numbers_that_are_not_positive(self, name, value):
        with pytest.raises(ValueError, match=f"{name} must be above 0"):
            Settings(**{name: value})

    def test_unknown_weights_to_keep(self):
        with pytest.raises(ValueError, match="keep is 'best' or 'last', got 'first'"):
            Settings(keep="first")

    def test_unknown_precision_and_device(self):
        with pytest.raises(ValueError, match="precision is one of"):
            Precision(torch.device("cpu"), "fp8")
        with pytest.raises(ValueError, match="device is one of"):
            choose_device("gpu")

    @pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
    def test_a_device_that_is_not_there(self):
        with pytest.raises(ValueError, match="finds no CUDA GPU"):
            choose_device("cuda:1")

    @pytest.mark.parametrize("options", [{"warmup": -0.1}, {"final": 1.5}])
    def test_schedules_out_of_range(self, options):
        with pytest.raises(ValueError, match="share between 0 and 1"):
            Cosine(**options)


class TestSchedules:
    def test_ends(self):
        assert [Constant()(p) for p in (0, 0.3, 1)] == [1, 1, 1]
        cosine = Cosine(0.2, 0.1)
        assert [cosine(p) for p in (0, 0.1, 0.2, 0.6, 1)] == pytest.approx([1e-3, 0.5, 1, 0.55, 0.1])
        cycle = OneCycle(0.2, 0.1, 0.02)
        assert [cycle(p) for p in (0, 0.1, 0.2, 0.6, 1)] == pytest.approx([0.1, 0.55, 1, 0.51, 0.02])

    def test_no_rise_starts_at_the_peak(self):
        assert Cosine(0.0)(0) == OneCycle(0.0)(0) == 1


class TestFeed:
    def test_images_keep_their_dtype_and_are_scaled_in_batches(self):
        raw = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4) * 10
        schema = Schema.infer(raw)
        raw.flags.writeable = False
        feed = Feed.from_raw(schema, raw)
        assert feed.x.dtype == torch.uint8
        assert feed.x.shape == (2, 1, 3, 4)
        assert torch.allclose(feed.batch(slice(0, 2)).x, torch.from_numpy(schema.normalize(raw)))

    @pytest.mark.parametrize("dtype", ["uint16", "int8", "int64", "float64", "bool"])
    def test_batches_are_what_the_schema_says(self, dtype):
        raw = np.random.default_rng(0).integers(0, 2 if dtype == "bool" else 100, (5, 4, 4)).astype(dtype)
        schema = Schema.infer(raw)
        batch = Feed.from_raw(schema, raw).batch(torch.tensor([3, 1])).x
        assert batch.dtype == torch.float32
        assert torch.allclose(batch, torch.from_numpy(schema.normalize(raw[[3, 1]])), atol=1e-6)

    def test_columns_are_standardized(self):
        raw = np.random.default_rng(0).normal([1e6, 0], [1, 1e-3], (200, 2))
        x = Feed.from_raw(Schema.infer(raw), raw).batch(slice(None)).x
        assert torch.allclose(x.mean(0), torch.zeros(2), atol=1e-3)
        assert torch.allclose(x.std(0, correction=0), torch.ones(2), atol=1e-3)

    def test_chunks_and_selections_cover_the_examples(self, digits):
        feed = Feed(digits)
        assert torch.equal(torch.cat([batch.x for batch in feed.chunks(57)]), digits)
        index = np.array([5, 3, 300])
        assert torch.equal(feed.select(index).batch(slice(None)).x, digits[[5, 3, 300]])

    def test_streams_differ(self):
        seeds = {stream(seed, name, step) for seed in (0, 1, 2**62) for name in range(3) for step in range(100)}
        assert len(seeds) == 900
        assert all(0 <= seed < 2**63 for seed in seeds)

    def test_orders_are_permutations(self):
        orders = [permutation(50, seed) for seed in (0, 1)]
        assert all(order.sort().values.tolist() == list(range(50)) for order in orders)
        assert not torch.equal(*orders)

    @pytest.mark.parametrize(("n", "world"), [(10, 3), (2, 4), (7, 7), (5, 1), (0, 2)])
    def test_shares_cover_the_rows_evenly(self, n, world):
        shares = [share(n, rank, world) for rank in range(world)]
        assert [row for start, stop in shares for row in range(start, stop)] == list(range(n))
        assert max(stop - start for start, stop in shares) - min(stop - start for start, stop in shares) <= 1


class TestPenaltiesAndStats:
    def test_a_posteriors_penalty_is_added_and_its_stats_reach_the_model(self, digits):
        received = []
        model = make_model([64])

        def with_extras(q):
            q.penalty, q.stats = torch.full(q.like.shape[:1], 2.5), lambda: {"count": torch.tensor(7.0)}
            return q

        family = model.encoder.family
        forward = family.forward
        family.forward = lambda phi: with_extras(forward(phi))
        model.update = received.append
        training = Training(model, ELBO(), Feed(digits[:64]), None, replace(SETTINGS, epochs=1), reporter=Recorder())
        training.run()
        (row,) = training.reporter.rows
        assert row["loss"] == pytest.approx(row["reconstruction"] + row["kl"] + 2.5, rel=1e-6)
        assert [stats["count"].item() for stats in received] == [7.0]


REQUEST = {
    "data": "digits", "network": {"name": "mlp", "hidden": [16]}, "latent_dim": 2, "likelihood": "bernoulli",
    "epochs": 2, "batch_size": 404, "held_out": 0.1, "precision": "fp32", "clip": 5.0, "device": "cpu",
}  # fmt: skip


class Stop(Reporter):
    """A signal to this process, early in the second epoch."""

    def step(self, training):
        if (training.epoch, training.step) == (1, 2):
            os.kill(os.getpid(), signal.SIGTERM)


def train_twice(folder: Path) -> None:
    """A run to the end and one that a signal stops; what several processes run too."""
    run = train(TrainRequest.parse(REQUEST), folder / "whole")
    weights = torch.cat([value.flatten() for value in run.model.state_dict().values()])
    torch.save(weights, folder / f"weights-{os.environ.get('RANK', '0')}.pt")
    with pytest.raises(Interrupted):
        train(TrainRequest.parse(REQUEST), folder / "stopped", reporter=Stop())


def test_two_processes_compute_what_one_does(tmp_path):
    """Under torchrun, on the CPU; 1617 examples in batches of 404 leave a last batch of one, for one of the two.

    One test, so that the processes are started once however the tests are shared out.
    """
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    train_twice(one)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    result = subprocess.run([*torchrun, __file__, two], capture_output=True, text=True, timeout=900, check=False)
    assert result.returncode == 0, result.stderr[-3000:]

    reference = torch.load(one / "weights-0.pt")
    weights = [torch.load(two / f"weights-{rank}.pt") for rank in (0, 1)]
    assert torch.equal(*weights)
    assert torch.allclose(reference, weights[0], atol=1e-5)

    rows = [store.read_jsonl(folder / "whole" / "metrics.jsonl") for folder in (one, two)]
    assert [len(each) for each in rows] == [2, 2]  # the first process alone writes
    for a, b in zip(*rows, strict=True):
        assert [b[name] for name in NUMBERS] == pytest.approx([a[name] for name in NUMBERS], rel=1e-5)
    files = [sorted(path.name for path in (folder / "whole").iterdir()) for folder in (one, two)]
    assert files[0] == files[1]

    for folder in (one, two):  # a signal to one of them stops both after the same step
        _, metadata = store.read_tensors(folder / "stopped" / "checkpoint.safetensors")
        position = json.loads(metadata["training"])
        assert (position["epoch"], position["step"]) == (1, 2)


def test_objectives_that_are_not_a_number_for_each_row_still_train(digits):
    class Pooled(Objective):
        """One number for the whole batch, as estimators of total correlation give."""

        def forward(self, trace, log_px, progress):
            return (log_px - trace.kl()).mean().expand(log_px.shape[1])

    training = make_training(digits, objective=Pooled(), epochs=1)
    training.run()
    assert math.isfinite(training.reporter.rows[0]["loss"])


if __name__ == "__main__":
    train_twice(Path(sys.argv[1]))
