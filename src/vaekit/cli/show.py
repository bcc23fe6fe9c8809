"""How results look: tables without frames, numbers to the right, remarks in grey."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

PIPE_WIDTH = 140  # columns where there is no terminal that could say


def console(*, stderr: bool = False) -> Console:
    """The terminal, or the pipe or file in its place."""
    found = Console(stderr=stderr, highlight=False, markup=False)  # names and paths may hold brackets
    if not found.is_terminal:
        found.width = PIPE_WIDTH
    return found


def table(
    rows: Iterable[Sequence[Any]], columns: Sequence[str], *, title: str | None = None, right: Sequence[int] = ()
) -> Table:
    """Rows under column names; ``right`` are the positions of columns of numbers, and an empty name hides the head."""
    found = Table(
        box=None,
        title=title,
        title_justify="left",
        title_style="bold",
        header_style="dim",
        show_header=any(columns),
        pad_edge=False,
        padding=(0, 3, 0, 0),
    )
    for position, name in enumerate(columns):
        found.add_column(name, justify="right" if position in right else "left", overflow="fold")
    for row in rows:
        found.add_row(*["" if cell is None else str(cell) for cell in row])
    return found


def choice(value: Any) -> str:
    """A member of a noun as the command line spells it: its name, and its options in brackets."""
    if not isinstance(value, dict):
        return "chosen from the data" if value is None else str(value)
    name, options = value["name"], {key: option for key, option in value.items() if key != "name"}
    return f"{name} ({', '.join(f'{key} {plain(option)}' for key, option in options.items())})" if options else name


def plain(value: Any) -> str:
    """An option's value as the command line spells it."""
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def bytes_in_words(count: int) -> str:
    """A size such as ``54.9 MB``."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000  # pyright: ignore[reportAssignmentType]
    return f"{count:.1f} GB"


def counted(number: int, thing: str) -> str:
    """A number with its noun, such as ``1 thread`` and ``2 threads``."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def duration(seconds: float) -> str:
    """A time such as ``3 min 12 s``."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s"
