"""Data: by name, from files, from folders of images; how their values are scaled; what is held out."""

from vaekit.data.columns import Column
from vaekit.data.conditions import fixed_cells
from vaekit.data.context import UNKNOWN, Context
from vaekit.data.download import CatalogueEntry, cache_dir, catalogue, fetch
from vaekit.data.frames import Table
from vaekit.data.missing import blank, mark_missing
from vaekit.data.schema import Schema
from vaekit.data.schemafile import read_choices, write_choices
from vaekit.data.sources import Dataset, load, load_dataset
from vaekit.data.splits import split
from vaekit.data.summary import describe, describe_table
from vaekit.data.table import TableSchema, schema_from_json

__all__ = [
    "UNKNOWN",
    "CatalogueEntry",
    "Column",
    "Context",
    "Dataset",
    "Schema",
    "Table",
    "TableSchema",
    "blank",
    "cache_dir",
    "catalogue",
    "describe",
    "describe_table",
    "fetch",
    "fixed_cells",
    "load",
    "load_dataset",
    "mark_missing",
    "read_choices",
    "schema_from_json",
    "split",
    "write_choices",
]
