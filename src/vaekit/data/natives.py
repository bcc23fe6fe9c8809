"""Columns of data frames as numpy arrays, and back in the frame's own types."""

from __future__ import annotations

import ast
import datetime
import decimal
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

CATEGORIES = re.compile(r"(.*?)\(categories=(\[.*\])(?:, ordered=(True|False))?\)", re.DOTALL)
ZONED = re.compile(r"(?:datetime64|timestamp)\[(\w+), (?:tz=)?(.+)\]")
NUMBERS = (int, float, np.integer, np.floating, decimal.Decimal)


class Original(NamedTuple):
    """A column of a data frame, as :func:`to_numpy` has it and as a narwhals series."""

    values: np.ndarray
    series: Any


def to_numpy(series: Any) -> np.ndarray:
    """A narwhals series ↦ numbers (NaN where missing), booleans and texts (objects with None where any is missing,
    texts always), datetime64 in UTC (NaT) or timedelta64.
    """
    import narwhals as nw

    dtype = series.dtype
    if dtype.is_numeric():
        unknown = isinstance(dtype, (nw.Decimal, nw.Int128, nw.UInt128))  # to numpy
        values = (series.cast(nw.Float64) if unknown else series).to_numpy()
        return values if values.dtype.kind in "iuf" else series.cast(nw.Float64).to_numpy().astype(np.float64)
    if isinstance(dtype, nw.Datetime) and dtype.time_zone is not None:
        series = series.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    values = series.to_numpy()
    if isinstance(dtype, (nw.Datetime, nw.Date, nw.Duration)) and values.dtype.kind in "mM":
        return values.astype("datetime64[D]") if isinstance(dtype, nw.Date) else values
    if isinstance(dtype, nw.Boolean) and not series.null_count():
        return values.astype(bool)
    values = np.empty(len(series), object)
    values[:] = series.to_list()
    if series.null_count():
        values[series.is_null().to_numpy().astype(bool)] = None
    return values if isinstance(dtype, (nw.Boolean, nw.String)) else from_objects(values)


def from_objects(values: np.ndarray) -> np.ndarray:
    """Python objects (N,) as :func:`to_numpy` has them; objects of several types stay as they are."""
    missing = np.fromiter(map(is_missing, values), bool, len(values))
    present = values[~missing]
    types = set(map(type, present))
    if types and types <= {bool, np.bool_}:
        return present.astype(bool) if not missing.any() else _blanked(values, missing)
    if types and all(issubclass(kind, NUMBERS) and kind is not bool for kind in types):
        whole = not missing.any() and all(issubclass(kind, (int, np.integer)) for kind in types)
        try:
            return np.where(missing, np.nan, values).astype(np.int64 if whole else np.float64)
        except OverflowError:  # whole numbers beyond all types
            return _blanked(values, missing)
    if types and all(issubclass(kind, (datetime.date, np.datetime64)) for kind in types):
        unit = "D" if types == {datetime.date} else "us"
        if all(getattr(value, "tzinfo", None) is None for value in present):
            return _blanked(values, missing).astype(f"datetime64[{unit}]")
    return _blanked(values, missing)


def _blanked(values: np.ndarray, missing: np.ndarray) -> np.ndarray:
    """Objects, None where missing."""
    cells = values.astype(object)
    cells[missing] = None
    return cells


def is_missing(value: Any) -> bool:
    """None, NaN, and what pandas has for them."""
    return value is None or type(value).__name__ in ("NAType", "NaTType") or bool(np.all(value != value))


def type_name(series: Any) -> str:
    """What the library calls the type of a narwhals series, with the categories of a categorical one."""
    native = series.to_native()
    dtype = getattr(native, "dtype", None)
    if hasattr(native, "type"):  # pyarrow
        name, categories, ordered = str(native.type), None, False
        if name.startswith("dictionary"):
            chunks = native.unify_dictionaries().chunks
            categories, ordered = (chunks[0].dictionary.to_pylist() if chunks else []), native.type.ordered
    else:
        name, categories, ordered = str(dtype), getattr(dtype, "categories", None), getattr(dtype, "ordered", False)
        categories = None if name.startswith(("Enum", "Categorical")) else categories
    return name if categories is None else f"{name}(categories={list(categories)!r}, ordered={bool(ordered)})"


def declared_categories(dtype: str) -> tuple[tuple[Any, ...], bool]:
    """The categories that a type names, and whether they have an order; () if it names none."""
    found = CATEGORIES.fullmatch(dtype)
    try:
        return (tuple(ast.literal_eval(found[2])), found[3] == "True") if found else ((), False)
    except (ValueError, SyntaxError):  # categories that are no plain values, such as intervals
        return (), False


def to_frame(
    columns: Mapping[str, np.ndarray],
    dtypes: Mapping[str, str],
    library: str,
    source: Mapping[str, Original] | None = None,
) -> Any:
    """Arrays ↦ a data frame of pandas, polars or pyarrow, each column of the type it names, those that are still the
    ``source``'s as they were there.
    """
    source = source or {}
    made = {name: source[name].series.to_native() if name in source and source[name].values is values
            else MAKERS[library](name, values, dtypes[name]) for name, values in columns.items()}  # fmt: skip
    if library == "polars":
        import polars as pl

        return pl.DataFrame([column.alias(name) for name, column in made.items()])
    if library == "pyarrow":
        import pyarrow as pa

        return pa.table(made)
    import pandas as pd

    index = next((original.series.to_native().index for original in source.values()), None)
    return pd.DataFrame({name: column if index is None else column.set_axis(index) for name, column in made.items()})


def _to_pandas(name: str, values: np.ndarray, dtype: str) -> Any:
    import pandas as pd

    categories, ordered = declared_categories(dtype)
    if categories:
        return pd.Series(pd.Categorical(_cells(values), categories=list(categories), ordered=ordered))
    if ZONED.fullmatch(dtype):
        return pd.Series(values).dt.tz_localize("UTC").astype(dtype)
    if values.dtype.kind == "M" and not dtype.startswith(("datetime64", "timestamp", "date")):
        return pd.Series(values.tolist(), dtype=object)
    if values.dtype.kind not in "Of" or not missing_cells(values).any():
        return pd.Series(values).astype(dtype)
    if (dtype.startswith(("int", "uint")) and "[" not in dtype) or dtype == "bool":
        return pd.Series(values)  # the type has no room for missing cells
    return pd.Series(_cells(values), dtype=dtype) if dtype != "float64" else pd.Series(values)


def _to_polars(name: str, values: np.ndarray, dtype: str) -> Any:
    import polars as pl

    kind, _, inside = dtype.rstrip(")").partition("(")
    options = {key: ast.literal_eval(value) for key, value in re.findall(r"(\w+)=('[^']*'|None|\d+)", inside)}
    if kind == "Enum":
        options = {"categories": list(declared_categories(dtype)[0])}
    zone: Any = options.pop("time_zone", None)
    made = getattr(pl, kind)(**options) if options else getattr(pl, kind)
    given = values if values.dtype.kind in "Mmiu" else _cells(values)
    series = pl.Series(name, given, strict=False).cast(made) if kind != "Object" else pl.Series(name, _cells(values))
    return series if zone is None else series.dt.replace_time_zone("UTC").dt.convert_time_zone(zone)


def _to_pyarrow(name: str, values: np.ndarray, dtype: str) -> Any:
    import pyarrow as pa

    categories, ordered = declared_categories(dtype)
    if categories:
        places = {value: place for place, value in enumerate(categories)}
        parts = re.match(r"dictionary<values=(\w+), indices=(\w+)", dtype)
        kinds = (parts[1], parts[2]) if parts else ("string", "int32")
        indices = pa.array([None if value is None else places[value] for value in _cells(values)], kinds[1])
        return pa.DictionaryArray.from_arrays(indices, pa.array(list(categories), kinds[0]), ordered=ordered)
    zoned = ZONED.fullmatch(dtype)
    if zoned:
        return pa.array(values.astype(f"datetime64[{zoned[1]}]")).cast(pa.timestamp(zoned[1], zoned[2]))
    decimals = re.fullmatch(r"decimal(\d+)\((\d+), (\d+)\)", dtype)
    if decimals:
        kind = getattr(pa, f"decimal{decimals[1]}")(int(decimals[2]), int(decimals[3]))
    else:
        kind = pa.type_for_alias({"double": "float64", "float": "float32"}.get(dtype, dtype.replace("[day]", "")))
    made = pa.array(values if values.dtype.kind in "Mm" else _cells(values), from_pandas=True)
    return made.cast(kind, safe=False)


MAKERS = {"pandas": _to_pandas, "polars": _to_polars, "pyarrow": _to_pyarrow}


def missing_cells(values: np.ndarray) -> np.ndarray:
    """Which entries of a column (N,) are None, NaN or NaT."""
    if values.dtype.kind in "fmM":
        return values != values
    return np.fromiter(map(is_missing, values.tolist()), bool, len(values))


def blanked(values: np.ndarray) -> np.ndarray:
    """Python objects (N,), None where missing."""
    return _blanked(values, missing_cells(values))


def _cells(values: np.ndarray) -> Sequence[Any]:
    return blanked(values).tolist()
