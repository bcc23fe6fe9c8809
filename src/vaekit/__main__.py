"""``vaekit`` and ``python -m vaekit``."""

import sys


def main() -> int:
    """Run the command line of this process; the result is the exit code."""
    from vaekit.cli.memory import keep_large_buffers

    keep_large_buffers()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # pyright: ignore[reportAttributeAccessIssue]
    from vaekit.cli import main as run

    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
