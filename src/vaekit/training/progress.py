"""What a training shows while it runs: a live display on terminals and in notebooks, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from .loop import Training

Row = dict[str, Any]


def describe(row: Row, epochs: int) -> str:
    """One line for one epoch: losses in nats per example, speed, learning rate."""
    held_out = "" if row["val_loss"] is None else f"  held-out {row['val_loss']:.3f}"
    return (
        f"epoch {row['epoch']:>{len(str(epochs))}}/{epochs}  loss {row['loss']:.3f}  "
        f"reconstruction {row['reconstruction']:.3f}  kl {row['kl']:.3f}{held_out}  "
        f"{row['examples_per_second']:,.0f} examples/s  lr {row['lr']:.1e}"
    )


class Reporter:
    """Receives what happens; this one is silent."""

    def start(self, training: Training) -> None:
        """Training begins, or goes on after a resume."""

    def step(self, training: Training) -> None:
        """A step is done."""

    def epoch(self, training: Training, row: Row) -> None:
        """An epoch is done; ``row`` is its line of metrics.jsonl."""

    def note(self, text: str) -> None:
        """Something the user should know."""

    def close(self) -> None:
        """Training ends, well or not."""


class Reporters(Reporter):
    """Several at once."""

    def __init__(self, reporters: Sequence[Reporter]):
        self.reporters = list(reporters)

    def start(self, training: Training) -> None:
        """Tell all."""
        for reporter in self.reporters:
            reporter.start(training)

    def step(self, training: Training) -> None:
        """Tell all."""
        for reporter in self.reporters:
            reporter.step(training)

    def epoch(self, training: Training, row: Row) -> None:
        """Tell all."""
        for reporter in self.reporters:
            reporter.epoch(training, row)

    def note(self, text: str) -> None:
        """Tell all."""
        for reporter in self.reporters:
            reporter.note(text)

    def close(self) -> None:
        """Tell all."""
        for reporter in self.reporters:
            reporter.close()


class PlainReporter(Reporter):
    """A line for each epoch; for logs and pipes."""

    def __init__(self, stream: TextIO | None = None):
        self.stream = stream or sys.stderr

    def epoch(self, training: Training, row: Row) -> None:
        """Print the epoch's line."""
        print(describe(row, training.settings.epochs), file=self.stream, flush=True)

    def note(self, text: str) -> None:
        """Print the note."""
        print(text, file=self.stream, flush=True)


class RichReporter(Reporter):
    """A bar with epoch, total, reconstruction, KL, speed and time left, for terminals; finished epochs stay above."""

    def __init__(self, console: Any = None):
        from rich.console import Console

        self.console = console or Console(stderr=True)
        self.bar: Any = None
        self.drawn = 0.0

    def start(self, training: Training) -> None:
        """Show the bar."""
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

        columns = [
            TextColumn("[bold]epoch {task.fields[epoch]}"), BarColumn(None), TextColumn("{task.fields[numbers]}"),
            TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(),
        ]  # fmt: skip
        self.bar = Progress(*columns, console=self.console, expand=True, transient=True, auto_refresh=False)
        total = training.settings.epochs * training.steps_per_epoch
        self.task = self.bar.add_task("", total=total, epoch=self._position(training), numbers="")
        self.bar.start()

    def step(self, training: Training) -> None:
        """Redraw at most ten times a second, so that a GPU is seldom waited for."""
        if time.perf_counter() - self.drawn < 0.1:
            return
        self.drawn = time.perf_counter()
        done = min(training.step * training.settings.batch_size, len(training.train))
        loss, reconstruction, kl = (training.sums / done).tolist()
        numbers = f"loss {loss:.2f} = {reconstruction:.2f} + {kl:.2f} kl  {done / training.seconds:,.0f}/s"
        completed = training.epoch * training.steps_per_epoch + training.step
        self.bar.update(self.task, completed=completed, epoch=self._position(training), numbers=numbers)
        self.bar.refresh()

    def epoch(self, training: Training, row: Row) -> None:
        """Print the epoch's line above the bar."""
        self.bar.print(describe(row, training.settings.epochs), highlight=False, soft_wrap=True)

    def note(self, text: str) -> None:
        """Print the note above the bar."""
        (self.bar or self.console).print(text, style="yellow", highlight=False)

    def close(self) -> None:
        """Take the bar away."""
        if self.bar is not None:
            self.bar.stop()
            self.bar = None

    @staticmethod
    def _position(training: Training) -> str:
        return f"{min(training.epoch + 1, training.settings.epochs)}/{training.settings.epochs}"


class TensorBoardReporter(Reporter):
    """Scalars for TensorBoard in a folder made when training starts; needs the ``track`` extra."""

    def __init__(self, folder: str):
        if find_spec("tensorboard") is None:
            raise ValueError("TensorBoard is not installed: pip install 'vaekit[track]'")
        self.folder = folder
        self.writer: Any = None

    def start(self, training: Training) -> None:
        """Open the log."""
        from torch.utils.tensorboard import SummaryWriter

        self.writer = SummaryWriter(self.folder)

    def epoch(self, training: Training, row: Row) -> None:
        """Write every single number of the row."""
        for name, value in row.items():
            if name != "epoch" and isinstance(value, (int, float)):
                self.writer.add_scalar(name, value, row["epoch"])

    def close(self) -> None:
        """Flush."""
        if self.writer is not None:
            self.writer.close()


def default_reporter() -> Reporter:
    """A live display on a terminal or in a notebook, else plain lines."""
    from rich.console import Console

    console = Console(stderr=True)
    if console.is_jupyter:
        from .notebook import NotebookReporter

        return NotebookReporter()
    return RichReporter(console) if console.is_terminal else PlainReporter()
