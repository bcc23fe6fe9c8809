"""``vaekit serve`` and ``vaekit explore``."""

from __future__ import annotations

import os
import socket
import webbrowser
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from .common import AT_LEAST_ONE, Device, status
from .endings import MISTAKE, StoppedError

if TYPE_CHECKING:
    from vaekit.server import Settings

NEEDED = ("fastapi", "uvicorn", "websockets")
POSITIVE = Number(gt=0)
Runs = Annotated[list[str], Parameter(help="folders of runs, or a folder that holds some", metavar="RUN")]
Host = Annotated[str, Parameter(help="address to listen at; others than this machine's need a token")]
Port = Annotated[int, Parameter(help="port to listen at; 0 for a free one", validator=Number(gte=0, lt=2**16))]
Token = Annotated[
    str | None, Parameter(help="what clients must show; $VAEKIT_TOKEN if left out", show_default=False, metavar="TEXT")
]
Names = Annotated[
    tuple[str, ...], Parameter(help="further names by which the server may be addressed", show_default=False)
]
Origins = Annotated[
    tuple[str, ...], Parameter(help="sites whose pages may use it: https://example.org", show_default=False)
]


def serve(
    runs: Runs,
    /,
    *,
    host: Host = "127.0.0.1",
    port: Port = 8000,
    token: Token = None,
    allow_host: Names = (),
    allow_origin: Origins = (),
    most_mb: Annotated[float, Parameter(help="MiB of a request", validator=POSITIVE)] = 32,
    most_items: Annotated[int, Parameter(help="items of a request", validator=AT_LEAST_ONE)] = 10_000,
    most_samples: Annotated[int, Parameter(help="importance samples for an item", validator=AT_LEAST_ONE)] = 1_000,
    rate: Annotated[float, Parameter(help="requests a second of a client", validator=POSITIVE)] = 1_000,
    timeout: Annotated[float, Parameter(help="seconds for a request", validator=POSITIVE)] = 60,
    log: Annotated[
        Literal["debug", "info", "warning", "error"], Parameter(help="least grave lines of JSON that are logged")
    ] = "info",
    device: Device = "auto",
) -> None:
    """Serve runs."""
    limits = {"body": round(most_mb * 2**20), "items": most_items, "samples": most_samples}
    limits |= {"rate": rate, "burst": max(1, round(2 * rate)), "seconds": timeout}
    needs_packages()
    settings = _settings(host, port, token, hosts=allow_host, origins=allow_origin, **limits)
    _run(runs, settings, device, log, browse=False)


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
    needs_packages()
    _run(runs, _settings(host, port, token), device, "error", browse=browser)


def needs_packages() -> None:
    """Refuse where the packages of the extra ``serve`` are missing."""
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise StoppedError(f"the server needs {', '.join(missing)}: pip install 'vaekit[serve]'", MISTAKE)


def _settings(host: str, port: int, token: str | None, **more: Any) -> Settings:
    from vaekit.server import Settings

    return Settings(host=host, port=port, token=token or os.environ.get("VAEKIT_TOKEN") or None, **more)


def _run(runs: list[str], settings: Settings, device: str, log: str, *, browse: bool) -> None:
    from vaekit.store import runs_in

    paths = [path for given in runs for path in runs_in(given)]
    with _listen(settings.host, settings.port) as listener:
        _spare_cores()
        with status("reading"):  # what is wrong with paths and port was said before these slow imports
            from vaekit.server import Host, create_app
            from vaekit.server.logs import log_lines
            from vaekit.server.serving import Server

            hosted = Host.open(paths, device)
            app = create_app(hosted, settings)
        log_lines(log)

        def ready(address: str) -> None:
            page = f"{address}/?token={settings.token}" if settings.token else address
            print(f"{', '.join(hosted.names)} at {page} (Ctrl-C stops)", flush=True)
            if browse:
                webbrowser.open(page)

        Server(app, settings, ready).run([listener])


def _listen(host: str, port: int) -> socket.socket:
    """A socket at that address. Raises StoppedError if there can be none."""
    try:
        listener = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        why = str(error.strerror).partition(" (")[0].lower()
        sentence = f"cannot listen at {host}, port {port}: {why}; try another --port, 0 for a free one"
        raise StoppedError(sentence, MISTAKE) from error
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else the end of an answer waits 40 ms for an ACK
    return listener


def _spare_cores() -> None:
    """Let torch's threads spin only shortly while they wait for each other, not on the cores that the connections and
    the clients need: a request for one image then takes a hundred times as long where something else is running. To
    sleep at once would make batches half as fast. Must come before torch is imported.
    """
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
