"""``vaekit export-page``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from .common import AT_LEAST_ONE, Device, RunPath, status


def export_page(
    run: RunPath,
    out: Annotated[str, Parameter(help="the .html file to write")],
    /,
    *,
    side: Annotated[int, Parameter(help="decoded places to a side of the plane", validator=AT_LEAST_ONE)] = 32,
    points: Annotated[int, Parameter(help="items of the data that are shown, at most", validator=AT_LEAST_ONE)] = 2000,
    device: Device = "auto",
) -> None:
    """Write the page of a run as one file."""
    from vaekit import store

    from .serve import needs_packages

    path = Path(out)
    if path.suffix.lower() not in (".html", ".htm"):
        raise ValueError(f"the page is written as .html, but the path is {out}; give it that ending")
    needs_packages()
    paths = store.runs_in(run)
    with status("decoding"):
        from vaekit.server import Host
        from vaekit.server.export import export_page

        hosted = Host.open(paths, device).get()
        page = export_page(hosted, side=side, most=points)
    store.write_text(path, page)
    print(f"{path}, {len(page.encode()) / 1e6:.1f} MB")
