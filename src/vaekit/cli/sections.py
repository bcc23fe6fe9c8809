"""How a section of a help page looks: a title in bold, and below it the options or commands, without frames."""

from cyclopts.help import HelpPanel, TableSpec
from cyclopts.help.specs import get_default_command_columns, get_default_parameter_columns
from rich.console import Console, ConsoleOptions
from rich.padding import Padding
from rich.text import Text


def draw_section(console: Console, options: ConsoleOptions, panel: HelpPanel) -> None:
    """Print a section; what cyclopts calls for each, see its ``HelpFormatter``."""
    if not panel.entries:
        return
    columns = get_default_command_columns if panel.format == "command" else get_default_parameter_columns
    console.print(Text(str(panel.title), style="bold"))
    table = TableSpec().build(columns(console, options, panel.entries), panel.entries)
    console.print(Padding(table, (0, 0, 1, 2)))
