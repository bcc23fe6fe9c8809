"""Peers in finding anomalies: scikit-learn's, a nearest-neighbour distance, a full-covariance normal, PyOD's networks.

Each takes standardised training rows (N, D) and test rows and gives a score of each test row, higher for anomalies;
where ``same``, the test rows are the training rows, and a row's own copy does not count among its neighbours.
"""

from __future__ import annotations

import numpy as np

NEIGHBORS = 5


def knn(train: np.ndarray, test: np.ndarray, same: bool, seed: int) -> np.ndarray:
    """Distance to the fifth neighbour."""
    from sklearn.neighbors import NearestNeighbors

    k = min(NEIGHBORS + same, len(train))
    return NearestNeighbors(n_neighbors=k).fit(train).kneighbors(test)[0][:, -1]


def lof(train: np.ndarray, test: np.ndarray, same: bool, seed: int) -> np.ndarray:
    from sklearn.neighbors import LocalOutlierFactor

    if same:
        return -LocalOutlierFactor().fit(train).negative_outlier_factor_
    return -LocalOutlierFactor(novelty=True).fit(train).score_samples(test)


def iforest(train: np.ndarray, test: np.ndarray, same: bool, seed: int) -> np.ndarray:
    from sklearn.ensemble import IsolationForest

    return -IsolationForest(random_state=seed).fit(train).score_samples(test)


def mcd(train: np.ndarray, test: np.ndarray, same: bool, seed: int) -> np.ndarray:
    from sklearn.covariance import MinCovDet

    return MinCovDet(random_state=seed).fit(train).mahalanobis(test)


def ocsvm(train: np.ndarray, test: np.ndarray, same: bool, seed: int) -> np.ndarray:
    from sklearn.svm import OneClassSVM

    return -OneClassSVM().fit(train).score_samples(test)


def pca(train: np.ndarray, test: np.ndarray, same: bool, seed: int) -> np.ndarray:
    """Squared principal components, each over its variance (Shyu et al., 2003)."""
    from sklearn.decomposition import PCA

    found = PCA().fit(train)
    kept = found.explained_variance_ > 1e-12
    return (found.transform(test)[:, kept] ** 2 / found.explained_variance_[kept]).sum(1)


def gaussian(train: np.ndarray, test: np.ndarray, same: bool, seed: int) -> np.ndarray:
    """Mahalanobis distance; a thousandth of the identity keeps the covariance regular."""
    covariance = np.cov(train.T) + 1e-3 * np.eye(train.shape[1])
    residual = test - train.mean(0)
    return (residual @ np.linalg.inv(covariance) * residual).sum(1)


def pyod_vae(train: np.ndarray, test: np.ndarray, same: bool, seed: int) -> np.ndarray:
    from pyod.models.vae import VAE

    return _pyod(VAE(random_state=seed, verbose=0), train, test)


def pyod_autoencoder(train: np.ndarray, test: np.ndarray, same: bool, seed: int) -> np.ndarray:
    from pyod.models.auto_encoder import AutoEncoder

    return _pyod(AutoEncoder(random_state=seed, verbose=0), train, test)


def _pyod(model, train: np.ndarray, test: np.ndarray) -> np.ndarray:
    return model.fit(train).decision_function(test)


PEERS = {
    "knn": knn,
    "lof": lof,
    "iforest": iforest,
    "mcd": mcd,
    "ocsvm": ocsvm,
    "pca": pca,
    "gaussian": gaussian,
    "pyod-vae": pyod_vae,
    "pyod-autoencoder": pyod_autoencoder,
}
