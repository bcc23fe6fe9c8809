"""How the columns of a table are shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import show

if TYPE_CHECKING:
    from rich.console import Console

    from vaekit.data import Dataset
    from vaekit.recipes import TrainRequest

MOST = 200  # columns in a terminal
HEAD = ("column", "kind", "type", "missing", "values", "precision", "frequent")
UNITS = ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second"), (1e-3, "millisecond"), (1e-6, "microsecond"))


def show_table(out: Console, dataset: Dataset, request: TrainRequest, save: str | None) -> None:
    """Print what each column is, and write it to a file if asked to."""
    from vaekit.data import TableSchema, describe_table, write_choices

    schema = TableSchema.infer(dataset.x, choices=request.columns)
    facts = describe_table(dataset, schema)
    out.print(f"{facts['name']}: {facts['rows']:,} {schema.words}", style="bold", soft_wrap=True)
    out.print(show.table([_row(column) for column in facts["columns"][:MOST]], HEAD, right=(3,)))
    if len(facts["columns"]) > MOST:
        out.print(f"and {len(facts['columns']) - MOST:,} more columns", style="dim")
    for line in (*facts["remarks"], *map(_relation, facts["relations"][:MOST])):
        out.print(line, soft_wrap=True)
    if save is not None:
        write_choices(schema, save)
        out.print(f"\nWhat the columns are is in {save}: correct it, then train with --columns {save}", soft_wrap=True)


def _row(column: dict[str, Any]) -> tuple[str, ...]:
    missing = f"{column['missing']:.1%}" if column["missing"] else ""
    if column["kind"] == "left-out":
        return column["name"], "left-out", column["dtype"], missing, column["reason"], "", ""
    shares = [f"{value.strip()} {share:.0%}" for value, share in column["frequent"].items()]
    named = column["kind"] in ("boolean", "categorical")
    shares += ["…"] if named and column["distinct"] > len(shares) else []
    values = (
        show.counted(column["distinct"], "value")
        if named
        else f"{column['extent']}{', heavy tail' if column['heavy_tail'] else ''}"
    )
    return (
        column["name"], column["kind"], _short(column["dtype"]), missing, values, "" if named else _precision(column),
        ", ".join(shares),
    )  # fmt: skip


def _precision(column: dict[str, Any]) -> str:
    step = column["step"]
    if step is None:
        return "continuous"
    if column["kind"] != "datetime":
        return f"{step:g}"
    return next(f"1 {name}" for size, name in UNITS if step >= size)


def _short(dtype: str) -> str:
    """Without the categories, which are shown beside it."""
    return dtype.partition("(")[0].partition("<")[0]


def _relation(relation: dict[str, Any]) -> str:
    if relation["both"]:
        return f"columns {relation['name']!r} and {relation['follows']!r} determine each other: one says it all"
    return f"column {relation['name']!r} determines column {relation['follows']!r}"
