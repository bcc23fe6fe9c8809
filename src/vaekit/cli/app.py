"""Which commands there are; each is imported when it is used, so that help is quick."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from cyclopts import App, Group, Parameter

from vaekit import __version__

from .endings import FAILED, ending, speaks
from .sections import draw_section
from .texts import ABOUT, COMMANDS, EXAMPLES, Text


def application() -> App:
    """The commands with their help texts."""
    app = App(
        name="vaekit",
        usage="Usage: vaekit COMMAND [OPTIONS]",
        help=ABOUT,
        help_epilogue=EXAMPLES,
        help_format="plaintext",
        help_formatter=draw_section,
        default_parameter=Parameter(negative=()),
        group_parameters=Group.create_default_parameters("Options"),
        version=f"vaekit {__version__}",
        suppress_keyboard_interrupt=False,
    )
    app["--help"].help = "Show this, or the help of a command."
    app["--version"].help = "Show the version."
    for position, (name, text) in enumerate(COMMANDS.items()):
        if text.commands:
            group = App(name=name, **_about(text), sort_key=position)
            for at, (inner, of_inner) in enumerate(text.commands.items()):
                _register(group, inner, of_inner, at)
            app.command(group)
        else:
            _register(app, name, text, position)
    app.register_install_completion_command(help="Let the shell complete commands and options.", sort_key=99)
    return app


def run(arguments: Sequence[str]) -> int:
    """Run a command and say in one line how it ended, unless well."""
    try:
        with _remarks():
            code = application()(arguments, exit_on_error=False, print_error=False, result_action="return_value")
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except BrokenPipeError:
        with suppress(OSError):  # what is left in the buffer must not raise again when Python ends
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except (Exception, KeyboardInterrupt) as error:
        if os.environ.get("VAEKIT_DEBUG"):
            raise
        sentence, code = ending(error)
        if code == FAILED or speaks():  # all processes make the same mistakes, but may fail alone
            print(f"vaekit: {sentence}", file=sys.stderr)
        return code


@contextmanager
def _remarks() -> Iterator[None]:
    """While open, warnings to users are shown as remarks, without the place in the code that gives them."""
    with warnings.catch_warnings():
        usual, shown = warnings.showwarning, set()

        def show(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
            from .common import note

            if category is UserWarning:
                if str(message) not in shown:
                    note(str(message))
                shown.add(str(message))
            else:
                usual(message, category, *place, **more)

        warnings.showwarning = show
        yield


def _register(app: App, name: str, text: Text, position: int) -> None:
    app.command(text.target, name=name, **_about(text), sort_key=position)


def _about(text: Text) -> dict[str, Any]:
    return {"usage": f"Usage: {text.usage}", "help": text.help, "help_epilogue": text.examples}
