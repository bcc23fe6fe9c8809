"""The detector as users of PyOD know detectors."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.utils.validation import check_is_fitted

from .detector import VAEDetector


class PyODDetector(BaseEstimator):
    """:class:`VAEDetector` with PyOD's conventions: scores are higher for anomalies, labels 0 and 1.

    Parameters
    ----------
    detector : VAEDetector, default=None
        What to fit, copied; None takes one with the defaults. Its contamination is replaced.
    contamination : float, default=0.1
        Share of the training rows that are anomalies.

    Attributes
    ----------
    decision_scores_ : ndarray of shape (n_samples,)
        Scores of the training rows.
    threshold_ : float
        Rows with a higher score are anomalies.
    labels_ : ndarray of shape (n_samples,)
        1 for anomalies among the training rows, 0 for all others.
    detector_ : VAEDetector
        The fitted detector.
    """

    def __init__(self, detector: VAEDetector | None = None, *, contamination: float = 0.1):
        self.detector = detector
        self.contamination = contamination

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn from X; y is ignored."""
        chosen: dict[str, Any] = {} if self.detector is None else clone(self.detector).get_params()  # pyright: ignore
        chosen["contamination"] = self.contamination
        self.detector_ = VAEDetector(**chosen).fit(X)
        self.decision_scores_ = self.decision_function(X)
        self.threshold_ = -self.detector_.offset_
        self.labels_ = (self.decision_scores_ > self.threshold_).astype(int)
        return self

    def decision_function(self, X: Any) -> np.ndarray:
        """The surprise in nats, (N,)."""
        check_is_fitted(self, "detector_")
        return -self.detector_.score_samples(X)

    def predict(self, X: Any) -> np.ndarray:
        """1 for anomalies, 0 for all others, (N,)."""
        return (self.decision_function(X) > self.threshold_).astype(int)

    def predict_proba(self, X: Any) -> np.ndarray:
        """(N, 2): the score scaled linearly so that the training rows' lie between 0 and 1, and what is left to 1."""
        scores = self.decision_function(X)
        low, high = self.decision_scores_.min(), self.decision_scores_.max()
        anomalous = np.clip((scores - low) / max(high - low, 1e-12), 0, 1)
        return np.column_stack([1 - anomalous, anomalous])

    def fit_predict(self, X: Any, y: Any = None) -> np.ndarray:
        """The labels of the training rows."""
        return self.fit(X).labels_
