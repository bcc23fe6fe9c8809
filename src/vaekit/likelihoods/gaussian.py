"""Gaussian likelihood."""

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from vaekit.core import Shapes
from vaekit.distributions import CalibratedNormal, Dequantized, Normal

from .location_scale import LocationScale
from .scales import SCALES, Scale

MEMORY = 0.99  # what the running average keeps at each step, so that it is over the last hundred or so


class Gaussian(LocationScale):
    """x | z ~ N(φ₁, σ²). For ``noise`` and ``sigma`` see :class:`LocationScale`; ``"calibrated"`` is one more.

    A fixed σ = 1 on pixels in [0, 1] starves the reconstruction and blurs; the learned one is σ-VAE's (Rybkin et al.,
    2021). ``"calibrated"`` is its closed form: in training, the one σ for all elements that maximizes the batch's
    likelihood, the root of the mean squared error; in evaluation, its running average over the training data. Values on
    a grid are spread uniformly over their cells, so that the bound holds for their probability mass.
    """

    title = "Gaussian"
    scales = {**SCALES, "calibrated": Scale(learned=False)}  # noqa: RUF012 - a ClassVar of the base class

    def bind(self, shapes: Shapes) -> "Gaussian":
        """Phi is one mean an element, and a log-deviation if the noise is an output."""
        super().bind(shapes)
        if self.noise == "calibrated":
            self.squares, self.count = nn.Buffer(torch.zeros(())), nn.Buffer(torch.zeros(()))
        return self

    def density(self, loc: Tensor, sigma: Tensor) -> Distribution:
        """The normal distribution."""
        return Normal(loc, sigma)

    def forward(self, phi: Tensor) -> Dequantized:
        """Phi (..., 1 or 2, *event)."""
        px = super().forward(phi)
        if self.noise == "calibrated" and self.training:
            return CalibratedNormal(px.density, px.cell)
        return px

    @torch.no_grad()
    def stats(self, p: Distribution, x: Tensor, mask: Tensor | None = None) -> dict[str, Tensor]:
        """The sum of squared errors, those within a cell of the grid included, and their number."""
        if self.noise != "calibrated":
            return {}
        squares = (x - p.mean).square() + self.step.square() / 12
        seen = torch.ones_like(squares) if mask is None else mask.to(squares).expand_as(squares)
        return {"gaussian.squares": torch.where(seen > 0, squares, 0).sum(), "gaussian.count": seen.sum()}

    @torch.no_grad()
    def update(self, stats: dict[str, Tensor]) -> None:
        """Renew the running average that evaluation uses."""
        if self.noise == "calibrated":
            self.squares.mul_(MEMORY).add_(stats["gaussian.squares"])
            self.count.mul_(MEMORY).add_(stats["gaussian.count"])
            self.log_sigma.copy_(0.5 * (self.squares / self.count).clamp(min=1e-8).log())
