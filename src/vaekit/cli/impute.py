"""``vaekit impute``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter
from cyclopts.validators import Number

from . import show
from .common import AT_LEAST_ONE, Device, load_run, note, refuse, status

if TYPE_CHECKING:
    from vaekit.recipes import Run
    from vaekit.recipes.imputation import Errors

COLUMNS = ("", "numbers, in standard deviations", "categories, share wrong")


def impute(
    source: Annotated[str, Parameter(help="a table with missing cells (.csv, .tsv, .parquet), or the folder of a run")],
    /,
    *,
    out: Annotated[str, Parameter(help="file to write: .csv or .parquet; of images .npy or .png", metavar="FILE")],
    data: Annotated[str | None, Parameter(help="of a run: rows or images to fill in", metavar="FILE")] = None,
    mask: Annotated[
        str | None,
        Parameter(help="of images: the hidden part, top:bottom,left:right, or a .npy array that is true there"),
    ] = None,
    draws: Annotated[int, Parameter(help="also write so many tables drawn at random", validator=Number(gte=0))] = 0,
    intervals: Annotated[
        bool, Parameter(help="also write the ends of each cell's interval", show_default=False)
    ] = False,
    level: Annotated[float, Parameter(help="probability of the intervals", validator=Number(gt=0, lt=1))] = 0.9,
    members: Annotated[int | None, Parameter(help="VAEs that are averaged", validator=AT_LEAST_ONE)] = None,
    epochs: Annotated[int | None, Parameter(help="passes over the rows in training", validator=AT_LEAST_ONE)] = None,
    report: Annotated[str | None, Parameter(help="write the errors on cells hidden on purpose", metavar="JSON")] = None,
    seed: Annotated[int, Parameter(help="seed of training and draws")] = 0,
    device: Device = "auto",
) -> None:
    """Fill in the missing cells of a table, or a hidden part of images."""
    if Path(source).is_dir():
        refuse(f"{source} is trained already", {"--epochs": epochs, "--report": report})
        run = load_run(source, device)
        if run.schema.kind == "image":
            refuse("images are filled in once, by their means", {"--draws": draws, "--intervals": intervals})
            _inpaint(run, data, mask, out, seed)
            return
        if mask is not None:
            raise ValueError(
                f"--mask is for images, but {source} was trained on a table, whose missing cells are filled in"
            )
        _fill(run, source, data, out, draws, intervals, level, seed)
        return
    if mask is not None or data is not None:
        raise ValueError("--data and --mask go with the folder of a run; name the table to fill in first")
    choices: dict[str, Any] = {"seed": seed, "device": device} | ({} if epochs is None else {"epochs": epochs})
    _train(source, out, choices, members, draws, intervals, level, report)


def _train(
    source: str, out: str, choices: Mapping[str, Any], members: int | None, draws: int, intervals: bool, level: float,
    report: str | None,
) -> None:  # fmt: skip
    """Models of a file's rows, and the file filled in by them."""
    from vaekit import store
    from vaekit.data import Table
    from vaekit.recipes.imputation import impute_table, train_imputer
    from vaekit.training import default_reporter

    from . import files

    files.check_table(out)
    table = Table.read(source)
    imputer = train_imputer(table, choices, members=members, level=level, reporter=default_reporter())
    with status("filling in"):
        found = impute_table(imputer, table, draws=draws, intervals=intervals, seed=choices["seed"])
    _write(found, out, draws, intervals)
    if report is not None:
        store.write_json(Path(report), {name: vars(errors) for name, errors in imputer.errors.items()})
    _print(imputer.errors)


def _fill(
    run: Run, source: str, data: str | None, out: str, draws: int, intervals: bool, level: float, seed: int
) -> None:
    """A file's rows filled in by a run."""
    import torch

    from vaekit import recipes
    from vaekit.data import Table
    from vaekit.recipes.imputation import Imputer, impute_table

    from . import files

    files.check_table(out)
    table = Table.read(recipes.choose_examples(run, None, None).x if data is None else data)
    with status("filling in"):
        imputer = Imputer((run,), torch.zeros(len(run.schema.columns)), level)
        found = impute_table(imputer, table, draws=draws, intervals=intervals, seed=seed)
        _write(found, out, draws, intervals)
    if intervals:
        note(f"these intervals are {source}'s own; those of vaekit impute FILE are calibrated")


def _write(found: Any, out: str, draws: int, intervals: bool) -> None:
    """The table, its draws as out-1, out-2, … and its intervals as out-low and out-high."""
    from . import files

    path = Path(out)
    tables = {"": found.table, **{f"-{number}": drawn for number, drawn in enumerate(found.draws, 1)}}
    if intervals:
        tables |= {"-low": found.low, "-high": found.high}
    for ending, table in tables.items():
        files.write_table(path.with_name(f"{path.stem}{ending}{path.suffix}"), table.write())
    print(f"{int(found.missing.sum()):,} missing cells of {len(found.table):,} rows filled in, in {out}")
    if draws:
        print(f"{draws} tables drawn at random in {path.stem}-1{path.suffix} and following")
    if intervals:
        print(f"the ends of each cell's interval in {path.stem}-low{path.suffix} and {path.stem}-high{path.suffix}")


def _print(errors: Mapping[str, Errors]) -> None:
    """The errors on hidden cells as a table."""

    def shown(value: float) -> str:
        return "" if value != value else f"{value:.3f}"

    rows = [(name, shown(one.numbers), shown(one.categories)) for name, one in errors.items()]
    out = show.console()
    out.print("\nErrors on observed cells that were hidden on purpose", style="bold")
    out.print(show.table(rows, COLUMNS, right=(1, 2)))
    note("cells are supposed to be missing at random: depending on what is observed, not on what is missing")


def _inpaint(run: Run, data: str | None, mask: str | None, out: str, seed: int) -> None:
    """Images with a hidden part, filled in."""
    import torch

    from vaekit import recipes, tasks
    from vaekit.data.masks import hidden_part

    from . import files, pictures

    if mask is None:
        raise ValueError("say which part of the images is hidden: --mask 0:14,0:28 or a .npy array")
    files.check_items(out, run.schema)
    examples = recipes.choose_examples(run, data, None)
    examples = examples.first(20) if files.is_picture(out) else examples
    x = run.feed(examples.x, examples.y).batch(slice(None)).x
    hidden = torch.from_numpy(hidden_part(mask, len(x), (x.shape[-2], x.shape[-1]))).expand_as(x)
    with status(f"filling in {len(x):,} images"):
        found = tasks.impute(run.model, torch.where(hidden, torch.nan, x), seed=seed).values
        files.write_items(out, run.schema, found, lambda: pictures.inpaintings(run, x, hidden, found))
    print(f"{len(x):,} images of {examples.description} filled in, in {out}")
