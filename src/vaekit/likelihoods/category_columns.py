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
        self.log_frequencies.copy_(counts.log() - totals.repeat_interleave(self._sizes))

    def embedded(self, event: Size) -> Size:
        """(Σ C,)."""
        return self.phi

    def embed(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """One-hot; zeros where hidden."""
        seen = torch.ones_like(x, dtype=torch.bool) if mask is None else mask
        number = ((torch.where(seen, x, self.low) - self.low) / self.step).round().long()
        number = number.clamp(min=0).minimum(self._sizes - 1)
        at = self.places.expand(*x.shape, -1).gather(-1, number.unsqueeze(-1))
        at = torch.where(seen.unsqueeze(-1), at, self.phi.numel()).squeeze(-1)
        hot = x.new_zeros(*x.shape[:-1], self.phi.numel() + 1)
        return hot.scatter_(-1, at, 1.0)[..., :-1]

    def responses(self, x: Tensor) -> Tensor:
        """One-hot; NaN where hidden."""
        hidden = x.isnan().repeat_interleave(self._sizes, -1)
        return torch.where(hidden, torch.nan, self.embed(x, ~x.isnan()))

    @torch.no_grad()
    def begin(self, weight: Tensor, mean: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
        """Logits log μ + (W / μ) z, whose softmax is μ + W z to first order."""
        share = mean.clamp(min=RARE)
        return weight / share.unsqueeze(1), mean.clamp(min=RARE**2).log() - self.log_frequencies

    def forward(self, phi: Tensor) -> Categories:
        """Phi (..., Σ C)."""
        return Categories(pad_logits(phi + self.log_frequencies, self.places), self.low, self.step, self.ordered)

    @property
    def _sizes(self) -> Tensor:
        return (self.places < self.phi.numel()).sum(1)
