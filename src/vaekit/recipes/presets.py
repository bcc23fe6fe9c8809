"""Named requests."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any

from .registry import unknown


@dataclass(frozen=True)
class Preset:
    """A summary and the options that differ from the defaults."""

    summary: str
    options: dict[str, Any] = field(default_factory=dict)


ARTICLE: dict[str, Any] = {
    "data": "fashion-mnist",
    "include_test": True,
    "held_out": 0.0,
    "latent_dim": 2,
    "network": {"name": "convolutional", "channels": [64, 128], "dense": 16},
    "likelihood": "bernoulli",
    "epochs": 10,
    "batch_size": 128,
    "lr": 1e-3,
    "schedule": "constant",
}
FAST: dict[str, Any] = {
    "batch_size": 64,
    "lr": 5e-3,
    "schedule": {"name": "one-cycle", "rise": 0.2, "start": 0.1, "final": 0.002},
    "warmup": 0.05,
}
NATS: dict[str, Any] = {  # the protocol of published test likelihoods: 50,000 to train on, 10,000 held out
    "binarize": True,
    "held_out": 1 / 6,
    "batch_size": 100,
    "average": 0.999,
    "warmup": 0.1,
}
CODES: dict[str, Any] = {
    "network": "residual",
    "refit": "code-transformer",
    "likelihood": {"name": "gaussian", "noise": "shared"},
}
CODEC: dict[str, Any] = {  # most of the training images are learned from; 2 % choose the weights
    "held_out": 0.02,
    "batch_size": 64,
    "lr": 4e-3,
    "average": 0.999,
    "warmup": 0.1,
    "clip": 500.0,
}
SYNTHESIS: dict[str, Any] = {
    "likelihood": {"name": "autoregressive", "dropout": 0.1},
    "latent_dim": 4,
    "network": {"name": "mlp", "hidden": [128]},
    "epochs": 6,
    "average": 0.998,
    "keep": "last",
    "held_out": 0.05,
}
CODEC_TABLE: dict[str, Any] = {
    "likelihood": {"name": "autoregressive", "features": 2, "width": 16, "depth": 1, "embedding": 4},
    "latent_dim": 1,
    "network": {"name": "mlp", "hidden": []},
    "lr": 1e-2,
    "average": 0.998,
    "weight_step": 0.1,
    "held_out": 0.0,
}
DETECTION: dict[str, Any] = {
    "model": {"name": "one-layer", "start": "linear-gaussian"},
    "network": {"name": "linear-residual", "hidden": [64, 64]},
    "likelihood": {"name": "mixed", "numbers": {"name": "gaussian", "floor": 0.3}},
    "latent_dim": 8,
    "refit": {"name": "vamp", "components": 1000, "weighted": False, "leave_one_out": True},
    "refit_epochs": 0,
    "lr": 6e-3,
    "weight_decay": 1e-3,
}
DETECTION_IMAGES: dict[str, Any] = DETECTION | {
    "network": {"name": "linear-residual", "hidden": [128]},
    "likelihood": {"name": "gaussian", "noise": "shared", "floor": 0.2},
    "latent_dim": 64,
    "epochs": 5,
    "batch_size": 128,
    "lr": 1e-3,
    "weight_decay": 0.0,
}
IMPUTATION: dict[str, Any] = {
    "model": {"name": "one-layer", "start": "linear-gaussian"},
    "network": {"name": "linear-residual", "hidden": [128, 128]},
    "likelihood": {"name": "mixed", "numbers": {"name": "gaussian", "floor": 0.1}},
    "held_out": 0.0,
    "lr": 3e-3,
    "weight_decay": 1e-3,
}
PRESETS = {
    "article": Preset(
        "the Keras example's convolutional VAE on Fashion-MNIST, as published: 10 epochs of Adam", ARTICLE
    ),
    "article-fast": Preset("the same model and data, trained on our schedule", ARTICLE | FAST),
    "article-heldout": Preset(
        "article-fast on the 60,000 training images, for comparisons on the test set",
        ARTICLE | FAST | {"include_test": False},
    ),
    "vae": Preset("the variational autoencoder with what the data suggest (Kingma and Welling, 2014)"),
    "beta-vae": Preset("KL weighted by 4, for factors in separate latents (Higgins et al., 2017)", {"beta": 4.0}),
    "capacity-vae": Preset("KL led to a capacity that grows (Burgess et al., 2018)", {"objective": "capacity"}),
    "beta-tcvae": Preset(
        "total correlation weighted by 6 (Chen et al., 2018)", {"objective": {"name": "total-correlation", "beta": 6.0}}
    ),
    "dip-vae": Preset("covariance of the codes led to the identity (Kumar et al., 2018)", {"objective": "dip"}),
    "info-vae": Preset("KL in part replaced by a maximum mean discrepancy (Zhao et al., 2019)", {"objective": "mmd"}),
    "wae": Preset(
        "deterministic encoder, codes matched to the prior by MMD (Tolstikhin et al., 2018)",
        {"objective": "mmd", "posterior": "point-mass"},
    ),
    "iwae": Preset(
        "importance-weighted bound of 8 draws, doubly reparameterized (Burda et al., 2016; Tucker et al., 2019)",
        {"objective": {"name": "iwae", "samples": 8}},
    ),
    "miwae": Preset("mean of several importance-weighted bounds (Rainforth et al., 2018)", {"objective": "miwae"}),
    "vamp-vae": Preset(
        "mixture of posteriors at 500 learned inputs as the prior (Tomczak and Welling, 2018)",
        {"prior": {"name": "vamp", "components": 500}},
    ),
    "mixture-vae": Preset("learned Gaussian mixture as the prior", {"prior": "gaussian-mixture"}),
    "flow-vae": Preset("normalizing flow as the prior (Huang et al., 2017; Xu et al., 2019)", {"prior": "flow"}),
    "iaf-vae": Preset(
        "inverse autoregressive posterior (Kingma et al., 2016)", {"posterior": "inverse-autoregressive"}
    ),
    "sigma-vae": Preset(
        "Gaussian likelihood whose noise is computed, not learned (Rybkin et al., 2021)",
        {"likelihood": {"name": "gaussian", "noise": "calibrated"}},
    ),
    "vq-vae": Preset(
        "maps of discrete codes, their prior a transformer (van den Oord et al., 2017)",
        CODES | {"posterior": "vector-quantized"},
    ),
    "fsq-vae": Preset(
        "maps of codes on a fixed grid, their prior a transformer (Mentzer et al., 2024)",
        CODES | {"posterior": "finite-scalar-quantized"},
    ),
    "ladder-vae": Preset("several layers of latents (Sønderby et al., 2016)", {"model": "ladder"}),
    "conditional-vae": Preset("told the labels (Sohn et al., 2015)", {"conditional": True}),
    "synthesis": Preset(
        "a table's columns drawn one after the other, each given the earlier ones; for synthetic rows", SYNTHESIS
    ),
    "codec-table": Preset(
        "a table's columns one given the other, in few and short weights; to compress the table itself", CODEC_TABLE
    ),
    "detection": Preset(
        "a small model of a table from the linear one on, its noise not below a floor; for anomalies", DETECTION
    ),
    "detection-images": Preset(
        "the same of small grey images, of which fine detail counts for little; for anomalies", DETECTION_IMAGES
    ),
    "imputation": Preset("a small model of a table from the linear one on; for missing cells", IMPUTATION),
    "codec-small": Preset(
        "a model of a few hundred kilobytes; to compress images",
        CODEC
        | {
            "network": {"name": "residual", "channels": [16, 16], "blocks": [0, 1], "dense": 32},
            "latent_dim": 8,
            "likelihood": {"name": "four-phase", "channels": 8, "width": 48, "levels": 2},
        },
    ),
    "codec-fast": Preset(
        "a thousand small images a second and more; to compress images",
        CODEC
        | {
            "network": {"name": "residual", "channels": [16, 16], "blocks": [0, 1], "dense": 64},
            "latent_dim": 16,
            "likelihood": {"name": "four-phase", "channels": 16, "levels": 2},
        },
    ),
    "codec-strong": Preset(
        "wide networks for each phase, a mixture as the prior; to compress images",
        CODEC
        | {
            "network": {"name": "residual", "channels": [16, 32], "blocks": [0, 1], "dense": 64},
            "latent_dim": 16,
            "prior": {"name": "gaussian-mixture", "components": 64},
            "likelihood": {"name": "four-phase", "width": 64, "levels": 3},
        },
    ),
    "autoencoder": Preset("plain autoencoder: no noise, no prior; for comparison", {"posterior": "point-mass"}),
    "denoising-autoencoder": Preset(
        "plain autoencoder that fills in hidden inputs (Vincent et al., 2008); for comparison",
        {"posterior": "point-mass", "model": {"name": "one-layer", "corruption": 0.3}},
    ),
    "pca": Preset(
        "principal component analysis; for comparison", {"model": {"name": "linear-gaussian", "noise": "none"}}
    ),
    "ppca": Preset(
        "probabilistic PCA, exact (Tipping and Bishop, 1999); for comparison",
        {"model": {"name": "linear-gaussian", "noise": "shared"}},
    ),
    "factor-analysis": Preset(
        "linear-Gaussian model by EM; for comparison",
        {"model": {"name": "linear-gaussian", "noise": "elementwise"}},
    ),
    "nats-gated": Preset(
        "two gated layers of 300 and 40 latents with a flow prior, to compare test likelihoods",
        NATS | {"network": "gated-mlp", "latent_dim": 40, "prior": "flow", "epochs": 50, "lr": 1.5e-3},
    ),
    "nats-phases": Preset(
        "residual networks with a flow prior and the four-phase likelihood, to compare test likelihoods",
        NATS
        | {
            "network": "residual",
            "latent_dim": 32,
            "prior": "flow",
            "likelihood": {"name": "four-phase", "width": 64},
            "epochs": 50,
            "clip": 100.0,
        },
    ),
}


def preset(name: str) -> dict[str, Any]:
    """The options of a preset. Raises ValueError for an unknown name."""
    if name not in PRESETS:
        raise unknown("preset", name, PRESETS)
    return copy.deepcopy(PRESETS[name].options)
