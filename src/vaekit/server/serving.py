"""Running the application in this process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import uvicorn
from fastapi import FastAPI

from .settings import Settings

GRACE = 10  # seconds that requests are given to end when the server stops
KEPT = 75  # seconds that a connection without requests is kept: longer than a proxy does, so that it is not cut off


class Server(uvicorn.Server):
    """A server that says when it is ready: ``started`` is called with its address."""

    def __init__(self, app: FastAPI, settings: Settings, ready: Callable[[str], None] | None = None):
        super().__init__(
            uvicorn.Config(
                app,
                host=settings.host,
                port=settings.port,
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                ws_max_size=settings.message,
                ws_per_message_deflate=False,  # answers are small, and late if compressed
                timeout_graceful_shutdown=GRACE,
                timeout_keep_alive=KEPT,
            )
        )
        self.ready = ready

    async def startup(self, sockets: list[Any] | None = None) -> None:
        """Listen, then say so."""
        await super().startup(sockets)
        if self.started and self.ready is not None:
            self.ready(self.address)

    @property
    def address(self) -> str:
        """Where the server is, such as http://127.0.0.1:8000."""
        host, port = self.servers[0].sockets[0].getsockname()[:2]
        return f"http://{f'[{host}]' if ':' in host else host}:{port}"
