"""What is wrong with a trained model, in plain sentences, each with what to try."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from vaekit.core import LatentModel
from vaekit.noise import isolated_rng
from vaekit.tasks.chunks import batches, inference
from vaekit.training.feed import Feed

from .latent import LatentSpace
from .likelihood import Likelihood
from .report import Evaluation

COLLAPSED, CROWDED = 0.01, 2.5  # nats of KL below which a dimension says nothing, above which it is used to the full
SMALLEST_NOISE = 1e-4  # where likelihoods stop it, in model units
HOLE_REMEDIES = {
    "density": "--prior vamp",
    "point": "--posterior diagonal-normal",
    "code": "--prior code-transformer",
}
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Finding:
    """Something to know about a model: a short name, one sentence with the numbers, and options to type."""

    name: str
    sentence: str
    remedy: str


def diagnose(
    evaluation: Evaluation,
    history: Sequence[Row] = (),
    *,
    latents: LatentSpace | None = None,
    likelihood: Likelihood | None = None,
    noise_at_bound: float | None = None,
    baseline: float | None = None,
) -> list[Finding]:
    """Everything that the given numbers show; what is not given is not judged.

    ``history`` has a row an epoch, ``noise_at_bound`` is :func:`share_at_bound`, and ``baseline`` the mean
    log-likelihood of the same examples under a linear-Gaussian model. The gravest come first.
    """
    return [
        *_divergence(history),
        *_baseline(evaluation, likelihood, baseline),
        *(_collapse(latents, history) if latents else ()),
        *_overfitting(history),
        *_noise(noise_at_bound),
        *(_holes(latents, evaluation) if latents else ()),
        *(_crowding(latents) if latents else ()),
        *(_distrust(likelihood) if likelihood else ()),
    ]


def share_at_bound(model: LatentModel, examples: Feed) -> float | None:
    """The share of elements, in the first 512 examples, whose noise is the smallest that the likelihood allows; None
    where its noise has no scale.
    """
    with inference(model), isolated_rng(0):
        px = model.infer(next(batches(model, examples, 512))).px
    scale = getattr(getattr(px, "density", None), "scale", None)
    return (scale <= 1.01 * SMALLEST_NOISE).double().mean().item() if isinstance(scale, Tensor) else None


def _divergence(history: Sequence[Row]) -> Iterator[Finding]:
    losses = _losses(history)
    if len(losses) < 3:
        return
    best, gained = min(losses), losses[0] - min(losses)
    if not math.isfinite(losses[-1]) or losses[-1] - best > max(0.5 * gained, 1e-3 * abs(best)):
        lr = history[-1].get("lr")
        rate = f"--lr {max(float(row.get('lr') or 0) for row in history) / 4:.1e}" if lr else "--lr 5e-4"
        yield Finding(
            "divergence",
            f"Training diverged: minus the bound was {best:.2f} nats in epoch {1 + losses.index(best)} and is "
            f"{losses[-1]:.2f} in the last.",
            f"{rate} --clip 1",
        )


def _baseline(evaluation: Evaluation, likelihood: Likelihood | None, baseline: float | None) -> Iterator[Finding]:
    if likelihood is not None:
        value, error = likelihood.log_likelihood, likelihood.log_likelihood_se
    else:
        value, error = evaluation.log_likelihood, evaluation.log_likelihood_se
    if baseline is not None and value is not None and value + 2 * (error or 0.0) < baseline:
        yield Finding(
            "loses to the linear model",
            f"The model is broken: a linear-Gaussian model explains these examples better, with {baseline:.2f} nats "
            f"against {value:.2f}.",
            "--warmup 0.3 --epochs 100",
        )


def _collapse(latents: LatentSpace, history: Sequence[Row]) -> Iterator[Finding]:
    each = latents.kl_each
    units = [] if each is None else [unit for unit, kl in enumerate(each) if kl < COLLAPSED]
    gone = latents.dims - latents.active_units if each is None else len(units)
    if not gone or latents.kind != "density":
        return
    everything = gone == latents.dims
    if everything:
        which, since = "", _since([row["kl"] < COLLAPSED for row in history])
    else:
        which, since = f" ({_listed(units, history)})" if units else "", ""
    yield Finding(
        "posterior collapse",
        f"{'All' if everything else gone} of {latents.dims} latent dimensions{which} say nothing about the "
        f"examples{since and ', ' + since}.",
        "--warmup 0.3 --objective.free-bits 0.1",
    )


def _since(gone: Sequence[bool]) -> str:
    """Since which epoch it has been so; nothing where it is not so in the last."""
    if not gone or not gone[-1]:
        return ""
    return f"since epoch {next((len(gone) - i for i, flag in enumerate(reversed(gone)) if not flag), 0) + 1}"


def _overfitting(history: Sequence[Row]) -> Iterator[Finding]:
    held = [row["val_loss"] for row in history if row.get("val_loss") is not None]
    if len(held) < 5 or len(held) != len(history):
        return
    best = min(range(len(held)), key=held.__getitem__)
    gained, lost = held[0] - held[best], held[-1] - held[best]
    train = [row["reconstruction"] + row["kl"] for row in history]
    gap = held[-1] - train[-1]
    if gained > 0 and lost > 0.02 * gained and train[-1] < train[best] and gap > 0:
        yield Finding(
            "overfitting",
            f"The model overfits: since epoch {best + 1} minus the bound has risen by {lost:.2f} nats on held-out "
            f"examples and fallen by {train[best] - train[-1]:.2f} on training ones; the gap is {gap:.2f}.",
            "--patience 5 --weight-decay 0.01",
        )


def _noise(share: float | None) -> Iterator[Finding]:
    if share:
        yield Finding(
            "noise at its bound",
            f"The noise of {100 * share:.1f} % of the values is the smallest that is allowed, so that their density "
            "could grow without end; they may be constant, or follow from others.",
            "--likelihood gaussian --likelihood.noise shared",
        )


def _holes(latents: LatentSpace, evaluation: Evaluation) -> Iterator[Finding]:
    information, mismatch = latents.mutual_information, latents.mismatch
    known = information is not None and mismatch is not None and information < math.log(latents.n) - 1
    apart = mismatch if known and mismatch > max(1.0, 0.1 * evaluation.kl) else None  # pyright: ignore
    if latents.holes - latents.holes_floor > 0.1 or apart is not None:
        nats = "" if apart is None else f", and prior and aggregate posterior are {apart:.2f} nats apart"
        yield Finding(
            "latent holes",
            f"{100 * latents.holes:.0f} % of draws from the prior lie where no example is encoded "
            f"({100 * latents.holes_floor:.0f} % would be expected){nats}, so that generated examples are worse than "
            "reconstructions.",
            HOLE_REMEDIES[latents.kind],
        )


def _crowding(latents: LatentSpace) -> Iterator[Finding]:
    each = latents.kl_each
    if each and min(each) > CROWDED:
        yield Finding(
            "too small a latent space",
            f"All {latents.dims} latent dimensions are used to the full, with at least {min(each):.1f} nats each: more "
            "of them would reconstruct better.",
            f"--latent-dim {2 * latents.dims}",
        )


def _distrust(likelihood: Likelihood) -> Iterator[Finding]:
    drifts = likelihood.drift > max(0.1, 2 * (likelihood.drift_se or 0.0))
    heavy = likelihood.untrusted is not None and likelihood.untrusted > 0.1
    if drifts or heavy:
        share = "" if likelihood.untrusted is None else (
            f"; the weights of {100 * likelihood.untrusted:.0f} % of the examples have too heavy a tail"
        )  # fmt: skip
        yield Finding(
            "unsure likelihood",
            f"The log-likelihood still rises with the number of samples, by {likelihood.drift:.2f} nats from "
            f"{likelihood.drift_from:,} to {likelihood.many:,}{share}: it is a lower bound, not an estimate.",
            "--posterior inverse-autoregressive",
        )


def _losses(history: Sequence[Row]) -> list[float]:
    """Minus the bound of each epoch, on held-out examples where there are some."""
    return [row["reconstruction"] + row["kl"] if row.get("val_loss") is None else row["val_loss"] for row in history]


def _listed(units: list[int], history: Sequence[Row], most: int = 8) -> str:
    """The numbers of units, those that fell silent together side by side, each group with its epoch."""
    groups: dict[str, list[str]] = {}
    for unit in units[:most]:
        each = [row.get("kl_each") or [math.inf] * (unit + 1) for row in history]
        groups.setdefault(_since([kl[unit] < COLLAPSED for kl in each]), []).append(str(unit))
    shown = "; ".join(f"{', '.join(group)} {since}".strip() for since, group in groups.items())
    return shown if len(units) <= most else f"{shown} and {len(units) - most} more"
