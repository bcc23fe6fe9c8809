"""A probability for each value of the columns of a table."""

from __future__ import annotations

from typing import Self

import torch
from torch import Size, Tensor, nn

from vaekit.core import Family, Shapes, Support
from vaekit.distributions import Categories
from vaekit.distributions.columns import pad_logits, places_of

from .linear import Linear

RARE = 0.02  # share below which a category's logit does not follow the linear model more steeply
UNSEEN = 0.5  # examples that every value has beforehand (Krichevsky and Trofimov, 1981)


class CategoryColumns(Family, Linear):
    """P(x = k|z) ∝ f_k exp(φ_k) for the values of each column, categories or the points of a grid with two ends.

    f is the frequency among the training data, learned once: at φ = 0 each column has its own shares, rare values their
    small ones, and those that were never seen half an example's. A network takes one-hot vectors.
    """

    places: Tensor
    columns: Tensor
    numbers: Tensor
    last: Tensor
    low: Tensor
    step: Tensor
    ordered: Tensor

    def bind(self, shapes: Shapes) -> Self:
        """Phi is (Σ C,). Raises ValueError where a column has no finite number of values."""
        columns = shapes.columns or ()
        sizes = [column.categories or column.levels or 0 for column in columns]
        if not sizes or min(sizes) < 1:
            raise ValueError("the category-columns likelihood is for columns of few values: use likelihood 'mixed'")
        self.event, self.phi = shapes.x, Size([sum(sizes)])
        self.register_buffer("places", places_of(sizes), persistent=False)
        values = [(column, number) for column, size in enumerate(sizes) for number in range(size)]
        for name, each in zip(("columns", "numbers"), zip(*values, strict=True), strict=True):
            self.register_buffer(name, torch.tensor(each), persistent=False)
        self.register_buffer("last", torch.tensor(sizes) - 1, persistent=False)
        support = Support.join(columns)
        for name, value in (("low", support.low), ("step", support.step)):
            self.register_buffer(name, torch.as_tensor(value, dtype=torch.float32), persistent=False)
        self.register_buffer("ordered", torch.tensor([not column.categories for column in columns]), persistent=False)
        self.log_frequencies = nn.Buffer(torch.zeros(self.phi))
        return self

    @torch.no_grad()
    def prepare(self, x: Tensor, mask: Tensor | None = None) -> None:
        """Learn f."""
        counts = self.embed(x, ~x.isnan() if mask is None else mask).flatten(0, -2).sum(0) + UNSEEN
        totals = pad_logits(counts.log(), self.places).logsumexp(-1)
        self.log_frequencies.copy_(counts.log() - totals[self.columns])

    def embedded(self, event: Size) -> Size:
        """(Σ C,)."""
        return self.phi

    def embed(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """One-hot; zeros where hidden."""
        number = ((x - self.low) / self.step).round().clamp(min=0).minimum(self.last)
        hot = number.index_select(-1, self.columns) == self.numbers
        return (hot if mask is None else hot & mask.index_select(-1, self.columns)).to(x.dtype)

    def responses(self, x: Tensor) -> Tensor:
        """One-hot; NaN where hidden."""
        hidden = x.isnan()[..., self.columns]
        return torch.where(hidden, torch.nan, self.embed(x, ~x.isnan()))

    @torch.no_grad()
    def begin(self, weight: Tensor, mean: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
        """Logits log μ + (W / μ) z, whose softmax is μ + W z to first order."""
        share = mean.clamp(min=RARE)
        return weight / share.unsqueeze(1), mean.clamp(min=RARE**2).log() - self.log_frequencies

    def forward(self, phi: Tensor) -> Categories:
        """Phi (..., Σ C)."""
        return Categories(pad_logits(phi + self.log_frequencies, self.places), self.low, self.step, self.ordered)
