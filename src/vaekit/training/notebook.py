"""What a training shows in a notebook."""

from __future__ import annotations

import time
from html import escape
from typing import TYPE_CHECKING, Any

from .progress import Reporter, Row, describe

if TYPE_CHECKING:
    from .loop import Training


class NotebookReporter(Reporter):
    """A bar and the latest epochs in one output of a notebook's cell, redrawn in place; needs no widgets."""

    def __init__(self, shown: int = 5):
        self.shown = shown
        self.lines: list[str] = []
        self.begun = self.drawn = 0.0
        self.output: Any = None

    def start(self, training: Training) -> None:
        """Open the output."""
        from IPython.display import display

        self.lines, self.begun = [], time.perf_counter()
        self.output = display(self._content(_bar(training, 0.0)), raw=True, display_id=True)

    def step(self, training: Training) -> None:
        """Redraw at most four times a second."""
        now = time.perf_counter()
        if now - self.drawn > 0.25:
            self.drawn = now
            self.output.update(self._content(_bar(training, now - self.begun)), raw=True)

    def epoch(self, training: Training, row: Row) -> None:
        """Keep the epoch's line."""
        self.lines.append(describe(row, training.settings.epochs))

    def note(self, text: str) -> None:
        """Keep the note."""
        self.lines.append(text)

    def close(self) -> None:
        """Take the bar away; the latest lines stay."""
        self.output.update(self._content(""), raw=True)

    def _content(self, bar: str) -> dict[str, str]:
        text = "\n".join(self.lines[-self.shown :])
        return {"text/plain": text, "text/html": f"{bar}<pre>{escape(text)}</pre>"}


def _bar(training: Training, seconds: float) -> str:
    total = training.settings.epochs * training.steps_per_epoch
    done = training.epoch * training.steps_per_epoch + training.step
    left = f", {seconds * (total - done) / done:,.0f} s left" if done else ""
    epoch = min(training.epoch + 1, training.settings.epochs)
    return f'<progress value="{done}" max="{total}"></progress> epoch {epoch}/{training.settings.epochs}{left}'
