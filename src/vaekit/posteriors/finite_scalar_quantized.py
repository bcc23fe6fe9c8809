"""Finite scalar quantized posterior."""

import math
from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor

from vaekit.core import Shapes

from .codes import Codebook, CodePosterior

LARGEST = 2**16
SLACK = 1e-3  # by which the bound lies beyond the outermost values, so that they can be reached
SPREAD = 0.9  # of normal outputs h, for which tanh h is nearly uniform


class FiniteScalarQuantizedPosterior(CodePosterior):
    """The code that a bounded output is rounded to."""

    def __init__(self, output: Tensor, bounded: Tensor, code: Tensor, family: "FiniteScalarQuantized"):
        super().__init__(bounded, code, family)
        self.output = output.detach()

    def stats(self) -> dict[str, Tensor]:
        """How many outputs there are, and the sums of their numbers and of the squares."""
        flat = self.output.flatten(0, -2)
        ones = torch.ones_like(flat[0])
        return {"fsq_moments": torch.stack([len(flat) * ones, flat.sum(0), flat.square().sum(0)])}


class FiniteScalarQuantized(Codebook):
    """Each number of a code is bounded by a tanh and rounded to one of ``levels`` values from -1 to 1 (Mentzer et al.,
    2024, FSQ): the book is all their combinations, with nothing in it to learn and no penalty.

    ``levels`` is one count for every number, or one for each. The gradient passes through the rounding unchanged. The
    first update fixes a shift and a scale that spread the outputs over the levels; small outputs would all be the same
    code, and nothing would be learned.
    """

    steps: Tensor
    weights: Tensor
    shift: Tensor
    scale: Tensor

    numbers = 4

    def __init__(self, levels: int | Sequence[int] = 5):
        super().__init__()
        each = [levels] if isinstance(levels, int) else list(levels)
        if not each or min(each) < 2:
            raise ValueError(f"finite-scalar-quantized needs at least 2 levels for each number of a code, got {levels}")
        self.levels = levels if isinstance(levels, int) else each

    def bind(self, shapes: Shapes) -> Self:
        """The book (codes, numbers). Raises ValueError where it would hold more than 65,536 codes."""
        dim = self.bind_codes(shapes)
        levels = [self.levels] * dim if isinstance(self.levels, int) else self.levels
        if len(levels) != dim:
            raise ValueError(
                f"finite-scalar-quantized has {len(levels)} levels for codes of {dim} numbers: give one for each number"
            )
        if math.prod(levels) > LARGEST:
            raise ValueError(
                f"finite-scalar-quantized makes at most {LARGEST:,} codes, and {dim} numbers a code with these levels "
                f"make {math.prod(levels):.3g}: choose a latent of fewer numbers a code, such as 4, or fewer levels"
            )
        self.register_buffer("steps", torch.tensor(levels), persistent=False)
        self.register_buffer("weights", torch.tensor([math.prod(levels[:i]) for i in range(dim)]), persistent=False)
        self.register_buffer("shift", torch.zeros(dim))
        self.register_buffer("scale", torch.zeros(dim))  # 0 until the first update
        self.register_buffer("book", self._values(torch.arange(math.prod(levels))), persistent=False)
        return self

    def indices(self, z: Tensor) -> Tensor:
        """Σ_i digit_i Π_{j<i} levels_j, where digit 0 is the value -1."""
        half = self.steps // 2
        digits = (self.vectors(z) * half + half).round().long().clamp(min=0).minimum(self.steps - 1)
        return (digits * self.weights).sum(-1)

    def forward(self, phi: Tensor) -> FiniteScalarQuantizedPosterior:
        """Phi (..., 1, *latent)."""
        half = self.steps // 2
        reach, offset = (self.steps - 1) * (0.5 + SLACK / 2), 0.5 * (self.steps % 2 == 0)
        output = self.vectors(phi.squeeze(-1 - len(self.event)))
        h = (output - self.shift) * torch.where(self.scale > 0, self.scale, 1)
        bounded = (h + torch.atanh(offset / reach)).tanh() * reach - offset
        code = bounded.detach().round() / half
        return FiniteScalarQuantizedPosterior(output, self.arrange(bounded / half), self.arrange(code), self)

    @torch.no_grad()
    def update(self, stats: dict[str, Tensor]) -> None:
        """Shift and scale, the first time."""
        count, total, squares = stats["fsq_moments"]
        mean = total / count
        scale = SPREAD / (squares / count - mean.square()).clamp(min=1e-12).sqrt()
        self.shift.copy_(torch.where(self.scale > 0, self.shift, mean))
        self.scale.copy_(torch.where(self.scale > 0, self.scale, scale))

    def _values(self, indices: Tensor) -> Tensor:
        half = self.steps // 2
        return (indices.unsqueeze(-1) // self.weights % self.steps - half) / half
