"""``vaekit synthesize``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from . import show
from .common import AT_LEAST_ONE, Device, load_run, note, refuse, status

if TYPE_CHECKING:
    from vaekit.evaluation import Fidelity
    from vaekit.recipes import Run

MEASURES = {
    "shape": "similarity of each column's distribution",
    "trend": "similarity of each pair of columns",
    "detection": "boosted trees cannot tell the rows from real ones",
    "usefulness": "boosted trees trained on the rows predict {target} of real ones",
}
CHECKS = {
    "copies": "share of rows that equal a training row",
    "distance": "median distance to the closest training row",
    "closer_to_train": "share of rows closer to training than to held-out rows; ½ if nothing is memorised",
    "membership_auc": "training rows told from held-out ones by their closest synthetic row; ½ if not at all",
}


def synthesize(
    source: Annotated[str, Parameter(help="a .csv or .parquet file to learn from, or the folder of a run")],
    /,
    *,
    out: Annotated[str, Parameter(help="file to write: .csv or .parquet", metavar="FILE")],
    n: Annotated[int, Parameter(name=("--n", "-n"), help="how many rows", validator=AT_LEAST_ONE)] = 1000,
    where: Annotated[
        tuple[str, ...], Parameter(help='column=value that every row has, such as income=">50K"; repeat for more')
    ] = (),
    report: Annotated[str | None, Parameter(help="write how close the rows are to real ones", metavar="JSON")] = None,
    pictures: Annotated[str | None, Parameter(help="folder for the report's pictures", metavar="DIR")] = None,
    real: Annotated[
        str | None, Parameter(help="real rows to judge by, unseen in training, not held-out ones", metavar="FILE")
    ] = None,
    target: Annotated[str | None, Parameter(help="column that the report predicts from the rows")] = None,
    run: Annotated[str | None, Parameter(help="folder to keep the model in that is trained", metavar="RUN")] = None,
    epochs: Annotated[int | None, Parameter(help="passes over the rows in training", validator=AT_LEAST_ONE)] = None,
    seed: Annotated[int, Parameter(help="seed of training and draws")] = 0,
    device: Device = "auto",
) -> None:
    """Write new rows like those of a table."""
    from vaekit import recipes

    from . import files

    files.check_table(out)
    if report is None and pictures is None:
        refuse("nothing is compared without --report or --pictures", {"--real": real, "--target": target})
    conditions = dict(_condition(text) for text in where)
    if Path(source).is_dir():
        refuse(f"{source} is trained already", {"--run": run, "--epochs": epochs})
        loaded = load_run(source, device)
    else:
        loaded = _trained(source, conditions, run, epochs, seed, device)
    with status("drawing rows"):
        rows = recipes.synthesize(loaded, n, conditions, seed=seed)
        files.write_table(Path(out), rows)
    print(f"{n:,} rows in {out}")
    if report is not None or pictures is not None:
        if conditions:
            note("the report is of rows without --where")
        _judge(loaded, source, real, target, report, pictures, seed)


def _condition(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise ValueError(f"--where takes column=value, got {text!r}")
    return name.strip(), value


def _trained(
    source: str, conditions: Mapping[str, str], out: str | None, epochs: int | None, seed: int, device: str
) -> Run:
    """A model of the rows of a file."""
    from vaekit import recipes
    from vaekit.training import default_reporter

    choices: dict[str, Any] = {"seed": seed, "device": device} | ({} if epochs is None else {"epochs": epochs})
    return recipes.train_synthesizer(source, choices, out, where=conditions, reporter=default_reporter())


def _judge(
    run: Run, source: str, real: str | None, target: str | None, report: str | None, pictures: str | None, seed: int
) -> None:
    """Draw as many rows as the model was trained on, and compare them with real ones."""
    from vaekit import recipes, store
    from vaekit.data import Table
    from vaekit.recipes.synthesis import assess

    parts = recipes.parts_of(run)
    if real is None and len(parts) < 2:
        raise ValueError("no rows were held out of the training to judge by; name some with --real")
    unseen = Table.read(real) if real is not None else next(iter(parts.values())).x
    train = parts["train"].x
    with status("comparing with real rows"):
        rows = Table.read(recipes.synthesize(run, len(train), seed=seed + 1))
        found = assess(run, rows, unseen, train, target=target, seed=seed)
    if report is not None:
        store.write_json(Path(report), {"source": source, **found.to_json()})
    if pictures is not None:
        _draw(found, Table.read(unseen), rows, Path(pictures))
    _print(found)


def _draw(found: Fidelity, real: Any, rows: Any, folder: Path) -> None:
    """Columns side by side, pairs of columns, distances."""
    from vaekit import plots

    folder.mkdir(parents=True, exist_ok=True)
    names, check = found.columns, found.memorisation
    scores = dict(zip(names, found.quality.shapes, strict=True))
    pair = [{name: table.columns[name] for name in names} for table in (real, rows)]
    figures = {
        "columns": plots.marginals(*pair, scores=scores),
        "pairs": plots.trends(names, found.quality.trends),
        "distances": plots.distances(check.distances, check.distances_floor),
    }
    for name, figure in figures.items():
        plots.save(figure, folder / f"{name}.png")
    print(f"{', '.join(f'{name}.png' for name in figures)} in {folder}")


def _print(found: Fidelity) -> None:
    """The report as a table."""
    out, check = show.console(), found.memorisation
    rows: list[Sequence[Any]] = []
    for name, meaning in MEASURES.items():
        ours, floor = getattr(found.quality, name), getattr(found.floor, name)
        if ours is not None:
            copula = "–" if found.baseline is None else f"{getattr(found.baseline, name):.3f}"
            rows.append((name, f"{ours:.3f}", copula, f"{floor:.3f}", meaning.format(target=found.target)))
    floors: Mapping[str, str] = {"copies": f"{check.copies_floor:.4f}", "distance": f"{check.distance_floor:.3f}"}
    for name, meaning in CHECKS.items():
        value = getattr(check, name)
        shown = f"{value:.4f}" if name == "copies" else f"{value:.3f}"
        rows.append((name.replace("_", " "), shown, "", floors.get(name, "0.500"), meaning))
    out.print(f"\n{found.n:,} synthetic rows against {found.real:,} real ones", style="bold")
    out.print(show.table(rows, ("", "synthetic", "copula", "training", ""), right=(1, 2, 3)))
    note("the last four are a check for copies, no guarantee of privacy; beside them is the number of held-out rows")
