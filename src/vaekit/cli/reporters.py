"""What the command line adds to the progress of a training."""

from __future__ import annotations

from pathlib import Path

import torch
from rich.status import Status

from vaekit.recipes.registry import name_of
from vaekit.training import Reporter, Training

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
        size = " × ".join(map(str, model.shapes.x)) + (" columns" if model.shapes.columns else "")
        rows = {
            "data": f"{len(training.train):,} examples of {size}, {held_out} held out",
            "model": f"{parameters:,} parameters, {latents}, {name_of(type(model.likelihood))} likelihood",
            "machine": f"{device}, {training.precision.name}{threads}",
            "run": self.folder,
        }
        show.console(stderr=True).print(show.table(rows.items(), ("", "")), "")
