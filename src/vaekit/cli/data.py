"""``vaekit data``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from . import show
from .tables import show_table

if TYPE_CHECKING:
    from rich.console import Console

    from vaekit.data import CatalogueEntry, Dataset
    from vaekit.recipes import TrainRequest

CHOSEN = ("likelihood", "network", "latent_dim", "epochs", "batch_size")


def list_sets() -> None:
    """Print the catalogue."""
    from vaekit.data import catalogue

    rows = [
        (entry.name, entry.title, show.bytes_in_words(entry.size) if entry.size else "–", _where(entry), entry.licence)
        for entry in catalogue()
    ]
    show.console().print(show.table(rows, ("name", "what it is", "download", "where it is", "licence"), right=(2,)))


def show_set(
    data: Annotated[str, Parameter(help="name of a data set, or path of a file or folder")],
    /,
    *,
    resize: Annotated[
        list[int] | None, Parameter(help="height and width that images are scaled to", consume_multiple=True)
    ] = None,
    columns: Annotated[
        str | None, Parameter(help="file (.toml, .json) that says what columns of a table are", metavar="FILE")
    ] = None,
    save: Annotated[
        str | None, Parameter(help="file to write what is found of each column, for --columns", metavar="FILE")
    ] = None,
) -> None:
    """Print what is in a data set and what training on it would choose."""
    from vaekit.data import Table, describe, load_dataset
    from vaekit.recipes.request import TrainRequest

    size = resize[0] if resize and len(resize) == 1 else resize
    request = TrainRequest.parse({"data": data, "resize": size, "columns": columns})
    dataset = load_dataset(data, resize=request.resize)  # pyright: ignore[reportArgumentType]
    out = show.console()
    if isinstance(dataset.x, Table):
        show_table(out, dataset, request, save)
        _chosen(out, request, dataset)
        return
    if columns or save:
        raise ValueError(f"--columns and --save are for tables, which {data} is not")
    facts = describe(dataset)
    out.print(facts["name"], style="bold")
    out.print(show.table(_facts(facts).items(), ("", "")))
    if facts["classes"]:
        out.print(
            "", show.table([(name, f"{n:,}") for name, n in facts["classes"].items()], ("class", "items"), right=(1,))
        )
    _chosen(out, request, dataset)


def fetch_set(name: Annotated[str, Parameter(help="name of a data set")], /) -> None:
    """Get the files of a data set and print their folder."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    from vaekit.data import fetch

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=show.console(stderr=True), transient=True) as progress:
        tasks: dict[str, Any] = {}

        def report(file: str, received: int, size: int) -> None:
            if file not in tasks:
                tasks[file] = progress.add_task(file, total=size)
            progress.update(tasks[file], completed=received)

        folder = fetch(name, progress=report)
    print(f"{name} is in {folder}")


def _where(entry: CatalogueEntry) -> str:
    return entry.where if entry.path is None else f"{entry.where}: {entry.path}"


def _facts(facts: dict[str, Any]) -> dict[str, str]:
    """The figures of a data set in words."""
    test = f", and {facts['test_items']:,} in a test set" if facts["test_items"] else ""
    levels = "more than 256 different values" if facts["levels"] is None else f"{facts['levels']} different values"
    rows = {
        "items": f"{facts['items']:,} {facts['kind']}s of {' × '.join(map(str, facts['item_shape']))}{test}",
        "values": f"{facts['dtype']}, from {facts['low']:g} to {facts['high']:g}, {levels}",
        "memory": show.bytes_in_words(facts["memory_bytes"]),
        "source": facts["source"],
    }
    if facts["missing"]:
        rows["missing"] = f"{facts['missing']:,} values are NaN or infinite"
    if facts["columns"]:
        rows["columns"] = ", ".join(facts["columns"])
    return rows


def _chosen(out: Console, request: TrainRequest, dataset: Dataset) -> None:
    """What training would choose, or why it would refuse the data."""
    from vaekit.recipes import plan

    try:
        completed, _, examples = plan(request, dataset)
    except ValueError as error:
        out.print(f"\nTraining would refuse these data: {error}", soft_wrap=True)
        return
    rows = {name.replace("_", "-"): show.choice(getattr(completed, name)) for name in CHOSEN}
    out.print(f"\nTraining would take {examples:,} items, hold out {request.held_out:.0%} and choose", style="bold")
    out.print(show.table(rows.items(), ("", "")))
