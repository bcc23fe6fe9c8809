"""The unit of training that is compiled or wrapped for several processes."""

import torch
from torch import Tensor, nn

from vaekit.core import Batch, LatentModel, Objective, terms
from vaekit.noise import Noise

from .description import description_length


class Step(nn.Module):
    """A batch ↦ (loss, metrics, stats), plain tensors all: distributions live and die inside.

    The loss is minus the objective's mean over the batch, plus the posteriors' penalties. ``metrics`` are means in
    nats per example: ``loss``, ``reconstruction`` = -log p(x|z) and ``kl``. With a ``weight_step`` the weights' share
    of each example is added, from none at first to all in the end (see :func:`description_length`).
    """

    def __init__(self, model: LatentModel, objective: Objective, weight_step: float | None = None):
        super().__init__()
        self.model, self.objective, self.weight_step = model, objective, weight_step
        self.noise = Noise()

    def forward(self, batch: Batch, progress: Tensor) -> tuple[Tensor, dict[str, Tensor], dict[str, Tensor]]:
        """Loss of shape (), with gradient; the rest without."""
        trace, log_px = terms(self.model, batch, self.objective.samples, self.noise)
        value = self.objective(trace, log_px, progress)
        stats: dict[str, Tensor] = {}
        for latent in trace.latents:
            if latent.q.penalty is not None:
                value = value - latent.q.penalty
            stats.update(latent.q.stats())
        stats.update(self.model.likelihood.stats(trace.px, batch.x, batch.mask))
        loss = -value.mean()
        if self.weight_step is not None:
            length = description_length(self.model.parameters(), self.weight_step)
            loss = loss + progress * length / self.model.shapes.examples
        with torch.no_grad():
            metrics = {"loss": loss.detach(), "reconstruction": -log_px.mean(), "kl": trace.kl().mean()}
        return loss, metrics, stats
