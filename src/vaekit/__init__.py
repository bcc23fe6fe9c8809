"""vaekit: variational autoencoders for pictures, tables and signals, with numbers you can trust.

Names are imported when first used, so that ``import vaekit`` is quick and loads neither torch nor scikit-learn.
"""

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from vaekit import data
    from vaekit.estimators import VAE, VAEDetector, VAEImputer, VAESynthesizer, load

_LAZY = {
    "VAE": "vaekit.estimators",
    "VAEDetector": "vaekit.estimators",
    "VAEImputer": "vaekit.estimators",
    "VAESynthesizer": "vaekit.estimators",
    "load": "vaekit.estimators",
}
_MODULES = ("data", "evaluation", "plots", "recipes", "tasks")
__all__ = ["VAE", "VAEDetector", "VAEImputer", "VAESynthesizer", "__version__", "data", "load"]


def __getattr__(name: str) -> object:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    if name in _MODULES:
        return import_module(f"vaekit.{name}")
    raise AttributeError(f"module 'vaekit' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, *_MODULES])
