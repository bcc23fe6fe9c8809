"""``vaekit compare``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter
from rich.table import Table

from . import show
from .common import AT_LEAST_ONE, status
from .endings import INTERRUPTED, StoppedError, speaks
from .options import choices, takes_request

if TYPE_CHECKING:
    from vaekit.recipes.comparison import Comparison
    from vaekit.recipes.request import TrainRequest
    from vaekit.training import Reporter

PICTURED = 10  # items in a row of a picture


@takes_request
def compare(
    data: Annotated[str, Parameter(help="name of a data set, or path of a file or folder")],
    entrants: Annotated[list[str], Parameter(help="presets, and .toml, .yaml or .json files of choices")],
    /,
    *,
    seeds: Annotated[int, Parameter(help="how often each is trained", validator=AT_LEAST_ONE)] = 3,
    samples: Annotated[int, Parameter(help="importance samples for each example", validator=AT_LEAST_ONE)] = 100,
    out: Annotated[str | None, Parameter(help="folder to write; comparisons/DATA if left out")] = None,
    overwrite: Annotated[bool, Parameter(help="replace the comparison that is there", show_default=False)] = False,
    as_json: Annotated[bool, Parameter(name="--json", help="print JSON, not a table", show_default=False)] = False,
    quiet: Annotated[bool, Parameter(help="print nothing but the result", show_default=False)] = False,
    **given: Any,
) -> None:
    """Train several choices on one split with several seeds, and say which is best by what."""
    from vaekit import recipes
    from vaekit.recipes.judge import MEASURES, Judge
    from vaekit.training import Interrupted

    changes = {key: value for key, value in choices(given).items() if key not in ("seed", "split_seed")}
    planned = recipes.requests(data, entrants, changes, seeds)
    folder = Path(out) if out is not None else Path("comparisons") / Path(data).stem
    quiet = quiet or as_json or not speaks()
    try:
        result = recipes.compare(
            planned,
            folder,
            Judge(folder, samples),
            MEASURES,
            overwrite=overwrite,
            reporter=lambda t: _reporter(t, quiet),
        )
    except Interrupted as stopped:
        message = f"{stopped}; saved; type the same command again to continue"
        raise StoppedError(message, INTERRUPTED) from stopped
    with status("drawing"):
        pictures = _draw(result, planned, folder)
    _print(result, as_json)
    if not as_json:
        for path in pictures:
            print(path)


def _reporter(title: str, quiet: bool) -> Reporter | None:
    from vaekit.training import default_reporter

    if quiet:
        return None
    show.console(stderr=True).print(f"\n{title}", style="bold")
    return default_reporter()


def _draw(result: Comparison, planned: Mapping[str, Sequence[TrainRequest]], folder: Path) -> list[Path]:
    """Samples and reconstructions side by side, and the measures with their intervals."""
    from vaekit import plots, recipes

    from . import pictures

    samples: dict[str, Any] = {}
    restored: dict[str, Any] = {}
    for name, run in recipes.runs_of(planned, folder):
        samples[name] = pictures.sample_tiles(run, PICTURED)
        examples = recipes.choose_examples(run).first(PICTURED)
        restored.setdefault("data", pictures.original_tiles(run, examples))
        restored[name] = pictures.reconstruction_tiles(run, examples)
    shown = result.shown()
    means = {name: {entrant: result.interval(name, entrant) for entrant in result.entrants} for name in shown}
    titles = {name: result.measures[name].title for name in shown}
    charts = {
        titles[name]: {entrant: (i.mean, i.half) for entrant, i in found.items() if i is not None}
        for name, found in means.items()
        if result.measures[name].better
    }
    figures = {
        "samples.png": plots.side_by_side(samples, title="draws from each prior, decoded"),
        "reconstructions.png": plots.side_by_side(restored, title=result.description),
        "measures.png": plots.measures(
            result.entrants,
            charts,
            winners={titles[name]: result.winner(name) for name in shown},
            hints={titles[name]: _hint(result, name) for name in shown},
        ),
    }
    return [plots.save(figure, folder / name) for name, figure in figures.items()]


def _hint(result: Comparison, name: str) -> str:
    measure = result.measures[name]
    return ", ".join(text for text in (measure.unit, measure.better and f"{measure.better} is better") if text)


def _print(result: Comparison, as_json: bool) -> None:
    shown = result.shown()
    if as_json:
        content = {
            name: {
                "winner": result.winner(name),
                **{entrant: vars(i) for entrant in result.entrants if (i := result.interval(name, entrant))},
            }
            for name in shown
        }
        print(json.dumps(content))
        return
    out = show.console()
    count = max(len(result.values(name).get(entrant, ())) for name in shown for entrant in result.entrants)
    out.print(f"{result.description}; {show.counted(count, 'seed')}", style="bold")
    out.print(_table(result, shown))
    for name in shown:
        best = result.winner(name)
        if best is not None:
            out.print(f"{result.measures[name].title}: {best} is best")
    open_ones = [result.measures[n].title for n in shown if result.measures[n].better and result.winner(n) is None]
    if open_ones and len(result.entrants) > 1:
        out.print(f"no winner that the intervals allow: {', '.join(open_ones)}", style="dim")


def _table(result: Comparison, shown: Sequence[str]) -> Table:
    """A row for each measure, a column for each entrant, the winner marked."""
    rows = []
    for name in shown:
        best = result.winner(name)
        cells = [_cell(result, name, entrant) + ("*" if entrant == best else "") for entrant in result.entrants]
        rows.append((result.measures[name].title, *cells, _hint(result, name)))
    columns = ("", *result.entrants, "")
    return show.table(rows, columns, right=range(1, len(columns) - 1))


def _cell(result: Comparison, name: str, entrant: str) -> str:
    found = result.interval(name, entrant)
    if found is None:
        return "–"
    digits = 0 if abs(found.mean) >= 1000 else 2 if abs(found.mean) >= 1 else 4
    half = "" if found.half is None else f" ± {found.half:,.{digits}f}"
    return f"{found.mean:,.{digits}f}{half}"
