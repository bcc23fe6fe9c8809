"""The one thread that computes: requests wait their turn for it, and those of a kind are answered together."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import torch

FEW = 8  # rows that are computed by one thread, as to share them among several takes longer
T = TypeVar("T")


class BusyError(Exception):
    """More requests wait than may."""


@dataclass(eq=False)
class _Call:
    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    key: Hashable = None  # calls of the same key are joined
    urgent: bool = False
    future: Future[Any] = field(default_factory=Future)


class Worker:
    """A thread that owns torch. Calls are run in the order in which they came, urgent ones first; those that nobody
    waits for any more, because they were cancelled or took too long, are dropped before they are run.

    ``waiting`` calls may wait, else :class:`BusyError`; at most ``rows`` rows of one key are joined. ``calls`` counts
    those that were run, ``joined`` those of them that shared another one's turn.
    """

    def __init__(self, waiting: int = 256, rows: int = 4096):
        self.most_waiting, self.most_rows = waiting, rows
        self._calls: deque[_Call] = deque()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._stopping = False
        self.calls = self.joined = 0

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread is not None and self._thread.is_alive()

    @property
    def waiting(self) -> int:
        """How many calls wait."""
        return len(self._calls)

    def start(self) -> None:
        """Start the thread."""
        self._stopping = False
        self._thread = threading.Thread(target=self._work, name="vaekit-worker", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Finish the call that is running, cancel those that wait, and end the thread."""
        with self._changed:
            self._stopping = True
            while self._calls:
                self._calls.popleft().future.cancel()
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()

    async def run(self, function: Callable[..., T], *arguments: Any) -> T:
        """``function(*arguments)`` on the thread."""
        return await self._submit(_Call(function, arguments))

    async def batched(
        self, key: Hashable, function: Callable[..., np.ndarray], *rows: np.ndarray, urgent: bool = False
    ) -> np.ndarray:
        """``function(*rows)`` of arrays with one first axis, joined along it with other calls of the same ``key`` that
        wait.

        The function must treat each row by itself, and ``key`` say all that it depends on: the rows' shapes, too.
        """
        return await self._submit(_Call(function, rows, key, urgent=urgent))

    async def _submit(self, call: _Call) -> Any:
        with self._changed:
            if self._stopping:
                raise BusyError("the server is stopping")
            if len(self._calls) >= self.most_waiting:
                self._calls = deque(each for each in self._calls if not each.future.cancelled())
            if len(self._calls) >= self.most_waiting:
                raise BusyError(f"{len(self._calls)} requests wait already; try again in a moment")
            before = sum(each.urgent for each in self._calls) if call.urgent else len(self._calls)
            self._calls.insert(before, call)
            self._changed.notify()
        return await asyncio.wrap_future(call.future)

    def _work(self) -> None:
        threads = torch.get_num_threads()
        while calls := self._take():
            live = [call for call in calls if call.future.set_running_or_notify_cancel()]
            self.calls += len(live)
            if not live:
                continue
            torch.set_num_threads(1 if _are_few(live) else threads)
            try:
                results = _results(live)
            except BaseException as error:  # whatever it is belongs to those who called
                for call in live:
                    call.future.set_exception(error)
                continue
            for call, result in zip(live, results, strict=True):
                call.future.set_result(result)

    def _take(self) -> list[_Call]:
        """The next call, with those that can be joined to it; none when the worker stops."""
        with self._changed:
            self._changed.wait_for(lambda: self._calls or self._stopping)
            if self._stopping:
                return []
            first = self._calls.popleft()
            if first.key is None:
                return [first]
            taken, total = [first], len(first.arguments[0])
            for call in [call for call in self._calls if call.key == first.key]:
                total += len(call.arguments[0])
                if total > self.most_rows:
                    break
                taken.append(call)
            self.joined += len(taken) - 1
            if len(taken) > 1:
                joined = set(map(id, taken))
                self._calls = deque(call for call in self._calls if id(call) not in joined)
            return taken


def _are_few(calls: list[_Call]) -> bool:
    return calls[0].key is not None and sum(len(call.arguments[0]) for call in calls) <= FEW


def _results(calls: list[_Call]) -> list[Any]:
    if len(calls) == 1:
        return [calls[0].function(*calls[0].arguments)]
    found = calls[0].function(*map(np.concatenate, zip(*(call.arguments for call in calls), strict=True)))
    return np.split(found, np.cumsum([len(call.arguments[0]) for call in calls])[:-1])
