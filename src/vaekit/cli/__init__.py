"""The command line: arguments → one call → print."""

from collections.abc import Sequence


def main(arguments: Sequence[str]) -> int:
    """Run one command, such as ``main(["train", "digits"])``; the exit code is as :mod:`vaekit.cli.endings` says."""
    from .app import run

    return run(arguments)
