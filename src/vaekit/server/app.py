"""The application: the page, the service and the live connection over hosted runs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from vaekit import __version__

from . import about, live, page, service
from .documents import ABOUT
from .errors import handle_errors
from .hosting import Host
from .settings import Settings
from .worker import Worker

WEB = Path(__file__).parent / "web"


def create_app(host: Host, settings: Settings | None = None) -> FastAPI:
    """The application, whose worker runs from its start to its end; ``state`` holds host, worker and settings."""
    settings = settings or Settings()
    worker = Worker(settings.waiting)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        worker.start()
        yield
        worker.stop()

    app = FastAPI(
        title="vaekit", version=__version__, description=ABOUT, lifespan=lifespan, openapi_url=None, docs_url=None
    )
    app.state.host, app.state.worker, app.state.settings = host, worker, settings
    handle_errors(app)
    app.include_router(service.router)
    app.include_router(about.router)
    app.include_router(page.router)
    app.include_router(live.router)
    app.mount("/", StaticFiles(directory=WEB, html=True), name="web")
    return app
