"""``vaekit sample``, ``vaekit reconstruct`` and ``vaekit encode``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from .common import AT_LEAST_ONE, Data, Device, RunPath, Which, load_run, status

Out = Annotated[
    str, Parameter(help=".npy, .npz, .png, .pdf or .svg file, folder for a PNG file each, .csv or .parquet for a table")
]
Number = Annotated[int, Parameter(name=("--n", "-n"), help="how many", validator=AT_LEAST_ONE)]
First = Annotated[
    int | None, Parameter(name=("--n", "-n"), help="only the first N; 20 in a picture", validator=AT_LEAST_ONE)
]


def sample(
    run: RunPath,
    /,
    *,
    out: Out,
    n: Number = 16,
    label: Annotated[str | None, Parameter(help="class of the items, for a run that was told the labels")] = None,
    draw: Annotated[
        bool, Parameter(help="draw values too, not their mean given the latents", show_default=False)
    ] = False,
    seed: Annotated[int, Parameter(help="seed of the draws")] = 0,
    device: Device = "auto",
) -> None:
    """Write new items."""
    from vaekit import tasks

    from . import files, pictures

    loaded = load_run(run, device)
    files.check_items(out, loaded.schema)
    with status("sampling"):
        c = loaded.context(n, None if label is None else [label])
        x = tasks.generate(loaded.model, n, c, draw=draw, seed=seed)
        files.write_items(out, loaded.schema, x, lambda: pictures.samples(loaded, n, c, draw=draw, seed=seed))
    print(f"{n} samples in {out}")


def reconstruct(
    run: RunPath,
    data: Data = None,
    /,
    *,
    out: Out,
    n: First = None,
    part: Which = None,
    device: Device = "auto",
) -> None:
    """Write what becomes of items that are encoded and decoded again."""
    from vaekit import recipes, tasks

    from . import files, pictures

    loaded = load_run(run, device)
    files.check_items(out, loaded.schema)
    examples = recipes.choose_examples(loaded, data, part)
    if n is None and files.is_picture(out):
        n = 20
    examples = examples if n is None else examples.first(n)
    with status(f"reconstructing {len(examples):,} examples"):
        x = tasks.reconstruct(loaded.model, loaded.feed(examples.x, examples.y))
        files.write_items(out, loaded.schema, x, lambda: pictures.reconstructions(loaded, examples, len(examples)))
    print(f"{len(examples):,} reconstructions of {examples.description} in {out}")


def encode(
    run: RunPath,
    data: Data = None,
    /,
    *,
    out: Annotated[str, Parameter(help=".npy, .npz, .csv or .parquet file")],
    part: Which = None,
    device: Device = "auto",
) -> None:
    """Write the posterior mean of the latents of each item."""
    from vaekit import recipes, tasks

    from . import files

    files.check_latents(out)
    loaded = load_run(run, device)
    examples = recipes.choose_examples(loaded, data, part)
    with status(f"encoding {len(examples):,} examples"):
        z = tasks.encode(loaded.model, loaded.feed(examples.x, examples.y)).numpy()
        files.write_latents(Path(out), z, examples.y, examples.classes)
    print(f"{len(z):,} × {z.shape[1]} latents of {examples.description} in {out}")
