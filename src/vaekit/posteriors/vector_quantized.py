"""Vector-quantized posterior."""

import math
from typing import Self

import torch
import torch.distributed as dist
from torch import Tensor

from vaekit.core import Shapes

from .codes import Codebook, CodePosterior

DEAD, REVIVED = 0.01, 0.1  # uses, in shares of the average code's


class VectorQuantizedPosterior(CodePosterior):
    """The code of the book that is nearest to the encoder's output."""

    def __init__(self, h: Tensor, family: "VectorQuantized"):
        self.index = family.indices(h.detach())
        super().__init__(h, family.lookup(self.index), family)
        self.codes = family.codes
        self.penalty = family.commitment * (h - self.code).square().flatten(1).sum(1)

    @torch.no_grad()
    def stats(self) -> dict[str, Tensor]:
        """How often each code was chosen, the sum of the outputs it was chosen for, and outputs for dead codes."""
        index, outputs = self.index.flatten(), self.family.vectors(self.h.detach()).flatten(0, -2)
        counts = torch.bincount(index, minlength=self.codes).to(outputs.dtype)
        sums = torch.zeros_like(self.family.book).index_add_(0, index, outputs)
        return {"vq_counts": counts, "vq_sums": sums, "vq_outputs": self._candidates(outputs)}

    def _candidates(self, outputs: Tensor) -> Tensor:
        """An output at random for each code; of several processes each fills rows of its own, so that they add up."""
        rank, world = (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)
        mine = torch.arange(rank, self.codes, world, device=outputs.device)
        chosen = torch.randperm(len(outputs), device=outputs.device)[torch.arange(len(mine)) % len(outputs)]
        return torch.zeros_like(self.family.book).index_copy_(0, mine, outputs[chosen])


class VectorQuantized(Codebook):
    """z is the nearest of ``codes`` vectors, at each position (van den Oord et al., 2017, VQ-VAE).

    log q(z|x) = 0 at the code. Each code is the mean of the encoder outputs it was chosen for, with weights that fade
    by ``decay`` a step; codes hardly ever chosen, at the start all but the first few, move to a random output of the
    batch. ``commitment`` · ||output - code||² is the penalty that keeps outputs near their codes.
    """

    counts: Tensor
    sums: Tensor

    def __init__(self, codes: int = 512, commitment: float = 0.25, decay: float = 0.99):
        super().__init__()
        if codes < 2 or commitment < 0 or not 0 <= decay < 1:
            raise ValueError(
                "vector-quantized needs at least 2 codes, a commitment of at least 0 and a decay in [0, 1); "
                f"got codes={codes}, commitment={commitment}, decay={decay}"
            )
        self.codes, self.commitment, self.decay = codes, commitment, decay

    def bind(self, shapes: Shapes) -> Self:
        """The book (codes, numbers) is standard normal until the first update."""
        book = torch.randn(self.codes, self.bind_codes(shapes))
        self.register_buffer("book", book)
        self.register_buffer("counts", torch.zeros(self.codes))
        self.register_buffer("sums", torch.zeros_like(book))
        return self

    @property
    def perplexity(self) -> float:
        """exp of the entropy of the codes' use, between 1 and ``codes``, averaged as the codes are."""
        share = self.counts / self.counts.sum().clamp(min=1e-12)
        return torch.special.entr(share).sum().exp().item()

    def indices(self, z: Tensor) -> Tensor:
        """argmin ||z - e||² = argmax (z·e - ½ ||e||²), computed in float32."""
        vectors = self.vectors(z)
        with torch.autocast(z.device.type, enabled=False):
            scores = torch.addmm(-0.5 * self.book.square().sum(1), vectors.reshape(-1, vectors.shape[-1]), self.book.T)
        return _argmax(scores).view(vectors.shape[:-1])

    def forward(self, phi: Tensor) -> VectorQuantizedPosterior:
        """Phi (..., 1, *latent) is the encoder's output h."""
        return VectorQuantizedPosterior(phi.squeeze(-1 - len(self.event)), self)

    @torch.no_grad()
    def update(self, stats: dict[str, Tensor]) -> None:
        """Move the averages and the codes, and revive dead ones."""
        self.counts.lerp_(stats["vq_counts"], 1 - self.decay)
        self.sums.lerp_(stats["vq_sums"], 1 - self.decay)
        average = self.counts.mean()
        dead = self.counts < DEAD * average
        self.counts.copy_(torch.where(dead, REVIVED * average, self.counts))
        self.sums.copy_(torch.where(dead.unsqueeze(1), stats["vq_outputs"] * self.counts.unsqueeze(1), self.sums))
        self.book.copy_(self.sums / self.counts.unsqueeze(1))


def _argmax(scores: Tensor) -> Tensor:
    """Column of the largest number in each row, by blocks: torch's argmax is far slower than its maximum on a CPU."""
    blocks = scores.unflatten(1, (math.gcd(scores.shape[1], 16), -1))
    best = blocks.amax(2).argmax(1)
    return best * blocks.shape[2] + blocks[torch.arange(len(best), device=best.device), best].argmax(1)
