"""Data: by name, from files, from folders of images; how their values are scaled; what is held out."""

from vaekit.data.context import UNKNOWN, Context
from vaekit.data.download import CatalogueEntry, cache_dir, catalogue, fetch
from vaekit.data.schema import Schema
from vaekit.data.sources import Dataset, load, load_dataset
from vaekit.data.splits import split
from vaekit.data.summary import describe

__all__ = [
    "UNKNOWN",
    "CatalogueEntry",
    "Context",
    "Dataset",
    "Schema",
    "cache_dir",
    "catalogue",
    "describe",
    "fetch",
    "load",
    "load_dataset",
    "split",
]
