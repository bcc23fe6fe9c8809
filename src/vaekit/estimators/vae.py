"""A variational autoencoder as a scikit-learn transformer."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import Tags, check_array
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor

from vaekit import evaluation, tasks
from vaekit.container import Reader
from vaekit.core import Family, LatentModel, Objective, Prior
from vaekit.data import Dataset, Table, TableSchema
from vaekit.data.arrays import as_array
from vaekit.networks import Network
from vaekit.recipes import Run, TrainRequest, codec, codec_files, preset, refit, train
from vaekit.training import Feed, Interrupted, Schedule
from vaekit.training.refit import Refit

from .base import Trained, make_reporter

Choice = str | Mapping[str, Any]
OF_THE_DATA = ("data", "resize", "include_test")  # fields of a request that say which data; an estimator is given them
CHOICES = tuple(name for name in TrainRequest.model_fields if name not in OF_THE_DATA)


class VAE(ClassNamePrefixFeaturesOutMixin, TransformerMixin, Trained):
    """Variational autoencoder: learns, from unlabelled data alone, what the data look like.

    ``X`` is an array, list or tensor of numbers: vectors (N, D), or images (N, H, W), (N, H, W, C) or (N, C, H, W). Or
    it is a table: a data frame (pandas, polars, pyarrow), the path of a CSV or Parquet file, or an array (N, D) with
    missing cells (NaN) or texts. What its columns are is found in ``fit``; they may be numbers, categories or dates,
    and have missing cells. Scaling and columns are kept as ``schema_`` and undone in every result, so that X may stay
    as it is: rows come back as they were given, with the columns' types and precision. Columns of a table are found by
    name; those that cannot be used are left out with a warning. Results of ``transform`` are NumPy arrays, unless
    ``set_output`` asks for data frames. Parameters that
    are None are chosen from the data; ``run_.request`` says how. The global random state is neither used nor changed:
    on the same machine, the same parameters and data give the same result.

    Parameters
    ----------
    held_out : float, default=0.1
        Share of the examples kept for choosing the best weights; 0 keeps none and the last weights are taken.
    binarize : bool, default=False
        Treat values scaled to [0, 1] as probabilities and learn draws of 0 and 1 from them, anew at each look.
    columns : str, Path or dict, default=None
        What columns of a table are, where it should not be guessed: a file that ``vaekit data show --save`` writes, or
        its content, such as ``{"age": {"kind": "count"}, "note": {"kind": "left-out"}}``.
    conditional : bool, default=False
        Tell encoder, decoder and prior what ``y`` says of each example: its label, or numbers that describe it.
    model : str or dict, default="one-layer"
        How the latents chain. This and the choices below are a name, a dictionary of name and options such as
        ``{"name": "mlp", "hidden": [64]}``, or, except for the model, an instance such as ``MLP([64])``, which is
        copied.
    latent_dim : int or tuple of int, default=None
        Number of latent dimensions, or channels, height and width of a latent image.
    network : str, dict or Network, default=None
        Network of encoder and decoder.
    likelihood : str, dict or Family, default=None
        Distribution of the data given the latents.
    posterior : str, dict or Family, default="diagonal-normal"
        Distribution of the latents given the data.
    prior : str, dict or Prior, default=None
        Distribution of the latents.
    refit : str, dict or Prior, default=None
        Prior that is fitted to the latents after training and takes the place of ``prior``.
    refit_epochs : int, default=20
        Passes over the latents in fitting it.
    objective : str, dict or Objective, default="elbo"
        Bound that is maximized.
    beta : float, default=None
        Weight of the KL, short for the objective's option of that name.
    warmup : float, default=None
        Share of the steps over which the KL's weight rises, short for the objective's option of that name.
    epochs : int, default=None
        Passes over the training data.
    batch_size : int, default=None
        Examples in a step.
    lr : float, default=2e-3
        Learning rate of Adam, the schedule's peak.
    schedule : str, dict or Schedule, default="one-cycle"
        Course of the learning rate.
    clip : float, default=None
        Largest norm of the gradient; None does not clip.
    weight_decay : float, default=0.0
        Decoupled weight decay.
    weight_step : float, default=None
        Step to which weights are stored; what that takes is then part of what is minimized. None does not count it.
    average : float, default=None
        Decay of an exponential moving average of the weights, which is then what is kept.
    keep : {"best", "last"}, default="best"
        Weights to keep: those with the best held-out bound, or the last.
    patience : int, default=None
        Epochs without a better held-out bound before training stops; None trains to the last epoch.
    seed : int, default=0
        Seed of everything random.
    split_seed : int, default=None
        Seed of what is held out, if it is not to be that of the rest.
    device : str, default="auto"
        Where everything is computed: auto, cpu, cuda, cuda:N or mps.
    precision : {"auto", "fp32", "bf16"}, default="auto"
        Number format of the networks in training; ``auto`` is bf16 where the hardware multiplies it faster.
    compile : bool, default=False
        Compile the training step with ``torch.compile``, which needs a C++ compiler.
    init : str or Path, default=None
        Folder of a saved run whose weights are the start of training; the model must be the same, as it is in
        ``vaekit.load(path).set_params(init=path, epochs=5)``.
    samples : int, default=100
        Importance samples for ``score_samples``, ``score`` and ``evaluate``.
    verbose : bool, default=None
        Progress of training: True shows it, False does not, None shows it on terminals and in notebooks only.

    Attributes
    ----------
    n_features_in_ : int
        Numbers in one example.
    feature_names_in_ : ndarray of str
        Names of the columns of a data frame or file.
    n_iter_ : int
        Epochs trained.
    history_ : list of dict
        One row an epoch: ``epoch``, ``loss``, ``reconstruction``, ``kl``, ``val_loss`` (nats per example), ``lr``,
        ``seconds``, ``examples_per_second``.
    schema_ : Schema or TableSchema
        Layout, scaling and columns of the data.
    model_ : LatentModel
        The trained torch module, for the functions of ``vaekit.tasks``.
    run_ : Run
        All of it, with ``run_.request``: the choices, completed from the data.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from vaekit import VAE
    >>> x = load_digits().images.astype("uint8")
    >>> vae = VAE(latent_dim=2, epochs=3, verbose=False).fit(x)
    >>> vae.transform(x).shape
    (1797, 2)
    >>> vae.sample(16).shape
    (16, 8, 8)
    """

    def __init__(
        self,
        *,
        columns: str | Path | Mapping[str, Any] | None = None,
        held_out: float = 0.1,
        binarize: bool = False,
        conditional: bool = False,
        model: Choice = "one-layer",
        latent_dim: int | tuple[int, ...] | None = None,
        network: Choice | Network | None = None,
        likelihood: Choice | Family | None = None,
        posterior: Choice | Family = "diagonal-normal",
        prior: Choice | Prior | None = None,
        refit: Choice | Prior | None = None,
        refit_epochs: int = 20,
        objective: Choice | Objective = "elbo",
        beta: float | None = None,
        warmup: float | None = None,
        epochs: int | None = None,
        batch_size: int | None = None,
        lr: float = 2e-3,
        schedule: Choice | Schedule = "one-cycle",
        clip: float | None = None,
        weight_decay: float = 0.0,
        weight_step: float | None = None,
        average: float | None = None,
        keep: str = "best",
        patience: int | None = None,
        seed: int = 0,
        split_seed: int | None = None,
        device: str = "auto",
        precision: str = "auto",
        compile: bool = False,
        init: str | Path | None = None,
        samples: int = 100,
        verbose: bool | None = None,
    ):
        self.columns = columns
        self.held_out = held_out
        self.binarize = binarize
        self.conditional = conditional
        self.model = model
        self.latent_dim = latent_dim
        self.network = network
        self.likelihood = likelihood
        self.posterior = posterior
        self.prior = prior
        self.refit = refit
        self.refit_epochs = refit_epochs
        self.objective = objective
        self.beta = beta
        self.warmup = warmup
        self.epochs = epochs
        self.batch_size = batch_size
        self.lr = lr
        self.schedule = schedule
        self.clip = clip
        self.weight_decay = weight_decay
        self.weight_step = weight_step
        self.average = average
        self.keep = keep
        self.patience = patience
        self.seed = seed
        self.split_seed = split_seed
        self.device = device
        self.precision = precision
        self.compile = compile
        self.init = init
        self.samples = samples
        self.verbose = verbose

    @classmethod
    def from_preset(cls, name: str, **changes: Any) -> Self:
        """An untrained VAE with the training choices of a preset, such as ``article``, and with ``changes`` to them."""
        chosen = {key: value for key, value in preset(name).items() if key in CHOICES}
        return cls(**(chosen | changes))

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn from X.

        ``y`` is used by conditional models alone: one label for each example (names, or class indices with -1 where
        unknown), or numbers that describe it, (N, C), with NaN where unknown.

        Ctrl-C, SIGTERM and the stop button of a notebook end training with ``Interrupted``, a KeyboardInterrupt; if an
        epoch was done by then, the VAE is fitted all the same, with the best weights so far. Raises ValueError or
        TypeError with one sentence for choices or data that cannot be used.
        """
        request = self._request()
        x, columns = self._examples(X, reset=True)
        dataset = Dataset("array", x, y if self.conditional else None, columns=columns)
        reporter = make_reporter(self.verbose)
        try:
            self._adopt(train(request, dataset=dataset, init=self.init, reporter=reporter))
        except Interrupted as stopped:
            if stopped.run is not None:
                self._adopt(stopped.run)
            raise
        self._tell(self.schema_, x)
        return self

    def transform(self, X: Any, y: Any = None) -> np.ndarray:
        """The latents' posterior means E[z|x], float32 (N, D); nothing is drawn at random.

        Here and below ``y`` is what a conditional model is told of each example, as in ``fit``; None is unknown.
        """
        return tasks.encode(self._model(), self._feed(X, y)).numpy()

    def inverse_transform(self, X: Any, y: Any = None, *, round: bool = True) -> Any:
        """Latents (N, latent_dim) ↦ the means of p(x|z), in the data's layout, dtype and units; of a table's categories
        the likeliest.

        Where the data are whole numbers or lie on a grid, such as pixels of 0 to 255, so do the results; with
        ``round=False`` they are the means themselves, as floating-point numbers. Continuous data are never rounded. The
        columns of a table always have their own precision.
        """
        model, z = self._model(), check_array(as_array(X)[0], dtype="float32", input_name="z")
        return self._restore(tasks.decode(model, torch.tensor(z), self.run_.context(len(z), y)), round)

    def reconstruct(self, X: Any, y: Any = None, *, round: bool = True) -> Any:
        """X as the model sees it: ``inverse_transform(transform(X))``, missing cells of a table filled in."""
        restored = self._restore(tasks.reconstruct(self._model(), self._feed(X, y)), round)
        if hasattr(restored, "set_axis") and hasattr(X, "set_axis"):  # pandas: the same rows
            restored.index = X.index
        return restored

    def sample(
        self, n: int = 1, y: Any = None, *, draw: bool = False, seed: int | None = None, round: bool = True
    ) -> Any:
        """N new examples in the data's layout, dtype and units (see ``inverse_transform`` for ``round``).

        Latents come from the prior; an example is the mean of p(x|z), or with ``draw`` a draw from it, noise included.
        The same ``seed`` (default: the parameter) gives the same examples. ``y``: one label for all, or one for each.
        """
        model, c = self._model(), self.run_.context(n, y)
        x = tasks.generate(model, n, c, draw=draw, seed=int(self.seed if seed is None else seed))
        return self._restore(x, round)

    def score_samples(self, X: Any, y: Any = None) -> np.ndarray:
        """Log-likelihood of each example in nats, float32 (N,): higher is more like the training data.

        An importance-sampled estimate of log p(x) with ``samples`` draws, the same for every example, so that a score
        depends on nothing but the example: a density in original units, or a probability where the data lie on a
        grid. Where the likelihood is neither (``bernoulli`` on grey values), it is the evidence lower bound instead.
        """
        estimate = tasks.importance(self._model(), self._feed(X, y), self.samples, seed=int(self.seed))
        return (estimate.log_likelihood if self.model_.has_density else estimate.elbo).float().numpy()

    def score(self, X: Any, y: Any = None) -> float:
        """The mean of ``score_samples``. ``evaluate`` estimates it with a smaller error."""
        return float(self.score_samples(X, y if self.conditional else None).mean(dtype=np.float64))

    def evaluate(self, X: Any, y: Any = None, *, samples: int | None = None) -> evaluation.Evaluation:
        """Bound, log-likelihood, bits per dimension, active units and the quality of reconstructions on X."""
        model, feed = self._model(), self._feed(X, y)
        return evaluation.evaluate(model, feed, self.samples if samples is None else samples, seed=int(self.seed))

    def compress(self, X: Any, y: Any = None, *, quality: float | None = None, verify: bool = True) -> bytes:
        """X in as few bytes as the model needs: about its evidence bound, by bits-back coding.

        ``decompress`` gives back the same X, with this model and on a machine that computes the same; both are checked.
        A conditional model is told the labels ``y``, which are coded too; without them it takes X for unlabelled. With
        ``verify`` every part is decoded again and compared at once. What the model cannot code, such as values beyond
        the training data's range, is packed without it. With a ``quality`` of 0 to 100 pictures become what their
        latents, rounded, say of them, and other pictures come back. Raises ValueError for data of another shape, and
        TypeError for choices that have no code, with what to choose instead.
        """
        check_is_fitted(self, "run_")
        stream = io.BytesIO()
        codec.compress(self.run_, codec_files.of_array(self.run_, X, y), stream, quality=quality, verify=verify)
        return stream.getvalue()

    def decompress(self, blob: bytes) -> Any:
        """What ``compress`` was given, as an array of the same values and dtype.

        Raises ValueError for bytes that are damaged, of another model, or written where it computes otherwise.
        """
        check_is_fitted(self, "run_")
        return codec_files.array(codec.decompress(self.run_, Reader(blob)))

    def refit_prior(
        self, X: Any, y: Any = None, *, prior: Choice | Prior = "gaussian-mixture", epochs: int = 20
    ) -> Refit:
        """Replace the prior by one fitted to the latents of X, the examples of ``fit``; encoder and decoder stay.

        Returns the cost of the latents before and after. The parameter ``prior`` stays as it was, ``run_.request``
        holds the new one.
        """
        self._model()
        run, report = refit(self.run_, prior, self._examples(X)[0], y, epochs=epochs, seed=int(self.seed))
        self._adopt(run)
        return report

    def save(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write a run folder, which ``vaekit.load`` and the command line read; its path is returned.

        It holds the model, the schema, the history and the training choices; not ``samples``, ``verbose`` and ``init``.
        Raises FileExistsError if there is a run already and ``overwrite`` is not set, or anything that is not a run.
        """
        check_is_fitted(self, "run_")
        return self.run_.save(path, overwrite=overwrite)

    @property
    def _n_features_out(self) -> int:
        return tasks.latent_size(self.model_)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = tags.input_tags.allow_nan = True
        tags.input_tags.string = tags.input_tags.categorical = True
        if tags.transformer_tags is not None:
            tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

    @property
    def _trained(self) -> tuple[Run, ...]:
        return (self.run_,) if hasattr(self, "run_") else ()

    def _request(self) -> TrainRequest:
        given = {name: getattr(self, name) for name in CHOICES}
        return TrainRequest.parse({k: v.item() if isinstance(v, np.generic) else v for k, v in given.items()})

    def _adopt(self, run: Run) -> Self:
        self.run_, self.model_, self.schema_, self.history_ = run, run.model, run.schema, run.history
        self.n_iter_ = len(run.history)
        self._know_features(run.schema)
        return self

    def _model(self) -> LatentModel:
        """The trained model, on the device to compute on."""
        check_is_fitted(self, "run_")
        return self._placed()[0].model

    def _feed(self, X: Any, y: Any = None) -> Feed:
        return self.run_.feed(self._examples(X)[0], y)

    def _examples(self, X: Any, *, reset: bool = False) -> tuple[Any, tuple[str, ...]]:
        """X as a table, or as an array with its column names; once fitted, as what it was in ``fit``."""
        as_table = Table.suits(X) if reset else isinstance(self.schema_, TableSchema)
        return (Table.read(X), ()) if as_table else self._array(X, reset=reset)

    def _array(self, X: Any, *, reset: bool = False) -> tuple[np.ndarray, tuple[str, ...]]:
        """X as an array, with its column names. What scikit-learn checks of features is recorded or compared."""
        of_objects = getattr(getattr(X, "dtype", None), "hasobject", False)
        x, columns = as_array(check_array(X, allow_nd=True, ensure_all_finite=False) if of_objects else X)
        validate_data(self, X, reset=reset, skip_check_array=True, ensure_2d=x.ndim == 2)
        return x, columns

    def _restore(self, x: Tensor, round: bool) -> Any:
        schema = self.schema_
        return schema.restore(x.numpy()) if isinstance(schema, TableSchema) else schema.restore(x.numpy(), round=round)


def load(path: str | Path, *, device: str = "auto") -> VAE:
    """A fitted VAE from a run folder, written by ``VAE.save`` or by ``vaekit train``.

    Its parameters are the run's choices, completed from the data; ``device`` is where it computes from now on.
    Raises OSError or ValueError with one sentence if the folder is missing, damaged or foreign.
    """
    run = Run.load(path)
    chosen: dict[str, Any] = {name: getattr(run.request, name) for name in CHOICES} | {"device": device}
    short = {name: value["name"] for name, value in chosen.items() if isinstance(value, dict) and len(value) == 1}
    vae = VAE(**(chosen | short))
    if run.schema.columns and not isinstance(run.schema, TableSchema):
        vae.feature_names_in_ = np.array(run.schema.columns, dtype=object)
    return vae._adopt(run)
