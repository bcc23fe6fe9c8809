"""Representation and reconstruction."""

from torch import Tensor

from vaekit.core import Batch, LatentModel
from vaekit.training.feed import Feed

from .chunks import over_examples


def encode(model: LatentModel, examples: Feed | Tensor) -> Tensor:
    """Posterior means E[z|x], (N, D)."""
    return over_examples(model, examples, model.encode)


def reconstruct(model: LatentModel, examples: Feed | Tensor) -> Tensor:
    """The mean of p(x|z) at the posterior mean of z, (N, *event), model units: no random draw is involved."""

    def each(batch: Batch) -> Tensor:
        return decoded_mean(model, model.encode(batch), batch.c)

    return over_examples(model, examples, each)


def decoded_mean(model: LatentModel, z: Tensor, c: Tensor | None = None) -> Tensor:
    """The mean of p(x|z) for one batch of flat latents (B, D), on the model's device."""
    return model.decode(model.split(z), c).mean
