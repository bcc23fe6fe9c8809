"""The linear-Gaussian models beside a run: a deep model that loses to one is broken."""

from __future__ import annotations

from torch import Size

from vaekit.models import GaussianCopula, LinearGaussian
from vaekit.noise import isolated_rng
from vaekit.tasks import importance, latent_size
from vaekit.training import Feed

from .run import Run

ROWS = 1000
DRAWS = 10  # of the noise that spreads values over their cells; the posterior is exact
WIDEST = 200  # columns of a table
PLENTY = 20_000  # rows of a table that are judged, at most
COPULAS = {"linear_gaussian": True, "gaussian_copula": False}  # whether a table's margins are normal


def baseline_scores(run: Run, seen: Feed, unseen: Feed) -> dict[str, float]:
    """Mean log-likelihoods, in nats, of unseen examples under linear models that are fitted to the seen ones.

    Of rows of a table ``linear_gaussian`` is the full-covariance normal and ``gaussian_copula`` its copula, both by EM
    (see :class:`vaekit.models.GaussianCopula`); of others ``linear_gaussian`` is factor analysis with as many latents
    as the run. Empty where the run has no likelihood to compare, too few examples are seen or a table is too wide.
    """
    columns = run.model.shapes.columns
    if not run.model.has_density or len(seen) <= run.model.shapes.x.numel():
        return {}
    if columns is None:
        return _factor_analysis(run, seen, unseen)
    if len(columns) > WIDEST:
        return {}
    models = {name: GaussianCopula.fit(seen.x.cpu(), columns, normal=normal) for name, normal in COPULAS.items()}
    return {name: model.log_prob(unseen.x[:PLENTY].cpu()).mean().item() for name, model in models.items()}


def _factor_analysis(run: Run, seen: Feed, unseen: Feed) -> dict[str, float]:
    shapes = run.model.shapes
    latent = min(latent_size(run.model), shapes.x.numel() - 1)
    if latent < 1:
        return {}
    with isolated_rng(0):
        model = LinearGaussian(latent, "elementwise")
        model.bind(type(shapes)(shapes.x, examples=shapes.examples, support=shapes.support, latent=Size([latent])))
        for _ in model.solve(lambda: Feed(seen.x, seen.offset, seen.scale).chunks(ROWS)) or ():
            pass
    feed = Feed(unseen.x, unseen.offset, unseen.scale)
    return {"linear_gaussian": importance(model, feed, DRAWS, common=False).log_likelihood.mean().item()}
