"""How fast ``vaekit serve`` answers, and how much memory it takes, with the article's model and the clients beside it.

- decode: batches of latents as .npy, several clients, each asking again as soon as it is answered: images a second.
- reconstruct: single images at a fixed rate, whether answers come or not (open loop), so that waiting counts: each
  latency is from when the request was due.
- memory: resident memory of the server over many small requests.
"""

from __future__ import annotations

import asyncio
import io
import math
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

NPY = "application/x-npy"
BATCH, CLIENTS, SECONDS = 64, 4, 12.0
RATE, CONNECTIONS = 100, 32
REQUESTS, PARTS = 20_000, 10  # of the memory's course; its goal is over 100,000


class Connection:
    """HTTP/1.1 over one connection that is kept: little more than the bytes, as the client shares the machine."""

    def __init__(self, port: int):
        self.port = port

    async def open(self) -> Connection:
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        return self

    async def ask(self, path: str, body: bytes | None = None) -> bytes:
        """The body of an answer of 200."""
        head = f"{'GET' if body is None else 'POST'} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: */*\r\n"
        if body is not None:
            head = head.replace("*/*", NPY) + f"Content-Type: {NPY}\r\nContent-Length: {len(body)}\r\n"
        self.writer.write(f"{head}\r\n".encode() + (body or b""))
        answer = await self.reader.readuntil(b"\r\n\r\n")
        length = int(re.search(rb"content-length: (\d+)", answer).group(1))  # type: ignore[union-attr]
        content = await self.reader.readexactly(length)
        if not answer.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"{answer.decode()}{content[:200]!r}")
        return content


def measure(run: str | None, requests: int = REQUESTS) -> dict:
    """All three, of a run or of the article's model with weights as they come: speed does not depend on them."""
    with tempfile.TemporaryDirectory() as folder:
        path = run or article(Path(folder) / "article")
        with server(path) as port:
            return asyncio.run(_measure(port, requests))


async def _measure(port: int, requests: int) -> dict:
    images = _images()
    decode, reconstruct = await _decode(port), await _reconstruct(port, images)
    return {"decode": decode, "reconstruct": reconstruct, "memory": await _memory(port, requests)}


async def _decode(port: int) -> dict:
    z = np.random.default_rng(0).standard_normal((BATCH, 2), np.float32)
    body = _npy(z)

    async def client(connection: Connection, until: float) -> int:
        count = 0
        while time.perf_counter() < until:
            await connection.ask("/decode", body)
            count += BATCH
        return count

    await _all(port, CLIENTS, lambda one: client(one, time.perf_counter() + 2))
    start = time.perf_counter()
    images = sum(await _all(port, CLIENTS, lambda one: client(one, start + SECONDS)))
    rate = images / (time.perf_counter() - start)
    return {"images_per_second": round(rate), "goal": 2000, "batch": BATCH, "clients": CLIENTS}


async def _reconstruct(port: int, images: np.ndarray) -> dict:
    free: asyncio.Queue[Connection] = asyncio.Queue()
    for _ in range(CONNECTIONS):
        free.put_nowait(await Connection(port).open())

    async def ask(due: float, body: bytes) -> float:
        connection = await free.get()
        await connection.ask("/reconstruct", body)
        free.put_nowait(connection)
        return time.perf_counter() - due

    async def at_rate(count: int) -> list[float]:
        start, asked = time.perf_counter() + 0.1, []
        for number in range(count):
            due = start + number / RATE
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            asked.append(asyncio.create_task(ask(due, bodies[number % len(bodies)])))
        return await asyncio.gather(*asked)

    bodies = [_npy(image[None]) for image in images]
    await at_rate(3 * RATE)
    times = 1000 * np.array(await at_rate(20 * RATE))
    p50, p99 = np.percentile(times, [50, 99]).round(1).tolist()
    return {"p50_ms": p50, "p99_ms": p99, "most_ms": round(times.max(), 1), "goal_p99_ms": 100, "per_second": RATE}


async def _memory(port: int, requests: int) -> dict:
    """After each tenth of the requests; the first tenth is what the server needs until it has met everything."""
    body = _npy(np.zeros((1, 2), np.float32))

    async def client(connection: Connection, count: int) -> None:
        for _ in range(count):
            await connection.ask("/decode", body)

    sizes, each = [], math.ceil(requests / PARTS / CLIENTS)
    start = time.perf_counter()
    for _ in range(PARTS):
        await _all(port, CLIENTS, lambda one: client(one, each))
        (text,) = await _all(port, 1, lambda one: one.ask("/metrics"))
        found = re.search(rb"^vaekit_resident_memory_bytes (\d+)", text, re.MULTILINE)
        sizes.append(round(int(found.group(1)) / 2**20, 1))  # type: ignore[union-attr]
    asked = PARTS * CLIENTS * each
    rate = asked / (time.perf_counter() - start)
    grown = round(sizes[-1] - sizes[0], 1)
    return {"mib": sizes, "grown_mib": grown, "requests": asked, "per_second": round(rate)}


async def _all(port: int, count: int, work: Callable[[Connection], Awaitable]) -> list:
    """What ``work`` gives on each of some connections, which are closed again."""
    connections = [await Connection(port).open() for _ in range(count)]
    try:
        return await asyncio.gather(*(work(one) for one in connections))
    finally:
        for one in connections:
            one.writer.close()


@contextmanager
def server(path: str) -> Iterator[int]:
    """The port of a server of its own process."""
    command = [sys.executable, "-m", "vaekit", "serve", path, "--port", "0", "--rate", "1000000", "--log", "warning"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            found = re.search(r"127\.0\.0\.1:(\d+)", process.stdout.readline())
            if found is None:
                sys.exit("the server did not start")
            yield int(found.group(1))
        finally:
            process.terminate()
            process.wait(20)


def article(folder: Path) -> str:
    from vaekit.recipes import Run, TrainRequest, build_model, load_run_data, plan, preset

    request = TrainRequest.parse(preset("article"))
    request, schema, examples = plan(request, load_run_data(request))
    return str(Run(request, schema, build_model(request, schema, examples)).save(folder))


def _images() -> np.ndarray:
    from vaekit.data import load_dataset

    return load_dataset("fashion-mnist").x[:256]


def _npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()
