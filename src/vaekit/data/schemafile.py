"""A schema as a file that people read and correct.

A TOML table for each column: its ``kind`` (real, positive, count, bounded, ordinal, boolean, categorical, datetime or
left-out) and, where they matter, ``step`` (the recorded precision; 0 for continuous), ``low`` and ``high`` (the ends
of what is possible), ``values`` (the categories; of an ordinal column of texts in their order), ``spikes`` and the
``reason`` why a column is left out. What is not said is found in the data, columns that are not named included.
"""

from __future__ import annotations

import datetime
import difflib
import json
import math
import tomllib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from vaekit.data.columns import Column, ColumnKind

if TYPE_CHECKING:
    from vaekit.data.table import TableSchema

LEFT_OUT = "left-out"
KINDS = (*get_args(ColumnKind), LEFT_OUT)
KEYS = ("kind", "step", "low", "high", "values", "spikes", "reason")


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _is_end(value: Any) -> bool:
    """A number or a date."""
    try:
        return _is_number(value) or not np.isnat(np.datetime64(value, "us"))
    except (TypeError, ValueError):
        return False


def _are_values(value: Any) -> bool:
    listed = isinstance(value, (list, tuple)) and all(isinstance(each, (str, int, float)) for each in value)
    return listed and 0 < len(set(value)) == len(value)


VALID: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "step": ("a number that is not negative", lambda value: _is_number(value) and value >= 0),
    "low": ("a number or a date", _is_end),
    "high": ("a number or a date", _is_end),
    "values": ("a list of different values", _are_values),
    "spikes": ("a list of numbers", lambda value: isinstance(value, (list, tuple)) and all(map(_is_number, value))),
}

Choices = dict[str, dict[str, Any]]


def read_choices(path: str | Path) -> Choices:
    """What a .toml or .json file says of columns. Raises OSError, or ValueError with one sentence."""
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise OSError(f"cannot read the schema {path}: {getattr(error, 'strerror', None) or error}") from error
    try:
        content = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except ValueError as error:
        raise ValueError(f"the schema {path} is not valid: {error}") from error
    try:
        return check_choices(content)
    except ValueError as error:
        raise ValueError(f"the schema {path} is not valid: {error}") from error


def check_choices(content: Any, names: Iterable[str] | None = None) -> Choices:
    """The content, checked; dates become texts. Raises ValueError for what is unknown, among it other ``names``."""
    if not isinstance(content, Mapping) or not all(isinstance(choice, Mapping) for choice in content.values()):
        raise ValueError('expected for each column a table such as [age] kind = "count"')
    names = None if names is None else list(names)
    for name, choice in content.items():
        if names is not None and name not in names:
            raise ValueError(f"the schema names a column {name!r} that the table does not have{near(name, names)}")
        for key in choice:
            if key not in KEYS:
                raise ValueError(f"column {name!r} has an unknown {key!r}{near(key, KEYS)}; valid: {', '.join(KEYS)}")
        if choice.get("kind", KINDS[0]) not in KINDS:
            kind = str(choice["kind"])
            raise ValueError(
                f"column {name!r} is of unknown kind {kind!r}{near(kind, KINDS)}; valid: {', '.join(KINDS)}"
            )
        for key, (expected, fits) in VALID.items():
            if key in choice and not fits(choice[key]):
                raise ValueError(f"column {name!r} has {key} {choice[key]!r}, expected {expected}")
    return {str(name): {key: _plain(value) for key, value in choice.items()} for name, choice in content.items()}


def write_choices(schema: TableSchema, path: str | Path) -> None:
    """Write what was found, for :func:`read_choices`, with remarks on what may be changed."""
    path = Path(path)
    choices = choices_of(schema)
    if path.suffix == ".json":
        text = json.dumps(choices, indent=2, ensure_ascii=False)
    elif path.suffix == ".toml":
        about = (__doc__ or "").partition("\n\n")[2].replace("``", "").splitlines()
        about = ["What the columns are: correct it, then train with --columns.", *about]
        lines = [f"# {line}".rstrip() for line in about]
        for name, choice in choices.items():
            lines += ["", f"[{json.dumps(name, ensure_ascii=False)}]"]
            lines += [f"{key} = {_toml(value)}" for key, value in choice.items()]
        text = "\n".join(lines)
    else:
        raise ValueError(f"a schema is written as .toml or .json, got {path.name!r}")
    path.write_text(text + "\n", encoding="utf-8")


def choices_of(schema: TableSchema) -> Choices:
    """What a schema says of each column, in the order of the table; constant ones are found again."""
    found = {column.name: _choice(column) for column in schema.table}
    constant = {column.name for column in schema.constants}
    found |= {name: {"kind": LEFT_OUT, "reason": reason} for name, reason in schema.left_out if name not in constant}
    return {name: found[name] for name in schema.order or found if name in found}


def _choice(column: Column) -> dict[str, Any]:
    choice: dict[str, Any] = {"kind": column.kind}
    if column.values:
        return choice | {"values": list(column.values)}
    if column.kind != "datetime":
        choice["step"] = column.step or 0
    if column.kind in ("bounded", "ordinal"):
        choice |= {"low": column.low, "high": column.high}
    return choice | ({"spikes": list(column.spikes)} if column.spikes else {})


def _plain(value: Any) -> Any:
    if isinstance(value, (datetime.datetime, datetime.date)):
        return value.isoformat()
    return [_plain(each) for each in value] if isinstance(value, (list, tuple)) else value


def _toml(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    return json.dumps(value, ensure_ascii=False)


def near(name: str, names: Iterable[str]) -> str:
    """The end of a sentence on an unknown name: the one that may be meant, if any."""
    found = difflib.get_close_matches(name, list(names), 1)
    return f"; did you mean {found[0]!r}?" if found else ""
