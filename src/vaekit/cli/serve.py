"""``vaekit serve`` and ``vaekit explore``."""

from __future__ import annotations

import os
import webbrowser
from typing import Annotated

from cyclopts import Parameter

from .common import Device, status
from .endings import MISTAKE, StoppedError

Runs = Annotated[list[str], Parameter(help="folders of runs, or a folder that holds some")]
Host = Annotated[str, Parameter(help="address to listen at; others than this machine's need a token")]
Port = Annotated[int, Parameter(help="port to listen at; 0 for a free one")]
Token = Annotated[str | None, Parameter(help="what clients must show; $VAEKIT_TOKEN if left out", show_default=False)]


def serve(
    runs: Runs,
    /,
    *,
    host: Host = "127.0.0.1",
    port: Port = 8000,
    token: Token = None,
    device: Device = "auto",
) -> None:
    """Serve runs."""
    _serve(runs, host, port, token, device, browse=False)


def explore(
    runs: Runs,
    /,
    *,
    host: Host = "127.0.0.1",
    port: Port = 0,
    token: Token = None,
    browser: Annotated[bool, Parameter(help="open the page in the browser", negative="--no-browser")] = True,
    device: Device = "auto",
) -> None:
    """Look at runs in the browser."""
    _serve(runs, host, port, token, device, browse=browser)


def _serve(runs: list[str], host: str, port: int, token: str | None, device: str, *, browse: bool) -> None:
    try:
        import fastapi  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise StoppedError(f"the server needs more packages: pip install 'vaekit[serve]' ({error})", MISTAKE) from error
    with status("starting"):
        from vaekit.server import Host, Settings, create_app
        from vaekit.server.serving import Server

        settings = Settings(host=host, port=port, token=token or os.environ.get("VAEKIT_TOKEN"))
        hosted = Host.open(runs, device)
        app = create_app(hosted, settings)

    def ready(address: str) -> None:
        page = f"{address}/?token={settings.token}" if settings.token else address
        print(f"{', '.join(hosted.names)} at {page} (Ctrl-C stops)", flush=True)
        if browse:
            webbrowser.open(page)

    Server(app, settings, ready).run()
