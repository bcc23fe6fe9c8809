"""What the server has done, in the text format of Prometheus, and a line of the log for each request."""

from __future__ import annotations

import logging
import os
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path

from fastapi import APIRouter, Response
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .worker import Worker

router = APIRouter(tags=["about"])
log = logging.getLogger("vaekit.server.access")
BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0)  # seconds
TEXT = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """Counts of requests by route and status, and of how long they took by route."""

    def __init__(self, worker: Worker):
        self.worker = worker
        self.started = time.time()
        self.open = 0
        self.requests: Counter[tuple[str, int]] = Counter()
        self.seconds: defaultdict[str, list[float]] = defaultdict(lambda: [0.0] * (len(BUCKETS) + 2))

    def count(self, route: str, status: int, seconds: float) -> None:
        """One more; the last two numbers of a route are those beyond all buckets, and the sum."""
        self.requests[route, status] += 1
        times = self.seconds[route]
        times[next((at for at, end in enumerate(BUCKETS) if seconds <= end), len(BUCKETS))] += 1
        times[-1] += seconds

    def text(self) -> str:
        """All of it."""
        return "\n".join([*self._requests(), *self._gauges(), ""])

    def _requests(self) -> Iterator[str]:
        yield "# HELP vaekit_requests_total Requests answered, by route and status."
        yield "# TYPE vaekit_requests_total counter"
        for (route, status), count in sorted(self.requests.items()):
            yield f'vaekit_requests_total{{route="{route}",status="{status}"}} {count}'
        yield "# HELP vaekit_request_seconds How long answers took, by route."
        yield "# TYPE vaekit_request_seconds histogram"
        for route, times in sorted(self.seconds.items()):
            *counts, total = times
            ends = (*(f"{end:g}" for end in BUCKETS), "+Inf")
            for end, count in zip(ends, accumulate(counts), strict=True):
                yield f'vaekit_request_seconds_bucket{{route="{route}",le="{end}"}} {count:g}'
            yield f'vaekit_request_seconds_sum{{route="{route}"}} {total:.6f}'
            yield f'vaekit_request_seconds_count{{route="{route}"}} {sum(counts):g}'

    def _gauges(self) -> Iterator[str]:
        worker = self.worker
        rows = [
            ("requests_open", "gauge", "Requests that are being answered.", self.open),
            ("worker_waiting", "gauge", "Calls that wait for the model.", worker.waiting),
            ("worker_calls_total", "counter", "Calls of the model.", worker.calls),
            ("worker_joined_total", "counter", "Calls that shared another one's turn.", worker.joined),
            ("start_time_seconds", "gauge", "When the server started, in seconds since 1970.", f"{self.started:.3f}"),
            ("resident_memory_bytes", "gauge", "Memory of the process.", resident_memory()),
        ]
        for name, kind, about, value in rows:
            yield f"# HELP vaekit_{name} {about}"
            yield f"# TYPE vaekit_{name} {kind}"
            yield f"vaekit_{name} {value}"


class Observed:
    """Counts every request by its route's own path, so that there are as many series as routes, and writes a line of
    the log about it, without its query, which may hold a token; of what the page asks for only at the level "debug".
    """

    def __init__(self, app: ASGIApp, metrics: Metrics):
        self.app, self.metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start, status, size = time.perf_counter(), 499, 0  # 499: the client had gone

        async def counted(message: Message) -> None:
            nonlocal status, size
            if message["type"] == "http.response.start":
                status = message["status"]
            size += len(message.get("body", b""))
            await send(message)

        self.metrics.open += 1
        try:
            await self.app(scope, receive, counted)
        except Exception:
            status = 500
            raise
        finally:
            self.metrics.open -= 1
            self._note(scope, status, size, time.perf_counter() - start)

    def _note(self, scope: Scope, status: int, size: int, seconds: float) -> None:
        route = scope.get("route")
        self.metrics.count(getattr(route, "path", "none"), status, seconds)
        is_page = status < 400 and not getattr(route, "include_in_schema", True)
        line = {
            "method": scope["method"],
            "path": scope["path"][:200],
            "status": status,
            "ms": round(1000 * seconds, 3),
            "bytes": size,
            "client": (scope.get("client") or ("",))[0],
        }
        log.log(logging.DEBUG if is_page else logging.INFO, "request", extra=line)


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def metrics(connection: HTTPConnection) -> Response:
    """Counts and times of requests, for Prometheus."""
    return Response(connection.app.state.metrics.text(), media_type=TEXT)


def resident_memory() -> int:
    """Bytes of this process; 0 where that is not known."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")
