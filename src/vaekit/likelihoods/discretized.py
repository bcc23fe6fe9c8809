"""Likelihood of recorded numbers as the mass of the interval that each stands for."""

from __future__ import annotations

import math
from typing import Self

import torch
from torch import Size, Tensor, nn

from vaekit import distributions
from vaekit.core import Family, Shapes, Support
from vaekit.distributions.columns import pad_logits, places_of
from vaekit.distributions.discretized import Cells
from vaekit.distributions.kernels import KERNELS
from vaekit.distributions.warped import Warp

from .linear import Linear
from .scales import SCALES, choose
from .warps import KNOTS, normal_scores

QUICK = 10.0  # log σ over its parameter: a network's bias would have as many steps to go, one parameter has them alone
LARGEST = math.log(1e4)  # logarithm of the deviation, either way


class Discretized(Family, Linear):
    """P(x|z) = F((x + δ/2 - μ) / σ) - F((x - δ/2 - μ) / σ), the mass that a kernel has within half a step δ of the
    recorded value, divided by what it has between the column's ends.

    Masses are comparable whatever the units, and none exceeds 1; a column without a step has density · unit. μ = φ₁,
    and σ² is floor² + what ``noise`` says, as in :class:`LocationScale`, in model units. ``kernel`` is
    ``"logistic"`` or ``"normal"``, or, with ``components`` above 1, a mixture whose weights the network gives. With
    ``spikes`` each value that a column is full of has a mass of its own, of which the network gives the logit; with
    ``warp`` the kernels lie over normal scores of the training data, a monotone map of each column (x ↦ Φ⁻¹(rank)),
    which makes heavy tails light. With more than 32 ``pieces`` the map of a column on a grid knows how often each of
    its frequent values is recorded. An encoder sees the scores, and which spike each value is.
    """

    low: Tensor
    high: Tensor
    step: Tensor
    unit: Tensor
    at: Tensor
    places: Tensor

    def __init__(
        self,
        kernel: str = "logistic",
        noise: str = "elementwise",
        components: int = 1,
        spikes: bool = True,
        warp: bool = True,
        floor: float = 0.01,
        pieces: int = KNOTS,
    ):
        super().__init__()
        if kernel not in KERNELS:
            raise ValueError(f"the kernel is one of {', '.join(KERNELS)}; got {kernel!r}")
        if components < 1 or not 0 <= floor < math.inf:
            raise ValueError(f"components must be at least 1 and floor at least 0, got {components} and {floor:g}")
        if pieces < KNOTS:
            raise ValueError(f"the scores need at least {KNOTS} pieces, got {pieces}")
        self.scale = choose("noise of the discretized likelihood", noise, SCALES)
        self.kernel, self.noise, self.components = kernel, noise, components
        self.spikes, self.warp, self.floor, self.pieces = spikes, warp, floor, pieces
        self.outputs = 1 + self.scale.outputs + (components > 1)

    def bind(self, shapes: Shapes) -> Self:
        """Phi is (P,): a location, a log-scale if the noise is an output and a logit if there are several components,
        for each component and column; then the logits of all spikes. Raises ValueError where x is no row of a table,
        or holds categories.
        """
        if shapes.columns is None or any(column.categories for column in shapes.columns):
            raise ValueError("the discretized likelihood is for numbers in tables: use likelihood 'mixed'")
        self.event, count = shapes.x, len(shapes.columns)
        sizes = [len(column.spikes) * self.spikes for column in shapes.columns]
        self.kernels = self.outputs * self.components * count
        self.phi = Size([self.kernels + sum(sizes)])
        self._register(Support.join(shapes.columns), [column.spikes for column in shapes.columns], sizes)
        grids = [bool(column.step) for column in shapes.columns]
        ended = any(column.low != -math.inf or column.high != math.inf for column in shapes.columns)
        self.traits = any(grids), all(grids), ended
        self.log_sigma = self.scale.logarithm(Size([self.components, count]), math.exp(-1 / QUICK))
        if self.components > 1:
            self.shift = nn.Parameter(torch.linspace(-1, 1, self.components).unsqueeze(1).repeat(1, count))
        return self

    def _register(self, support: Support, spikes: list[tuple[float, ...]], sizes: list[int]) -> None:
        """The columns' constants as buffers: those that the data tell in :meth:`prepare` are saved."""
        count, most = len(sizes), max(sizes)
        constants = {"low": support.low, "high": support.high, "step": support.step or 0.0, "unit": support.unit}
        for name, value in constants.items():
            tensor = torch.as_tensor(value, dtype=torch.float32).expand(count)
            self.register_buffer(name, tensor.clone(), persistent=False)
        values = torch.full((count, most), torch.nan)
        for row, own, size in zip(values, spikes, sizes, strict=True):
            row[:size] = torch.tensor(own[:size])
        self.register_buffer("at", values, persistent=False)
        self.register_buffer("places", places_of(sizes), persistent=False)
        self.log_frequencies = nn.Buffer(torch.zeros(count, 1 + most))
        identity = torch.linspace(-3, 3, self.pieces).repeat(count, 1)
        self.knots, self.scores = (nn.Buffer(identity.clone()) if self.warp else None for _ in range(2))

    @property
    def cells(self) -> Cells:
        """The columns' constants, as the distribution takes them."""
        warp = None if self.knots is None or self.scores is None else Warp(self.knots, self.scores)
        return Cells(self.low, self.high, self.step, self.unit, self.at, warp, *self.traits)

    @torch.no_grad()
    def prepare(self, x: Tensor, mask: Tensor | None = None) -> None:
        """Learn the spikes' frequencies and the normal scores of the other values."""
        seen = ~x.isnan() if mask is None else mask
        spiked = self.cells.at_spikes(torch.where(seen, x, torch.inf))
        counts = torch.cat([(seen & ~spiked.any(-1)).sum(0).unsqueeze(1), spiked.sum(0)], 1) + 0.5
        self.log_frequencies.copy_((counts / counts[:, :1]).log())
        if self.knots is None or self.scores is None:
            return
        usual = seen & ~spiked.any(-1)
        for column in range(x.shape[1]):
            low, high, step = (float(part[column]) for part in (self.low, self.high, self.step))
            found = normal_scores(x[usual[:, column], column], Support(low, high, step or None), self.pieces)
            if found is not None:
                self.knots[column], self.scores[column] = found

    def embedded(self, event: Size) -> Size:
        """(D + ΣS,)."""
        return Size([event.numel() + self.phi.numel() - self.kernels])

    def embed(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Scores, and 1 for the spike that a value is; zeros where hidden."""
        filled = x if mask is None else torch.where(mask, x, 0)
        scores = filled if self.cells.warp is None else self.cells.warp.forward(filled)[0]
        found = [scores if mask is None else torch.where(mask, scores, 0)]
        if self.at.shape[1]:
            spiked = self.cells.at_spikes(filled if mask is None else torch.where(mask, x, torch.inf))
            found.append(spiked[..., self.places < self.phi.numel() - self.kernels].to(x.dtype))
        return torch.cat(found, -1)

    def forward(self, phi: Tensor) -> distributions.Discretized:
        """Phi (..., P)."""
        kernels, logits = phi.split([self.kernels, self.phi.numel() - self.kernels], -1)
        loc, *rest = kernels.unflatten(-1, (self.outputs, self.components, -1)).unbind(-3)
        log_weights = torch.zeros_like(loc)
        if self.components > 1:
            loc, log_weights = loc + self.shift, rest.pop().log_softmax(-2)
        log_sigma = QUICK * self.log_sigma + (rest[0] if rest else 0.0)
        sigma = log_sigma.clamp(-LARGEST, LARGEST).exp()
        sigma = (sigma.square() + self.floor**2).sqrt()
        log_spikes = None
        if self.at.shape[1]:
            padded = pad_logits(logits, self.places)
            others = torch.cat([torch.zeros_like(padded[..., :1]), padded], -1)
            log_spikes = (others + self.log_frequencies).log_softmax(-1)
        return distributions.Discretized(log_weights, loc, sigma, self.cells, self.kernel, log_spikes)

    def responses(self, x: Tensor) -> Tensor:
        """The scores (B, D), NaN for hidden cells."""
        return x if self.cells.warp is None else torch.where(x.isnan(), x, self.cells.warp.forward(x.nan_to_num())[0])

    def begin(self, weight: Tensor, mean: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
        """Locations from W z + μ; all else is 0. σ is set."""
        size = self.phi.numel()
        weights, biases = weight.new_zeros(size, weight.shape[1]), mean.new_zeros(size)
        for component in range(self.components):
            at = slice(component * len(mean), (component + 1) * len(mean))
            weights[at], biases[at] = weight, mean
        deviation = (variance - self.floor**2).maximum(1e-4 * variance).sqrt() * KERNELS[self.kernel].scale
        self.log_sigma.data.copy_((deviation if self.scale.each else deviation.mean()).log() / QUICK)
        return weights, biases
