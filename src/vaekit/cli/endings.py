"""How a command ends: its exit code, and the one line that says why where it is not 0.

0: done. 1: it failed, or nobody reads its output any more. 2: a mistake in what was asked, such as an unknown option or
a damaged file. 130, 143: stopped by Ctrl-C or SIGTERM. ``VAEKIT_DEBUG=1`` shows tracebacks.
"""

from __future__ import annotations

import os

from cyclopts import CycloptsError
from cyclopts.exceptions import UnusedCliTokensError

FAILED, MISTAKE, INTERRUPTED, TERMINATED = 1, 2, 130, 143


class StoppedError(Exception):
    """Ends a command with a sentence and an exit code."""

    def __init__(self, sentence: str, code: int):
        super().__init__(sentence)
        self.code = code


def speaks() -> bool:
    """Whether this process is the one that prints: of several that torchrun starts, the first."""
    return os.environ.get("RANK", "0") == "0"


def ending(error: BaseException) -> tuple[str, int]:
    """The sentence and the exit code for whatever a command raised."""
    if isinstance(error, StoppedError):
        return str(error), error.code
    if isinstance(error, CycloptsError):
        return _usage(error), MISTAKE
    if isinstance(error, KeyboardInterrupt):
        return "stopped", INTERRUPTED
    if isinstance(error, FloatingPointError):
        return _one_line(error), FAILED
    if isinstance(error, MemoryError):
        return "there is not enough memory; try a smaller --batch-size, fewer items or --resize", FAILED
    if isinstance(error, ValueError | TypeError | OSError):
        return _one_line(error), MISTAKE
    return f"unexpected {type(error).__name__}: {_one_line(error)} (VAEKIT_DEBUG=1 shows where)", FAILED


def _usage(error: CycloptsError) -> str:
    error.verbose = False
    sentence = _one_line(error)
    if isinstance(error, UnusedCliTokensError):
        sentence = f"unexpected argument {' '.join(error.unused_tokens or ())!r}"
    command = " ".join(["vaekit", *(error.command_chain or ()), "--help"])
    return f"{sentence[:1].lower()}{sentence[1:].rstrip('.')} (see {command})"


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
