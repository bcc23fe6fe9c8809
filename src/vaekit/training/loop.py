"""The training loop: Adam on one objective, over data in memory, resumable at any step."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from vaekit.core import LatentModel, Objective, terms
from vaekit.noise import Noise, isolated_rng

from .adam import AdamW
from .device import Precision
from .distributed import Workers
from .feed import Feed, permutation, seed_generator, share, stream
from .interrupts import Interrupted, Interrupts
from .progress import Reporter
from .schedules import OneCycle, Schedule
from .step import Step

METRICS = ("loss", "reconstruction", "kl")
VALIDATION_CHUNK = 1000
PREPARED, NUMBERS = 4096, 2**20  # examples that a model may start from; more if they have fewer numbers than these
WATCHED = 256  # examples by which latents are watched
ORDER, STEP, VALIDATION, PREPARATION = range(4)  # the named streams of random numbers
SCALARS = ("epoch", "step", "rolled_back", "stale", "rate", "lr", "seconds", "best_epoch")  # of a training's position


@dataclass(frozen=True)
class Settings:
    """How to train: ``clip`` is the largest gradient norm, ``patience`` the epochs without a better held-out bound.

    With ``weight_step``, what it takes to store the weights in such steps is part of the loss.
    With ``average``, the weights that are validated and kept are an exponential moving average of that decay
    (Polyak and Juditsky, 1992), of shorter memory in the first steps. ``keep`` says which weights the training leaves:
    the ``best`` by the held-out bound, or the ``last``.
    """

    epochs: int = 30
    batch_size: int = 128
    lr: float = 1e-3
    schedule: Schedule = field(default_factory=OneCycle)
    clip: float | None = None
    weight_decay: float = 0.0
    weight_step: float | None = None
    average: float | None = None
    keep: str = "best"
    patience: int | None = None
    seed: int = 0
    precision: str = "auto"
    compile: bool = False
    rollbacks: int = 4

    def __post_init__(self) -> None:
        positive = {"epochs": self.epochs, "batch_size": self.batch_size, "lr": self.lr, "clip": self.clip}
        positive["weight_step"] = self.weight_step
        for name, value in {**positive, "patience": self.patience}.items():
            if value is not None and not value > 0:
                raise ValueError(f"{name} must be above 0, got {value}")
        if self.keep not in ("best", "last"):
            raise ValueError(f"keep is 'best' or 'last', got {self.keep!r}")


class _NonFiniteError(Exception):
    """A loss, a weight or a held-out bound that is not a number."""


class Training:
    """A model in training: ``run`` trains to the end and leaves the best weights, or the last, in the model.

    Random numbers are drawn from a stream of their own for each step, so the state at a step is the weights, the
    optimizer's moments and the position, and a resumed run ends, on the same machine in fp32, with the bits of an
    unbroken one. ``checkpoint`` is called with the training after each epoch and when a signal stops it. The best
    weights are those with the lowest held-out loss, minus a bound on log p(x) whatever the objective; without
    ``valid``, the last.
    """

    def __init__(
        self,
        model: LatentModel,
        objective: Objective,
        train: Feed,
        valid: Feed | None,
        settings: Settings,
        *,
        device: torch.device | None = None,
        workers: Workers | None = None,
        reporter: Reporter | None = None,
        checkpoint: Callable[[Training], None] | None = None,
    ):
        if len(train) < settings.batch_size:
            raise ValueError(
                f"batch_size is {settings.batch_size} but there are only {len(train)} training examples; "
                f"choose at most {len(train)}"
            )
        if settings.patience is not None and valid is None:
            raise ValueError("patience counts epochs without a better held-out bound, but no examples are held out")
        if workers is not None and workers.world > 1 and objective.couples_batch:
            raise ValueError(
                f"{type(objective).__name__} couples the examples of a batch, which several processes would divide: "
                "train in one process, or use objective 'elbo'"
            )
        self.model, self.objective, self.train, self.valid, self.settings = model, objective, train, valid, settings
        self.device = device or torch.device("cpu")
        self.workers, self.reporter = workers or Workers(), reporter or Reporter()
        self.checkpoint = checkpoint or (lambda training: None)
        self.precision = Precision(self.device, settings.precision)
        self.step_module = Step(model, objective.bind(model.shapes), settings.weight_step).to(self.device)
        self.callable = self._wrapped(self.step_module)
        self.parameters = [p for p in self.step_module.parameters() if p.requires_grad]
        self._refuse()
        self.optimizer = AdamW(self.parameters, settings.weight_decay)
        self.steps_per_epoch = math.ceil(len(train) / settings.batch_size)
        self.progress = torch.zeros((), device=self.device)
        self.dtype = torch.float32 if self.device.type == "mps" else torch.float64  # of sums; Apple's GPUs lack float64
        self.sums = torch.zeros(len(METRICS), dtype=self.dtype, device=self.device)
        self.epoch = self.step = self.rolled_back = self.stale = 0
        self.rate, self.lr, self.seconds = 1.0, settings.lr, 0.0
        self.averaged = self._weights() if settings.average else None
        self.solver: Iterator[None] | None = None
        self.solved = False
        self.best: dict[str, Tensor] | None = None
        self.best_loss, self.best_epoch = math.inf, 0

    def run(self) -> None:
        """Train until the last epoch, or until ``patience`` runs out.

        Raises:
            Interrupted: after a signal, once the state is saved.
            FloatingPointError: if the loss is still not finite after several returns to the last good state.
        """
        self.step_module.train()
        with isolated_rng(self.settings.seed), Interrupts() as self.interrupts:
            if self.epoch == self.step == 0:
                self._prepare()
            self.solver = self.model.solve(lambda: self.train.chunks(VALIDATION_CHUNK))
            good = self.state()
            self.reporter.start(self)
            try:
                while not self._is_done():
                    try:
                        self._run_epoch()
                    except _NonFiniteError as problem:
                        self._roll_back(good, str(problem))
                    else:
                        good = self.state()
                        self.checkpoint(self)
            finally:
                self.reporter.close()
        self.finish()

    def finish(self) -> None:
        """Put the weights that are kept into the model."""
        self.model.load_state_dict(self.kept)
        self.model.eval()

    @property
    def kept(self) -> dict[str, Tensor]:
        """The weights to keep of those so far."""
        return self.best or self.averaged or self.model.state_dict()

    def validate(self) -> float:
        """Minus the mean bound on the held-out examples, in nats; the noise is the same at every call.

        The bound is on log p(x) whatever is maximized: the evidence bound, or the importance-weighted one.
        """
        if self.valid is None:
            raise ValueError("there are no held-out examples")
        raw = None if self.averaged is None else self._weights()
        if raw is not None:
            self.model.load_state_dict(self.averaged or {})
        total, was_training = torch.zeros((), dtype=self.dtype, device=self.device), self.model.training
        self.model.eval()
        with torch.no_grad(), isolated_rng(0):
            samples = self.objective.samples if self.objective.importance_weighted else 1
            chunk = max(1, VALIDATION_CHUNK // samples)
            for i, start in enumerate(range(0, len(self.valid), chunk)):
                rows = min(chunk, len(self.valid) - start)
                first, last = share(rows, self.workers.rank, self.workers.world)
                seed_generator(self.device, stream(self.settings.seed, VALIDATION, i))
                with self.precision.autocast():
                    batch = self.valid.batch(slice(start + first, start + last))
                    trace, log_px = terms(self.model, batch, samples, Noise(first, rows))
                if samples == 1:
                    bound = log_px - trace.kl()
                else:
                    bound = (log_px + trace.log_ratio()).logsumexp(0) - math.log(samples)
                total += bound.to(self.dtype).sum()
        self.model.train(was_training)
        if raw is not None:
            self.model.load_state_dict(raw)
        return -(self.workers.add(total) / len(self.valid)).item()

    def state(self) -> dict[str, Any]:
        """Weights, best weights, moments (copies, under flat names) and position."""
        position = {name: getattr(self, name) for name in SCALARS}
        position["best_loss"] = None if math.isinf(self.best_loss) else self.best_loss
        return {
            "model": self._weights(),
            "averaged": self.averaged and _copied(self.averaged),
            "best": self.best,
            "optimizer": self.optimizer.state(),
            "position": {**position, "sums": self.sums.tolist()},
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Continue from a state that :meth:`state` gave."""
        self.model.load_state_dict(state["model"])
        self.optimizer.load(state["optimizer"])
        position = state["position"]
        self.sums = torch.tensor(position["sums"], dtype=self.dtype, device=self.device).view_as(self.sums)
        for name in SCALARS:
            setattr(self, name, type(getattr(self, name))(position[name]))
        self.best_loss = math.inf if position["best_loss"] is None else float(position["best_loss"])
        for kind in ("best", "averaged"):
            weights = state[kind]
            setattr(self, kind, weights and {name: value.to(self.device).clone() for name, value in weights.items()})

    def _is_done(self) -> bool:
        settings = self.settings
        return self.solved or self.epoch >= settings.epochs or self.stale >= (settings.patience or math.inf)

    def _refuse(self) -> None:
        """Raise ValueError where model and objective do not fit, which a step on two examples tells."""
        with torch.no_grad(), isolated_rng(0):
            batch = self.train.batch(slice(0, 2))
            for progress in (0.0, 1.0):
                try:
                    self.step_module(batch, torch.tensor(progress, device=self.device))
                except (TypeError, NotImplementedError) as problem:
                    raise ValueError(f"these choices do not fit together: {problem}") from problem

    def _prepare(self) -> None:
        """Let the model start from examples."""
        seed_generator(self.device, stream(self.settings.seed, PREPARATION))
        most = max(PREPARED, NUMBERS // max(self.train.x[0].numel(), 1))
        order = permutation(len(self.train), stream(self.settings.seed, ORDER, 0))[:most]
        self.model.prepare(self.train.batch(order.to(self.device)))
        if self.averaged is not None:
            self.averaged = self._weights()

    def _weights(self) -> dict[str, Tensor]:
        return _copied(self.model.state_dict())

    @torch.no_grad()
    def _average(self, averaged: dict[str, Tensor], position: int) -> None:
        """Move the averaged weights towards the current ones; what is learned without gradients is copied."""
        decay = min(self.settings.average or 0.0, (1 + position) / (10 + position))
        current = self.model.state_dict()
        names = {name for name, _ in self.model.named_parameters()}
        for name in names:
            averaged[name].lerp_(current[name], 1 - decay)
        for name in averaged.keys() - names:
            averaged[name].copy_(current[name])

    def _solve(self) -> None:
        """An epoch of a model that learns without gradients."""
        started = time.perf_counter()
        with torch.no_grad():
            ended = object()
            self.solved = next(self.solver or iter(()), ended) is ended
            if self.solved and self.epoch:
                return
            for batch in self.train.chunks(VALIDATION_CHUNK):
                metrics = self.step_module(batch, self.progress.fill_(1.0))[1]
                self.sums += torch.stack([metrics[name] for name in METRICS]).to(self.dtype) * len(batch.x)
        self.seconds = time.perf_counter() - started
        if not self.sums.isfinite().all():
            raise _NonFiniteError(f"the loss became {self.sums[0].item()} in epoch {self.epoch + 1}")
        self._finish_epoch()

    def _run_epoch(self) -> None:
        if self.solver is not None:
            self._solve()
            return
        settings, n = self.settings, len(self.train)
        order = permutation(n, stream(settings.seed, ORDER, self.epoch)).to(self.device)
        check = 1 if self.device.type == "cpu" else 50
        started, before = time.perf_counter(), self.seconds
        while self.step < self.steps_per_epoch:
            begin = self.step * settings.batch_size
            self._step(order[begin : begin + settings.batch_size])
            self.seconds = before + time.perf_counter() - started
            self.reporter.step(self)
            if self.step % check == 0 or self.step == self.steps_per_epoch:
                self._check()
        if not all(p.isfinite().all() for p in self.parameters):
            raise _NonFiniteError(f"a weight became infinite in epoch {self.epoch + 1}")
        self._finish_epoch()

    def _check(self) -> None:
        if not math.isfinite(self.sums.sum().item()):
            raise _NonFiniteError(f"the loss became {self.sums[0].item()} in epoch {self.epoch + 1}")
        if self.workers.any(self.interrupts.asked is not None, self.device):  # whoever was asked, all stop at one step
            self.checkpoint(self)
            signal = self.interrupts.asked
            by = signal.name if signal else "another process"
            raise Interrupted(f"stopped by {by} in epoch {self.epoch + 1}", signal)

    def _step(self, index: Tensor) -> None:
        settings, position = self.settings, self.epoch * self.steps_per_epoch + self.step
        progress = position / (settings.epochs * self.steps_per_epoch)
        self.lr = settings.lr * self.rate * settings.schedule(progress)
        seed_generator(self.device, stream(settings.seed, STEP, position))
        first, last = share(len(index), self.workers.rank, self.workers.world)
        weight = (last - first) / len(index)
        self.step_module.noise = Noise(first, len(index)) if self.workers.world > 1 else Noise()
        rows = index[first : max(last, first + 1)]  # without a share of a small last batch: a row of weight 0
        with self.precision.autocast():
            batch = self.train.batch(rows, self.step_module.noise)
            loss, metrics, stats = self.callable(batch, self.progress.fill_(progress))
        self.optimizer.clear()
        (loss if self.workers.world == 1 else loss * weight * self.workers.world).backward()
        if settings.clip is not None:
            nn.utils.clip_grad_norm_(self.parameters, settings.clip)
        self.optimizer.step(self.lr)
        if stats:
            self.model.update({name: self.workers.add(value) for name, value in stats.items()})
        if self.averaged is not None:
            self._average(self.averaged, position)
        part = torch.stack([metrics[name] for name in METRICS])
        self.sums.add_(self.workers.add(part * weight), alpha=len(index))
        self.step += 1

    def _finish_epoch(self) -> None:
        means = dict(zip(METRICS, (self.sums / len(self.train)).tolist(), strict=True))
        val_loss = None if self.valid is None else self.validate()
        if val_loss is not None and not math.isfinite(val_loss):
            raise _NonFiniteError(f"the held-out loss became {val_loss} in epoch {self.epoch + 1}")
        self.epoch += 1
        self.stale += 1
        if val_loss is not None and val_loss < self.best_loss:
            self.best_loss, self.best_epoch, self.stale = val_loss, self.epoch, 0
            if self.settings.keep == "best":
                self.best = self._weights() if self.averaged is None else _copied(self.averaged)
        speed = len(self.train) / max(self.seconds, 1e-9)
        row = {"epoch": self.epoch, **means, "val_loss": val_loss, "lr": self.lr, "kl_each": self._kl_each()}
        self.reporter.epoch(self, {**row, "seconds": self.seconds, "examples_per_second": speed})
        self.step, self.seconds = 0, 0.0
        self.sums.zero_()

    def _kl_each(self) -> list[float] | None:
        """Mean KL of each latent dimension over the first examples, where it has a closed form."""
        was_training = self.model.training
        self.model.eval()
        with torch.no_grad(), isolated_rng(0):
            each = self.model.infer((self.valid or self.train).batch(slice(0, WATCHED))).kl_each()
        self.model.train(was_training)
        return None if each is None else [round(value, 4) for value in each.mean(0).tolist()]

    def _roll_back(self, good: dict[str, Any], problem: str) -> None:
        settings, rolled_back, rate = self.settings, self.rolled_back + 1, self.rate / 2
        if rolled_back > settings.rollbacks:
            raise FloatingPointError(
                f"{problem}, and again after {settings.rollbacks} returns to the last good weights at lower rates; "
                f"try a learning rate below {settings.lr * rate:.1e}, gradient clipping (clip=1) or precision fp32, "
                "and look for extreme values in the data"
            )
        self.load_state(good)
        self.rolled_back, self.rate = rolled_back, rate
        self.reporter.note(f"{problem}: back to the last good weights, at half the learning rate")

    def _wrapped(self, step: Step) -> Callable[..., tuple[Tensor, dict[str, Tensor], dict[str, Tensor]]]:
        if self.workers.world > 1:
            return nn.parallel.DistributedDataParallel(step)
        return torch.compile(step) if self.settings.compile else step  # pyright: ignore[reportReturnType]


def _copied(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same values, which later steps do not change."""
    return {name: value.clone() for name, value in weights.items()}
