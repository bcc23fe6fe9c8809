"""What several commands share: their arguments, loading a run, saying that something takes a while."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from . import show

if TYPE_CHECKING:
    from rich.status import Status

    from vaekit.recipes import Run

AT_LEAST_ONE = Number(gte=1)
RunPath = Annotated[str, Parameter(help="folder of a run")]
Data = Annotated[
    str | None, Parameter(help="name of a data set, or path of a file or folder; the run's own if left out")
]
Which = Annotated[
    Literal["test", "held-out", "train"] | None, Parameter(help="examples to take, instead of the best choice")
]
Device = Annotated[str, Parameter(help="auto, cpu, cuda, cuda:N or mps")]


def load_run(path: str, device: str) -> Run:
    """The run in a folder, on a device."""
    from vaekit.store import RunFolder

    RunFolder.open(path)  # says at once what is wrong with it, before the slow imports
    from vaekit.recipes import Run

    return Run.load(path, device)


def refuse(why: str, options: Mapping[str, Any]) -> None:
    """Raise ValueError for those of the options that were given, as nothing would come of them; the others are None,
    False or 0.
    """
    if given := [name for name, value in options.items() if value]:
        raise ValueError(f"{why}; leave out {', '.join(given)}")


def status(what: str, *, shown: bool = True) -> AbstractContextManager[Status | None]:
    """While open, or until its value is stopped, a terminal shows what is going on; nothing is shown elsewhere."""
    console = show.console(stderr=True)
    return console.status(what) if shown and console.is_terminal else nullcontext()


def note(text: str) -> None:
    """A remark that is no result: on standard error, in grey."""
    show.console(stderr=True).print(text, style="dim", soft_wrap=True)
