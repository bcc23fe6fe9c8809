"""What routes are given: the host, the worker, the settings, and the run that a request means."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Query
from starlette.requests import HTTPConnection

from .hosting import Host, Hosted
from .settings import Settings
from .worker import Worker


async def _host(connection: HTTPConnection) -> Host:
    return connection.app.state.host


async def _worker(connection: HTTPConnection) -> Worker:
    return connection.app.state.worker


async def _settings(connection: HTTPConnection) -> Settings:
    return connection.app.state.settings


GivenHost = Annotated[Host, Depends(_host)]
GivenWorker = Annotated[Worker, Depends(_worker)]
GivenSettings = Annotated[Settings, Depends(_settings)]


async def chosen(host: Host, worker: Worker, name: str | None) -> Hosted:
    """The run of that name, loaded and read again if it was trained on; UnknownRunError if there is none."""
    hosted = host.get(name)
    if not hosted.loaded:
        await worker.run(lambda: hosted.run)
    elif hosted.stale():
        await worker.run(hosted.refresh)
    return hosted


async def _chosen(
    connection: HTTPConnection,
    run: Annotated[str | None, Query(description="name of the run; the first one if left out")] = None,
) -> Hosted:
    return await chosen(connection.app.state.host, connection.app.state.worker, run)


GivenRun = Annotated[Hosted, Depends(_chosen)]
