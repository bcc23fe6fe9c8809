"""A causal transformer, whose draws reuse what earlier positions have computed."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Past = list[Tensor]


class Block(nn.Module):
    """Causal self-attention, then a GELU perceptron, each after a layer norm and added (Radford et al., 2019)."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.attention, self.merge = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.perceptron = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: Tensor, past: Past | None = None) -> Tensor:
        """(N, P, width). With ``past``, keys and values so far, x is the next position alone and ``past`` grows."""
        q, k, v = self.attention(self.norms[0](x)).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        if past:
            k, v = (torch.cat([old, new], 2) for old, new in zip(past, (k, v), strict=True))
        if past is not None:
            past[:] = [k, v]
        attended = F.scaled_dot_product_attention(q, k, v, is_causal=past is None)
        x = x + self.merge(attended.transpose(1, 2).flatten(2))
        return x + self.perceptron(self.norms[1](x))


class CausalTransformer(nn.Module):
    """(N, P, width) ↦ (N, P, width): what is at a position sees itself and the positions before it."""

    def __init__(self, positions: int, layers: int, width: int, heads: int):
        super().__init__()
        self.position = nn.Parameter(0.02 * torch.randn(positions, width))
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        """All positions at once."""
        x = x + self.position
        for block in self.blocks:
            x = block(x)
        return self.norm(x)

    def step(self, x: Tensor, at: int, past: list[Past]) -> Tensor:
        """Position ``at`` alone, (N, width), after all earlier ones; ``past`` has a list for each block."""
        x = (x + self.position[at]).unsqueeze(1)
        for block, own in zip(self.blocks, past, strict=True):
            x = block(x, own)
        return self.norm(x).squeeze(1)
