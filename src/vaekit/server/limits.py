"""How much a client may ask for: bytes, requests a second, time."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from contextlib import suppress

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .errors import answer
from .settings import Settings

MOST_CLIENTS = 4096  # that are remembered


class Rate:
    """A bucket of ``burst`` tokens for each client, filled by ``rate`` a second; a request takes one."""

    def __init__(self, rate: float, burst: float):
        self.rate, self.burst = rate, burst
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, client: str, now: float) -> float:
        """Seconds until the client may ask again; 0 if it may now, which takes a token."""
        left, last = self._buckets.pop(client, (self.burst, now))
        left = min(self.burst, left + (now - last) * self.rate)
        self._buckets[client] = (left - 1 if left >= 1 else left, now)
        if len(self._buckets) > MOST_CLIENTS:
            self._buckets.popitem(last=False)
        return 0.0 if left >= 1 else (1 - left) / self.rate


class Limits:
    """Refuses bodies that are too large with 413, too many requests with 429, and ends with 504 what takes too long.

    What was asked for by a client that has gone is cancelled.
    """

    def __init__(self, app: ASGIApp, settings: Settings):
        self.app, self.settings = app, settings
        self.rate = Rate(settings.rate, settings.burst)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on within its limits."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        client = (scope.get("client") or ("",))[0]
        wait = self.rate.wait(client, time.monotonic())
        if scope["type"] == "websocket":
            await (send({"type": "websocket.close", "code": 1013}) if wait else self.app(scope, receive, send))
        elif wait:
            sentence = f"more than {self.settings.rate:g} requests a second; try again in a moment"
            await answer(429, sentence, {"Retry-After": f"{max(1, round(wait))}"})(scope, receive, send)
        elif _length(scope) > self.settings.body:
            await answer(413, _too_large(self.settings))(scope, receive, send)
        else:
            await _Exchange(self.settings, receive, send).run(self.app, scope)


class _Exchange:
    """One request and its answer."""

    def __init__(self, settings: Settings, receive: Receive, send: Send):
        self.settings, self._receive, self._send = settings, receive, send
        self.taken, self.started, self.gone = 0, False, False
        self.timeout: asyncio.Timeout | None = None
        self.waiting: asyncio.Task[Message] | None = None

    async def run(self, app: ASGIApp, scope: Scope) -> None:
        self.task = asyncio.current_task()
        try:
            async with asyncio.timeout(self.settings.seconds) as self.timeout:
                await app(scope, self.receive, self.send)
        except TimeoutError:
            if self.started:
                raise
            sentence = f"this took longer than {self.settings.seconds:g} seconds; ask for fewer items or samples"
            await answer(504, sentence)(scope, self._receive, self._send)
        except asyncio.CancelledError:
            if not self.gone or self.task is None:
                raise
            self.task.uncancel()
        finally:
            if self.waiting is not None:
                self.waiting.cancel()

    async def receive(self) -> Message:
        """The body, counted; after it, that the client has gone."""
        if self.waiting is not None:
            return await asyncio.shield(self.waiting)
        message = await self._receive()
        self.taken += len(message.get("body", b""))
        if self.taken > self.settings.body:
            raise HTTPException(413, _too_large(self.settings))
        if message["type"] == "http.request" and not message.get("more_body"):
            self.waiting = asyncio.create_task(self._leave())
        return message

    async def send(self, message: Message) -> None:
        """The answer, which may take its time once it has begun."""
        if message["type"] == "http.response.start" and self.timeout is not None:
            self.started = True
            with suppress(RuntimeError):
                self.timeout.reschedule(None)
        await self._send(message)

    async def _leave(self) -> Message:
        message = await self._receive()
        if not self.started and self.task is not None:
            self.gone = True
            self.task.cancel()
        return message


def _length(scope: Scope) -> int:
    text = Headers(scope=scope).get("content-length", "0")
    return int(text) if text.isdecimal() else 0


def _too_large(settings: Settings) -> str:
    return f"a request has at most {settings.body / 2**20:g} MiB; send fewer items at a time"
