"""The numbers of a trained model on a set of examples."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import torch
from torch import Tensor

from vaekit.core import LatentModel
from vaekit.noise import isolated_rng
from vaekit.tasks import Importance, importance
from vaekit.tasks.chunks import ROWS, batches, inference
from vaekit.tasks.encode import decoded_mean
from vaekit.training.feed import Feed

from .likelihood import standard_error
from .ssim import ssim

ACTIVE = 0.01  # variance of a latent's posterior mean above which it counts as active


@dataclass(frozen=True)
class Evaluation:
    """Means over the examples; nats per example, in original units (see :class:`vaekit.core.Support`).

    ``elbo`` = -(``reconstruction`` + ``kl``). ``log_likelihood`` is the importance-sampled estimate with ``samples``
    draws, ``log_likelihood_se`` its standard error over the examples, ``ess`` the mean effective sample size; the
    three and ``bits_per_dim`` are None where likelihood or posterior are no densities, ``bits_per_dim`` also where
    values are continuous, and ``ess`` where every draw from the posterior is the same. ``active_units``: latents whose
    posterior mean varies by more than 0.01 (Burda et al., 2016). ``mse`` and ``ssim`` compare x, in model units, with
    the decoded posterior mean; ``ssim`` is None for data that are not images. Of the rows of a table ``mse`` is over
    the observed numbers, standardized, and ``accuracy`` the share of the observed categories that are reconstructed;
    None where there are none.
    """

    n: int
    samples: int
    elbo: float
    reconstruction: float
    kl: float
    log_likelihood: float | None
    log_likelihood_se: float | None
    ess: float | None
    bits_per_dim: float | None
    active_units: int
    mse: float | None
    ssim: float | None
    accuracy: float | None = None

    def to_json(self) -> dict[str, float | int | None]:
        """A plain dictionary."""
        return asdict(self)


def evaluate(
    model: LatentModel, examples: Feed, samples: int = 100, *, seed: int = 0, estimate: Importance | None = None
) -> Evaluation:
    """Estimate every number of :class:`Evaluation`, with independent noise for each example.

    ``estimate`` is that of so many samples (one where there is no density), if it is known already.
    """
    has_density, support = model.has_density, model.shapes.support
    samples = samples if has_density else 1
    estimate = estimate or importance(model, examples, samples, common=False, seed=seed)
    log_likelihood = log_likelihood_se = ess = bits = None
    if has_density:
        each = estimate.log_likelihood
        log_likelihood = each.mean().item()
        log_likelihood_se = standard_error(each)
        ess = None if is_deterministic(model, examples) else estimate.ess.mean().item()
        if support.on_grid:
            bits = -log_likelihood / (model.shapes.x.numel() * math.log(2))
    mse, similarity, accuracy, active = _reconstruction_quality(model, examples)
    return Evaluation(
        n=len(examples),
        samples=samples,
        elbo=estimate.elbo.mean().item(),
        reconstruction=estimate.reconstruction.mean().item(),
        kl=estimate.kl.mean().item(),
        log_likelihood=log_likelihood,
        log_likelihood_se=log_likelihood_se,
        ess=ess,
        bits_per_dim=bits,
        active_units=active,
        mse=mse,
        ssim=similarity,
        accuracy=accuracy,
    )


def is_deterministic(model: LatentModel, examples: Feed) -> bool:
    """Whether every draw from the posterior of an example is the same."""
    with inference(model), isolated_rng(0):
        latents = model.infer(next(batches(model, examples, 1))).latents
    return all(latent.q.deterministic for latent in latents)


def _reconstruction_quality(model: LatentModel, examples: Feed) -> tuple[float | None, float | None, float | None, int]:
    """Mean squared error, structural similarity, accuracy and active units, in one pass over the examples."""
    is_image, columns = len(model.shapes.x) == 3, model.shapes.columns or ()
    named = torch.tensor([column.categories > 0 for column in columns] or [False])
    sums, counts = torch.zeros(2, dtype=torch.float64), torch.zeros(2, dtype=torch.float64)  # of numbers, of categories
    similarities: list[Tensor] = []
    latents: list[Tensor] = []
    with inference(model):
        for batch in batches(model, examples, ROWS):
            z = model.encode(batch)
            mean, x = decoded_mean(model, z, batch.c).cpu(), batch.x.cpu()
            latents.append(z.cpu())
            seen = torch.ones_like(x, dtype=torch.bool) if batch.mask is None else batch.mask.cpu()
            for kind, cells in enumerate((seen & ~named, seen & named)):
                missed = (mean - x).double().square() if kind == 0 else (mean.round() == x.round()).double()
                sums[kind] += torch.where(cells, missed, 0).sum()
                counts[kind] += cells.sum()
            if is_image:
                similarities.append(ssim(mean, x))
    mse, accuracy = ((total / n).item() if n else None for total, n in zip(sums, counts, strict=True))
    similarity = torch.cat(similarities).mean().item() if is_image else None
    return mse, similarity, accuracy, count_active(torch.cat(latents))


def count_active(means: Tensor) -> int:
    """How many latents have posterior means (N, D) that vary over the examples."""
    return int((means.double().var(0, correction=0) > ACTIVE).sum())
