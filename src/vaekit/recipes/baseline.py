"""The linear-Gaussian model beside a run: a deep model that loses to it is broken."""

from __future__ import annotations

from torch import Size

from vaekit.models import LinearGaussian
from vaekit.noise import isolated_rng
from vaekit.tasks import importance, latent_size
from vaekit.training import Feed

from .run import Run

ROWS = 1000
DRAWS = 10  # of the noise that spreads values over their cells; the posterior is exact


def linear_gaussian_score(run: Run, seen: Feed, unseen: Feed) -> float | None:
    """The mean log-likelihood, in nats, of unseen examples under factor analysis with as many latents as the run.

    It is fitted to the seen ones. None where the run has no likelihood to compare, or too few examples are seen.
    """
    shapes = run.model.shapes
    latent = min(latent_size(run.model), shapes.x.numel() - 1)
    if not run.model.has_density or latent < 1 or len(seen) <= shapes.x.numel():
        return None
    with isolated_rng(0):
        model = LinearGaussian(latent, "elementwise")
        model.bind(type(shapes)(shapes.x, examples=shapes.examples, support=shapes.support, latent=Size([latent])))
        for _ in model.solve(lambda: Feed(seen.x, seen.offset, seen.scale).chunks(ROWS)) or ():
            pass
    feed = Feed(unseen.x, unseen.offset, unseen.scale)
    return importance(model, feed, DRAWS, common=False).log_likelihood.mean().item()
