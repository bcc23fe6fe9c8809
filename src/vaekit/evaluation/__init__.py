"""Estimators of quality, gathered in one report."""

from .report import Evaluation, evaluate
from .ssim import ssim

__all__ = ["Evaluation", "evaluate", "ssim"]
