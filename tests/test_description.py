"""What weights cost that are written down in steps: the closed form, and its share of the loss."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.stats import laplace

from vaekit.core import Batch
from vaekit.noise import isolated_rng
from vaekit.objectives import ELBO
from vaekit.training.description import description_length, groups
from vaekit.training.step import Step


@pytest.mark.parametrize("step", [0.001, 0.01, 0.1])
def test_weights_cost_what_the_entropy_of_a_rounded_laplace_distribution_says(step):
    """Exact as the step vanishes: differential entropy less log step (Cover and Thomas, 2006, theorem 8.3.1)."""
    weights = torch.from_numpy(laplace(scale=0.3).rvs(100_000, random_state=0))
    cost = float(description_length([weights], step)) / len(weights)
    assert cost == pytest.approx(float(laplace(scale=0.3).entropy()) - math.log(step), rel=0.02 + 2 * step)


def test_rounded_weights_have_about_that_entropy():
    weights = laplace(scale=0.3).rvs(100_000, random_state=1)
    for step in (0.02, 0.1, 0.5):
        _, counts = np.unique(np.rint(weights / step), return_counts=True)
        shares = counts / len(weights)
        cost = float(description_length([torch.from_numpy(weights)], step)) / len(weights)
        assert cost == pytest.approx(-(shares * np.log(shares)).sum(), rel=0.25)


def test_zeros_cost_nothing_and_every_filter_has_a_scale_of_its_own():
    assert float(description_length([torch.zeros(5, 5)], 0.1)) == 0
    filters = torch.stack([torch.full((3, 3), 0.01), torch.full((3, 3), 1.0)])
    assert [group.shape for group in groups(filters)] == [(3, 3)] * 2
    alone = sum(float(description_length([own], 0.1)) for own in filters)
    assert float(description_length([filters], 0.1)) == pytest.approx(alone)
    assert alone < float(description_length([filters.flatten()], 0.1))


def test_an_example_bears_its_share_from_none_at_first_to_all_in_the_end(linear_gaussian):
    model, x = linear_gaussian.model(), linear_gaussian.sample(8)
    length = description_length(model.parameters(), 0.1)

    def loss(weight_step: float | None, progress: float) -> float:
        step = Step(model, ELBO().bind(model.shapes), weight_step)
        with isolated_rng(0):
            return float(step(Batch(x), torch.tensor(progress))[0].detach())

    for progress in (0.0, 0.5, 1.0):
        share = loss(0.1, progress) - loss(None, progress)
        assert share == pytest.approx(progress * float(length.detach()) / model.shapes.examples, rel=1e-3, abs=1e-4)
