"""Anomalies in tables and images as a scikit-learn estimator."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from sklearn.base import OutlierMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted, validate_data

from vaekit import store
from vaekit.data import Table
from vaekit.models import GaussianTable
from vaekit.recipes import Run, parts_of
from vaekit.recipes.assemble import supports
from vaekit.recipes.detection import (
    FILE,
    Explanation,
    baseline_of,
    baseline_surprises,
    explain,
    is_table,
    linear_baseline,
    surprises,
    train_detector,
)
from vaekit.tasks import p_values, threshold

from .base import Trained, dense, make_reporter

BASELINE = "baseline.safetensors"


class VAEDetector(OutlierMixin, Trained):
    """Finds rows of a table, or images, that are unlike those it was fitted to, and says why.

    The score is minus the surprise, -log p(x) in nats under a few small variational autoencoders, estimated by
    importance sampling with the same noise for every example. ``X`` is a data frame, an array (N, D), or the path of a
    CSV or Parquet file: numbers, categories and dates, missing cells included, of which only observed ones count. Or it
    is images, (N, H, W), (N, H, W, C) or (N, C, H, W); of their surprise the size that a general-purpose compressor
    packs them to is taken away, as likelihood prefers simple images (Serrà et al., 2020), unless its noise has a floor,
    below which detail does not count; ``choices=vaekit.recipes.preset("detection-images")`` has one.

    A share ``held_out`` of X is not learned from. A new example's p-value is its rank among their surprises: of
    examples like those in X a share of at most α has p-values of at most α, whatever the model.

    Parameters
    ----------
    contamination : "auto" or float, default="auto"
        Share of X that is to be called anomalies, above 0 and at most 0.5; it sets ``offset_``. With "auto" those are
        called so whose p-value is at most ``false_alarm``.
    false_alarm : float, default=0.01
        Share of normal examples that may be called anomalies, or 1 / (held-out rows + 1) if that is more.
    robustness : float, default=0.1
        Weight, from 0 to 1, of the models of a table's core in the surprise: -(1 - r) log p(x) - r log p_core(x). The
        models of all rows know every detail, and anomalies among the rows; those of the core find these very
        surprising, so that a small weight is enough. 0 where X is known to hold none.
    trim : float, default=0.4
        Share of the rows of a table that are not in its core, as they fit the others least.
    members : int, default=1
        Models of all rows, and as many of the core, whose surprises are averaged.
    samples : int, default=8
        Importance samples for each model.
    held_out : float, default=0.1
        Share of X that is kept for the p-values.
    choices : mapping, default=None
        Choices of the training that differ from those of the preset ``detection`` (see ``vaekit info detection``): the
        parameters of :class:`vaekit.VAE`.
    epochs : int, default=None
        Passes over the training rows; None chooses.
    seed : int, default=0
        Seed of everything random.
    device : str, default="auto"
        Where everything is computed: auto, cpu, cuda, cuda:N or mps.
    verbose : bool, default=None
        Progress of training: True shows it, False does not, None shows it on terminals and in notebooks only.

    Attributes
    ----------
    offset_ : float
        Scores below it are anomalies.
    held_out_ : ndarray of shape (n,)
        Surprises of held-out examples, for the p-values.
    n_features_in_ : int
        Numbers in one example.
    feature_names_in_ : ndarray of str
        Names of the columns of a data frame or file.
    runs_, weights_ : tuple of Run, tuple of float
        The trained models, those of the core first, and what their surprises count.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from vaekit import VAEDetector
    >>> wine = load_wine(as_frame=True).data
    >>> detector = VAEDetector(contamination=0.05, verbose=False).fit(wine)
    >>> int((detector.predict(wine) == -1).sum())
    9
    """

    def __init__(
        self,
        *,
        contamination: str | float = "auto",
        false_alarm: float = 0.01,
        robustness: float = 0.1,
        trim: float = 0.4,
        members: int = 1,
        samples: int = 8,
        held_out: float = 0.1,
        choices: Mapping[str, Any] | None = None,
        epochs: int | None = None,
        seed: int = 0,
        device: str = "auto",
        verbose: bool | None = None,
    ):
        self.contamination = contamination
        self.false_alarm = false_alarm
        self.robustness = robustness
        self.trim = trim
        self.members = members
        self.samples = samples
        self.held_out = held_out
        self.choices = choices
        self.epochs = epochs
        self.seed = seed
        self.device = device
        self.verbose = verbose

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn what X looks like; y is ignored. Raises ValueError or TypeError with one sentence for bad input."""
        self._check()
        x = self._examples(X, reset=True)
        given = self._chosen(held_out=self.held_out)
        reporter = make_reporter(self.verbose)
        found = train_detector(
            x, given, members=self.members, trim=self.trim, robustness=self.robustness, reporter=reporter
        )
        self.runs_, self.weights_ = found.runs, found.weights
        held = found.held if len(found.held) else np.arange(len(x))
        schema = self.runs_[0].schema
        self._tell(schema, x)
        self._compare(found.baseline, x[held])
        seen = None if self.contamination == "auto" else self._surprise(x)
        return self._calibrate(self._surprise(x[held]) if seen is None else seen[held], seen)

    @classmethod
    def from_run(cls, run: Run | str | Path, X: Any = None, **parameters: Any) -> Self:
        """A detector of what is unlike the data of a trained run, such as ``vaekit train`` writes.

        ``X`` are examples that the run was not trained on, for threshold and p-values; without them these are the
        held-out examples of its data, or the training examples if there are none. ``parameters`` are those of the
        constructor. Raises ValueError for a run whose data are not known.
        """
        run = run if isinstance(run, Run) else Run.load(run)
        detector = cls(**{"seed": run.request.seed, "members": 1, **parameters})
        detector._check()
        detector._adopt((run,), (1.0,))
        parts = {} if X is not None else parts_of(run)
        part = parts.get("held-out", parts.get("train"))
        x = detector._examples(X if part is None else part.x)
        if is_table(run.schema) and "train" in parts:
            rows = torch.from_numpy(run.schema.normalize(parts["train"].x))
            detector._compare(linear_baseline(rows, supports(run.schema)), x)
        surprise = detector._surprise(x)
        return detector._calibrate(surprise, surprise)

    def score_samples(self, X: Any) -> np.ndarray:
        """Minus the surprise in nats, to four decimals, beyond which float32 says nothing, float64 (N,): higher is more
        normal.
        """
        check_is_fitted(self, "runs_")
        return -self._surprise(self._examples(X)).round(4)

    def decision_function(self, X: Any) -> np.ndarray:
        """``score_samples`` less ``offset_``: negative for anomalies."""
        return self.score_samples(X) - self.offset_

    def predict(self, X: Any) -> np.ndarray:
        """-1 for anomalies, 1 for all others, (N,)."""
        return np.where(self.decision_function(X) < 0, -1, 1)

    def p_values(self, X: Any) -> np.ndarray:
        """The probability that an example like those of ``fit`` is at least as surprising, (N,)."""
        return p_values(-self.score_samples(X), self.held_out_)

    def baseline_p_values(self, X: Any) -> np.ndarray | None:
        """The same by the linear-Gaussian model, a normal distribution with a full covariance, to compare with; None of
        images, of tables of more than a thousand columns, and of runs whose data are not known.
        """
        check_is_fitted(self, "runs_")
        schema = self.runs_[0].schema
        if not (is_table(schema) and hasattr(self, "baseline_")):
            return None
        found = baseline_surprises(self.baseline_, schema, self._examples(X))
        return p_values(found, self.baseline_held_out_)

    def explain(self, X: Any, *, top: int = 5, level: float = 0.9) -> Explanation:
        """What each row of a table, or image, is surprising for: parts in nats that add up to its surprise, and the
        ``top`` cells of each row that add most, with what the model expects where the cell is hidden and a central
        interval of probability ``level``.
        """
        check_is_fitted(self, "runs_")
        return explain(
            self._placed(),
            self.weights_,
            self._examples(X),
            self.samples,
            top=top,
            level=level,
            seed=int(self.seed),
        )

    def save(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write a run folder with ``detector.json`` beside, which :meth:`load` and the command line read.

        Members after the first are runs in folders of their own inside.
        """
        check_is_fitted(self, "runs_")
        first, *others = self.runs_
        folder = first.save(path, overwrite=overwrite)
        for number, run in enumerate(others, 1):
            run.save(folder / f"member-{number}", overwrite=overwrite)
        names = (
            "contamination",
            "false_alarm",
            "robustness",
            "trim",
            "members",
            "samples",
            "held_out",
            "epochs",
            "seed",
        )
        content = {
            "parameters": {name: getattr(self, name) for name in names},
            "weights": self.weights_,
            "offset": self.offset_,
            "held_out": self.held_out_.tolist(),
        }
        store.write_json(folder / FILE, content)
        if hasattr(self, "baseline_"):
            normal = {name: value.numpy() for name, value in self.baseline_.gaussian._asdict().items()}
            store.write_tensors(folder / BASELINE, {**normal, "held_out": self.baseline_held_out_})
        return folder

    @classmethod
    def load(cls, path: str | Path, *, device: str = "auto") -> Self:
        """A fitted detector from the folder that :meth:`save` wrote. Raises OSError or ValueError if there is none."""
        content = store.read_json(Path(path).expanduser() / FILE)
        try:
            detector = cls(**content["parameters"], device=device)
            offset, held_out = float(content["offset"]), np.array(content["held_out"], np.float64)
            weights = tuple(map(float, content["weights"]))
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{path} is damaged: its {FILE} lacks or misspells {error}") from error
        folders = [Path(path), *(Path(path) / f"member-{number}" for number in range(1, len(weights)))]
        detector._adopt(tuple(Run.load(folder) for folder in folders), weights)
        detector.offset_, detector.held_out_ = offset, held_out
        schema, baseline = detector.runs_[0].schema, Path(path).expanduser() / BASELINE
        if is_table(schema) and baseline.exists():
            tensors, _ = store.read_tensors(baseline)
            detector.baseline_held_out_ = tensors.pop("held_out")
            detector.baseline_ = baseline_of(schema, tensors)
        return detector

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = tags.input_tags.allow_nan = True
        tags.input_tags.string = tags.input_tags.categorical = True
        return tags

    @property
    def _trained(self) -> tuple[Run, ...]:
        return getattr(self, "runs_", ())

    def _check(self) -> None:
        share = self.contamination
        if share != "auto" and not (isinstance(share, (int, float)) and 0 < share <= 0.5):
            raise ValueError(f"contamination is 'auto' or a share above 0 and at most 0.5, got {share!r}")
        if not 0 < self.false_alarm < 1:
            raise ValueError(f"false_alarm is a share between 0 and 1, got {self.false_alarm!r}")
        if not 0 <= self.robustness <= 1:
            raise ValueError(f"robustness is a weight from 0 to 1, got {self.robustness!r}")
        if not 0 <= self.trim < 1:
            raise ValueError(f"trim is a share of at least 0 and below 1, got {self.trim!r}")
        if self.members < 1 or self.samples < 1:
            raise ValueError(f"expected members >= 1 and samples >= 1, got {self.members} and {self.samples}")

    def _compare(self, baseline: GaussianTable | None, held: Any) -> None:
        """Keep a linear model of the rows of a table, and what it says of those that it has not seen."""
        schema = self.runs_[0].schema
        if baseline is not None and is_table(schema):
            self.baseline_, self.baseline_held_out_ = baseline, baseline_surprises(baseline, schema, held)

    def _calibrate(self, held: np.ndarray, seen: np.ndarray | None) -> Self:
        """The threshold from the surprises of held-out examples, or with a contamination of all."""
        self.held_out_ = np.sort(held)
        if self.contamination == "auto" or seen is None:
            self.offset_ = -threshold(held, max(self.false_alarm, 1 / (1 + len(held))))
        else:
            self.offset_ = float(np.percentile(-seen, 100 * float(self.contamination)))
        return self

    def _adopt(self, runs: tuple[Run, ...], weights: tuple[float, ...]) -> None:
        self.runs_, self.weights_, schema = runs, weights, runs[0].schema
        self._know_features(schema)

    def _surprise(self, x: Any) -> np.ndarray:
        return surprises(self._placed(), self.weights_, x, self.samples, seed=int(self.seed))[0]

    def _examples(self, X: Any, *, reset: bool = False) -> Any:
        """X as a table, or as an array of images; once fitted, as what it was in ``fit``."""
        images = not reset and not is_table(self.runs_[0].schema)
        if Table.suits(X) and not images:
            table = Table.read(X)
            if not isinstance(X, (Table, str, Path)):
                validate_data(self, X, reset=reset, skip_check_array=True)
            return table
        x = dense(X, allow_nd=True)
        validate_data(self, X, reset=reset, skip_check_array=True, ensure_2d=x.ndim == 2)
        return x if images or x.ndim > 2 else Table.read(x)
