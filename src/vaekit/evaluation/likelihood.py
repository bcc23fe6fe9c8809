"""The log-likelihood of a data set, with what fewer importance samples miss and how far it can be trusted."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from torch import Tensor

from vaekit.core import LatentModel
from vaekit.tasks.score import importance, log_weights
from vaekit.training.feed import Feed

from .pareto import pareto_k, trusted_k
from .subsets import subset


@dataclass(frozen=True)
class Likelihood:
    """Mean log-likelihood in nats per example, in original units, with standard errors over the examples.

    ``log_likelihood`` = mean over all n examples of IWAE-``samples`` + ``correction``, the mean over ``corrected`` of
    them of IWAE-``many`` - IWAE-``samples``: a lower bound in expectation. ``drift`` is the mean gain there from
    ``drift_from`` to ``many`` samples: as long as it is not near 0, more samples would say more. ``pareto_k`` is the
    median over these examples of the Pareto shape of their weights, ``untrusted`` the share of them whose k is too
    large for their mean to be trusted. ``bits_per_dim`` is None where values are continuous.
    """

    n: int
    samples: int
    corrected: int
    many: int
    drift_from: int
    log_likelihood: float
    log_likelihood_se: float | None
    uncorrected: float
    correction: float
    correction_se: float | None
    drift: float
    drift_se: float | None
    pareto_k: float | None
    untrusted: float | None
    bits_per_dim: float | None

    def to_json(self) -> dict[str, Any]:
        """A plain dictionary."""
        return asdict(self)


def estimate_likelihood(
    model: LatentModel,
    examples: Feed,
    samples: int = 100,
    *,
    many: int = 5000,
    corrected: int = 500,
    drift_from: int = 500,
    each: Tensor | None = None,
    seed: int = 0,
) -> Likelihood | None:
    """Estimate every number of :class:`Likelihood`; None where the model has no likelihood.

    The cost is that of N · samples + corrected · many decodings. ``each`` are IWAE-``samples`` values of all examples
    (N,), if they are known already. Raises ValueError if ``many`` is less than the other two.
    """
    if not 1 <= samples <= many or not 1 <= drift_from <= many or corrected < 1:
        raise ValueError(
            f"the correction compares {samples} and {drift_from} samples with more, on at least one example; "
            f"got many={many}, corrected={corrected}"
        )
    if not model.has_density:
        return None
    if each is None:
        each = importance(model, examples, samples, common=False, seed=seed).log_likelihood
    chosen = subset(len(examples), corrected)
    weights = log_weights(model, examples.select(chosen), many, seed=seed + 1)
    return summarize(each, weights, chosen, samples, drift_from, model)


def summarize(
    each: Tensor, weights: Tensor, chosen: Tensor, samples: int, drift_from: int, model: LatentModel
) -> Likelihood:
    """The report from IWAE-``samples`` of all examples (N,) and log-weights (many, M) of the chosen ones (M,).

    The two terms of the estimate share examples, so that its variance is Var(a)/N + Var(d)/M + 2 Cov(a, d)/N with a
    the values and d the corrections.
    """
    best = bound(weights, len(weights))
    gain, drift = best - bound(weights, samples), best - bound(weights, drift_from)
    n, m, a = len(each), len(chosen), each[chosen]
    error = None
    if m > 1:
        covariance = ((a - a.mean()) * (gain - gain.mean())).sum() / (m - 1)
        error = math.sqrt(max(0.0, (each.var() / n + gain.var() / m + 2 * covariance / n).item()))
    k = pareto_k(weights)
    known = not bool(k.isnan().any())
    value = each.mean().item() + gain.mean().item()
    dims = model.shapes.x.numel() * math.log(2)
    return Likelihood(
        n=n,
        samples=samples,
        corrected=m,
        many=len(weights),
        drift_from=drift_from,
        log_likelihood=value,
        log_likelihood_se=error,
        uncorrected=each.mean().item(),
        correction=gain.mean().item(),
        correction_se=standard_error(gain),
        drift=drift.mean().item(),
        drift_se=standard_error(drift),
        pareto_k=k.median().item() if known else None,
        untrusted=(k > trusted_k(len(weights))).double().mean().item() if known else None,
        bits_per_dim=-value / dims if model.shapes.support.on_grid else None,
    )


def bound(log_weights: Tensor, samples: int) -> Tensor:
    """IWAE-``samples`` of each example (Burda et al., 2016), averaged over all whole blocks of log-weights (S, N)."""
    blocks = log_weights[: len(log_weights) // samples * samples].unflatten(0, (-1, samples))
    return (blocks.logsumexp(1) - math.log(samples)).mean(0)


def standard_error(values: Tensor) -> float | None:
    """Of the mean of values (N,); None for a single one."""
    return (values.std() / math.sqrt(len(values))).item() if len(values) > 1 else None
