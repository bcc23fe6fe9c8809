"""What the command line adds to the progress of a training."""

from __future__ import annotations

from pathlib import Path

import torch
from rich.status import Status

from vaekit.recipes.registry import name_of
from vaekit.training import Reporter, TensorBoardReporter, Training
from vaekit.training.progress import Row

from . import show


class Opening(Reporter):
    """Says once what is trained, on what and where, before the first step."""

    def __init__(self, folder: Path, waiting: Status | None = None):
        self.folder, self.waiting = folder, waiting

    def start(self, training: Training) -> None:
        """Print four lines, in place of what was shown while there was nothing to say."""
        if self.waiting:
            self.waiting.stop()
        model, device = training.model, training.device
        parameters = sum(p.numel() for p in training.parameters)
        held_out = "none" if training.valid is None else f"{len(training.valid):,}"
        threads = f", {show.counted(torch.get_num_threads(), 'thread')}" if device.type == "cpu" else ""
        latents = show.counted(model.shapes.latent.numel() if model.shapes.latent else 0, "latent dimension")
        rows = {
            "data": f"{len(training.train):,} examples of {' × '.join(map(str, model.shapes.x))}, {held_out} held out",
            "model": f"{parameters:,} parameters, {latents}, {name_of(type(model.likelihood))} likelihood",
            "machine": f"{device}, {training.precision.name}{threads}",
            "run": self.folder,
        }
        show.console(stderr=True).print(show.table(rows.items(), ("", "")), "")


class TensorBoard(Reporter):
    """Writes logs from the first step on; the run's folder must not be touched before the run is made."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.inner: Reporter | None = None

    def start(self, training: Training) -> None:
        """Open the log."""
        self.inner = TensorBoardReporter(str(self.folder))

    def epoch(self, training: Training, row: Row) -> None:
        """Write the row."""
        if self.inner:
            self.inner.epoch(training, row)

    def close(self) -> None:
        """Flush."""
        if self.inner:
            self.inner.close()
