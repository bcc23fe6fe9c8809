"""Synthetic rows of a table as a scikit-learn estimator."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from sklearn.utils.validation import check_is_fitted

from vaekit.data import Table
from vaekit.evaluation.fidelity import Fidelity
from vaekit.recipes import Run
from vaekit.recipes.synthesis import assess, plain_schema, synthesize, train_synthesizer

from .base import Trained, make_reporter


class VAESynthesizer(Trained):
    """Learns what the rows of a table look like, and draws new ones.

    ``X`` is a data frame (pandas, polars, pyarrow), an array (N, D) or the path of a CSV or Parquet file. Numbers,
    counts, categories, dates, missing cells, values that are much more frequent than others, and the precision in
    which numbers are recorded are found in ``fit`` and come back in new rows. The model is a variational autoencoder
    whose decoder draws column after column, each given the earlier ones (``vaekit info synthesis``). Real rows should
    be kept out of ``fit`` for :meth:`report`, which also checks for copies of training rows; that is no guarantee of
    privacy.

    Parameters
    ----------
    choices : mapping, default=None
        Choices of the training that differ from the preset ``synthesis``, such as ``{"latent_dim": 8}``: the
        parameters of :class:`vaekit.VAE`.
    epochs : int, default=None
        Passes over the training rows; None takes those of the preset.
    seed : int, default=0
        Seed of everything random.
    device : str, default="auto"
        Where everything is computed: auto, cpu, cuda, cuda:N or mps.
    verbose : bool, default=None
        Progress of training: True shows it, False does not, None shows it on terminals and in notebooks only.

    Attributes
    ----------
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of str
        Their names; only where X was a data frame or a file.
    run_ : Run
        The trained model with all choices.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from vaekit import VAESynthesizer
    >>> wine = load_wine(as_frame=True).frame
    >>> rows = VAESynthesizer(epochs=3, verbose=False).fit(wine).sample(5, where={"target": 1})
    >>> rows.shape, rows.target.tolist()
    ((5, 14), [1, 1, 1, 1, 1])
    """

    def __init__(
        self,
        *,
        choices: Mapping[str, Any] | None = None,
        epochs: int | None = None,
        seed: int = 0,
        device: str = "auto",
        verbose: bool | None = None,
    ):
        self.choices = choices
        self.epochs = epochs
        self.seed = seed
        self.device = device
        self.verbose = verbose

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn from the rows of X; y is ignored. Raises ValueError or TypeError with one sentence for bad input."""
        table = Table.read(X)
        self._adopt(train_synthesizer(table, self._chosen(), reporter=make_reporter(self.verbose)), table)
        self._tell(plain_schema(self.run_), table)
        return self

    @classmethod
    def from_run(cls, path: str | Path, *, device: str = "auto") -> Self:
        """A fitted synthesizer from a run folder, such as ``vaekit synthesize`` and :meth:`save` write; its choices
        are the run's.

        ``report`` then needs to be given the training rows.
        """
        run = Run.load(path)
        fields = {name: value for name, value in run.request.to_json().items() if value is not None}
        return cls(choices=fields, seed=run.request.seed, device=device)._adopt(run, None)

    def sample(self, n: int = 1, where: Mapping[str, Any] | None = None, *, seed: int | None = None) -> Any:
        """N new rows with the columns, types and library of the training rows; with ``where`` those that have the
        given values in some columns, such as ``{"income": ">50K"}`` (None for a missing cell).

        The same ``seed`` (default: the parameter) gives the same rows.
        """
        check_is_fitted(self, "run_")
        return synthesize(self._placed()[0], n, where, seed=int(self.seed if seed is None else seed))

    def report(self, real: Any, train: Any = None, *, n: int | None = None, target: str | None = None) -> Fidelity:
        """How close ``n`` synthetic rows (default: as many as were trained on) are to real rows that were not in
        ``fit``, each number beside that of the training rows and of a Gaussian copula; ``target`` is a column to
        predict.
        """
        check_is_fitted(self, "run_")
        train = self.rows_ if train is None else Table.read(train)
        if train is None:
            raise ValueError("a synthesizer that was loaded does not hold its training rows; pass them as train")
        rows = self.sample(len(train) if n is None else n, seed=int(self.seed) + 1)
        return assess(self.run_, rows, real, train, target=target, seed=int(self.seed))

    def save(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write a run folder, which :meth:`from_run` and the command line read; its path is returned."""
        check_is_fitted(self, "run_")
        return self.run_.save(path, overwrite=overwrite)

    def _adopt(self, run: Run, rows: Table | None) -> Self:
        self.run_, self.rows_ = run, rows
        self._know_features(plain_schema(run))
        return self

    @property
    def _trained(self) -> tuple[Run, ...]:
        return (self.run_,) if hasattr(self, "run_") else ()
