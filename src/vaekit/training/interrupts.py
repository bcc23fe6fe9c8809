"""Ctrl-C and SIGTERM end the step that is under way, not the work done so far."""

import signal
import threading
from types import FrameType
from typing import Any


class Interrupted(KeyboardInterrupt):
    """Training was stopped by a signal, after everything was saved.

    ``signal`` is the one received, None in a process that stops because another was asked to. ``run`` is what there was
    by then, with the best weights so far; None if no epoch was done.
    """

    def __init__(self, sentence: str, signal: signal.Signals | None = None):
        super().__init__(sentence)
        self.signal = signal
        self.run: Any = None


class Interrupts:
    """While open, the first SIGINT or SIGTERM sets ``asked``; the next one acts as it did before."""

    def __init__(self) -> None:
        self.asked: signal.Signals | None = None
        self._before: dict[signal.Signals, object] = {}

    def __enter__(self) -> "Interrupts":
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._ask)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # pyright: ignore[reportArgumentType]
        self._before.clear()

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self.asked = signal.Signals(number)
        self.__exit__()
