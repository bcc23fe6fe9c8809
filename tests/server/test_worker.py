"""The one thread that computes: order, joining, dropping, ending."""

import asyncio
import threading

import numpy as np
import pytest

from vaekit.server.worker import BusyError, Worker


@pytest.fixture
def worker():
    worker = Worker(waiting=4, rows=10)
    worker.start()
    yield worker
    worker.stop()


class Held:
    """A call that keeps the worker busy until it is let go."""

    def __init__(self):
        self.begun, self.end = threading.Event(), threading.Event()

    def __call__(self) -> str:
        self.begun.set()
        assert self.end.wait(60)
        return "held"


async def busy(worker: Worker) -> tuple[Held, asyncio.Task]:
    held = Held()
    task = asyncio.create_task(worker.run(held))
    while not held.begun.is_set():
        await asyncio.sleep(0.001)
    return held, task


def test_calls_run_on_one_thread_in_their_order(worker):
    async def main():
        seen = []
        await asyncio.gather(*(worker.run(lambda i=i: seen.append((i, threading.get_ident()))) for i in range(4)))
        return seen

    seen = asyncio.run(main())
    assert [i for i, _ in seen] == [0, 1, 2, 3]
    assert {thread for _, thread in seen} != {threading.get_ident()}
    assert len({thread for _, thread in seen}) == 1


def test_urgent_calls_are_run_before_those_that_wait(worker):
    seen = []

    def note(x: np.ndarray) -> np.ndarray:
        seen.append(int(x[0]))
        return x

    async def main():
        held, task = await busy(worker)
        calls = [asyncio.create_task(worker.batched(i, note, np.array([i]), urgent=i > 1)) for i in range(4)]
        await asyncio.sleep(0.01)
        held.end.set()
        await asyncio.gather(task, *calls)

    asyncio.run(main())
    assert seen == [2, 3, 0, 1]


def test_waiting_calls_of_one_key_are_joined_and_split_again(worker):
    sizes = []

    def double(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        sizes.append(len(x))
        return 2 * x + y

    async def main():
        held, task = await busy(worker)
        parts = [np.arange(n, dtype=float)[:, None] for n in (3, 1, 4)]
        calls = [asyncio.create_task(worker.batched("double", double, part, part)) for part in parts]
        await asyncio.sleep(0.01)
        held.end.set()
        return parts, await asyncio.gather(*calls), await task

    parts, found, _ = asyncio.run(main())
    assert sizes == [8]
    assert worker.joined == 2
    for part, result in zip(parts, found, strict=True):
        assert np.array_equal(result, 3 * part)


def test_other_keys_and_too_many_rows_are_not_joined(worker):
    sizes = []

    def count(x: np.ndarray) -> np.ndarray:
        sizes.append(len(x))
        return x

    async def main():
        held, task = await busy(worker)
        rows = [("a", 6), ("b", 1), ("a", 3), ("a", 2)]  # of "a" at most 10
        calls = [asyncio.create_task(worker.batched(key, count, np.zeros(n))) for key, n in rows]
        await asyncio.sleep(0.01)
        held.end.set()
        await asyncio.gather(*calls, task)

    asyncio.run(main())
    assert sizes == [9, 1, 2]


def test_what_nobody_waits_for_is_not_run(worker):
    ran = []

    async def main():
        held, task = await busy(worker)
        dropped = asyncio.create_task(worker.run(lambda: ran.append("dropped")))
        kept = asyncio.create_task(worker.run(lambda: ran.append("kept")))
        await asyncio.sleep(0.01)
        dropped.cancel()
        await asyncio.sleep(0)
        held.end.set()
        await asyncio.gather(task, kept)

    asyncio.run(main())
    assert ran == ["kept"]


def test_more_than_may_wait_are_refused(worker):
    async def main():
        held, task = await busy(worker)
        waiting = [asyncio.create_task(worker.run(int)) for _ in range(4)]
        await asyncio.sleep(0.01)
        with pytest.raises(BusyError, match="4 requests wait"):
            await worker.run(int)
        held.end.set()
        await asyncio.gather(task, *waiting)

    asyncio.run(main())


def test_dropped_calls_keep_nobody_out(worker):
    async def main():
        held, task = await busy(worker)
        for _ in range(4):
            dropped = asyncio.create_task(worker.run(int))
            await asyncio.sleep(0)
            dropped.cancel()
            await asyncio.sleep(0)
        kept = asyncio.create_task(worker.run(lambda: "kept"))
        await asyncio.sleep(0)
        held.end.set()
        await task
        return await kept

    assert asyncio.run(main()) == "kept"


def test_errors_belong_to_those_who_called(worker):
    def fail(x: np.ndarray) -> np.ndarray:
        raise ValueError("no")

    async def main():
        for call in (worker.run(fail, np.zeros(1)), worker.batched("fail", fail, np.zeros(1))):
            with pytest.raises(ValueError, match="no"):
                await call
        return await worker.run(lambda: "still there")

    assert asyncio.run(main()) == "still there"


def test_stopping_ends_what_runs_and_cancels_what_waits():
    worker = Worker()
    worker.start()

    async def main():
        held, task = await busy(worker)
        waiting = asyncio.create_task(worker.run(int))
        await asyncio.sleep(0.01)
        stopping = asyncio.create_task(asyncio.to_thread(worker.stop))
        while worker.waiting:
            await asyncio.sleep(0.001)
        held.end.set()
        await stopping
        with pytest.raises(asyncio.CancelledError):
            await waiting
        with pytest.raises(BusyError):
            await worker.run(int)
        return await task

    assert asyncio.run(main()) == "held"
    assert not worker.alive
