"""Estimators of quality, gathered in one report."""

from .bootstrap import Interval
from .diagnosis import Finding, diagnose, share_at_bound
from .disentanglement import Disentanglement, assess_disentanglement, dci, mig
from .distances import frechet, kernel_distance
from .features import Features, label_features, random_features, value_features
from .fidelity import Fidelity, assess_fidelity
from .full import QUICK, Report, Sizes, choose_features, evaluate_fully
from .inception import inception_distance
from .latent import LatentSpace, assess_latents
from .likelihood import Likelihood, estimate_likelihood
from .neighbors import Neighbors, neighbors
from .pareto import pareto_k
from .paths import Smoothness, smoothness
from .report import Evaluation, evaluate
from .samples import Against, Comparison, SampleQuality, assess_samples
from .sharpness import sharpness
from .ssim import ssim

__all__ = [
    "QUICK",
    "Against",
    "Comparison",
    "Disentanglement",
    "Evaluation",
    "Features",
    "Fidelity",
    "Finding",
    "Interval",
    "LatentSpace",
    "Likelihood",
    "Neighbors",
    "Report",
    "SampleQuality",
    "Sizes",
    "Smoothness",
    "assess_disentanglement",
    "assess_fidelity",
    "assess_latents",
    "assess_samples",
    "choose_features",
    "dci",
    "diagnose",
    "estimate_likelihood",
    "evaluate",
    "evaluate_fully",
    "frechet",
    "inception_distance",
    "kernel_distance",
    "label_features",
    "mig",
    "neighbors",
    "pareto_k",
    "random_features",
    "share_at_bound",
    "sharpness",
    "smoothness",
    "ssim",
    "value_features",
]
