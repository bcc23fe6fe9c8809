"""The application: the page, the service and the live connection over hosted runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware

from vaekit import __version__

from . import about, live, metrics, page, service, shell
from .documents import ABOUT
from .errors import handle_errors
from .hosting import Host
from .limits import Limits
from .metrics import Metrics, Observed
from .security import Guard, SecurityHeaders
from .settings import Settings
from .worker import Worker


def create_app(host: Host, settings: Settings | None = None) -> FastAPI:
    """The application, whose worker runs from its start to its end; ``state`` holds host, worker and settings."""
    settings = settings or Settings()
    worker = Worker(settings.waiting)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        worker.start()
        for route in app.routes:  # FastAPI puts its routes together when it is first asked whether one matches
            route.matches({"type": "http", "method": "GET", "path": "", "root_path": ""})
        warming = asyncio.create_task(_warm(host, worker))
        yield
        warming.cancel()
        worker.stop()

    app = FastAPI(
        title="vaekit", version=__version__, description=ABOUT, lifespan=lifespan, openapi_url=None, docs_url=None
    )
    app.state.host, app.state.worker, app.state.settings = host, worker, settings
    app.state.metrics = Metrics(worker)
    routers = [module.router for module in (service, about, metrics, page, live, shell)]
    handle_errors(app, routers)
    for router in routers:
        app.include_router(router)
    _surround(app, settings)
    return app


async def _warm(host: Host, worker: Worker) -> None:
    """Read the first run, while the page is on its way; what is wrong with it is said to whoever asks for it."""
    with suppress(Exception):
        await worker.run(host.get().warm)


def _surround(app: FastAPI, settings: Settings) -> None:
    """What every request passes through; the last one added is met first."""
    app.add_middleware(Limits, settings=settings)
    app.add_middleware(Guard, settings=settings)
    if settings.origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(settings.origins),
            allow_methods=["GET", "POST"],
            allow_headers=["Accept", "Authorization", "Content-Type"],
        )
    app.add_middleware(SecurityHeaders)
    app.add_middleware(Observed, metrics=app.state.metrics)
