"""``vaekit plot``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from .common import AT_LEAST_ONE, Device, RunPath, load_run, note, status

if TYPE_CHECKING:
    from vaekit.recipes import Examples, Run

Kind = Literal[
    "manifold", "clusters", "reconstructions", "samples", "traversals", "interpolation", "rate-distortion", "curves"
]
Format = Literal["png", "pdf", "svg"]


def plot(
    run: RunPath,
    /,
    *kind: Annotated[Kind, Parameter(help="pictures to draw; all that make sense if left out")],
    data: Annotated[
        str | None, Parameter(help="data set or path to take examples from; the run's own if left out")
    ] = None,
    out: Annotated[str | None, Parameter(help="file for one picture, or folder; the run's figures if left out")] = None,
    format: Annotated[Format, Parameter(help="of files in a folder")] = "png",
    n: Annotated[
        int | None,
        Parameter(name=("--n", "-n"), help="tiles to a side of the manifold, or examples", validator=AT_LEAST_ONE),
    ] = None,
    range: Annotated[
        float | None, Parameter(help="of the manifold, to both sides; the prior's quantiles if left out")
    ] = None,
    color_by: Annotated[
        str | None, Parameter(help="column of a table that colours the clusters", metavar="COLUMN")
    ] = None,
    device: Device = "auto",
) -> None:
    """Draw pictures of a run and print where they are."""
    from vaekit import plots

    from . import pictures

    loaded = load_run(run, device)
    names = [str(name) for name in dict.fromkeys(kind)] or pictures.sensible(loaded)
    if color_by is not None and "clusters" not in names:
        raise ValueError("--color-by colours the picture of clusters, which is not asked for; add clusters")
    parts = {}
    if any(name in pictures.OF_EXAMPLES for name in names):
        parts = _parts(loaded, data, required=bool(kind or data))
        names = [name for name in names if parts or name not in pictures.OF_EXAMPLES]
    for name, path in _paths(names, Path(out) if out is not None else Path(run) / "figures", format).items():
        with status(f"drawing {name}"):
            figure = pictures.draw(loaded, name, parts, n=n, range=range, color_by=color_by)
            try:
                plots.save(figure, path)
            except OSError as error:
                raise OSError(f"cannot write {path} ({error.strerror}); choose another place with --out") from error
        print(path, flush=True)


def _paths(names: list[str], out: Path, format: str) -> dict[str, Path]:
    """The file of each picture. Raises ValueError for several in one file."""
    if not out.suffix or out.is_dir():
        return {name: out / f"{name}.{format}" for name in names}
    if len(names) > 1:
        raise ValueError(
            f"{out} is one file, but there are {len(names)} pictures to draw: {', '.join(names)}; give a folder"
        )
    return {names[0]: out}


def _parts(run: Run, data: str | None, *, required: bool) -> dict[str, Examples]:
    """The examples to picture; none, with a remark, where nobody asked for them and they cannot be had."""
    from vaekit.recipes import parts_of

    try:
        return {str(name): examples for name, examples in parts_of(run, data).items()}
    except (OSError, ValueError) as error:
        if required:
            raise
        note(f"without pictures of examples: {error}")
        return {}
