"""A likelihood of the rows of a table in which every column sees the columns before it."""

from __future__ import annotations

import math
from itertools import accumulate
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Size, Tensor, nn
from torch.distributions import Distribution
from torch.types import _size

from vaekit.core import Family, Shapes
from vaekit.distributions import Histogram as HistogramColumns
from vaekit.distributions.density import NONE, Density, Steps, in_steps

from .histogram import Histogram

MOST_WEIGHTS = 2**26  # a gigabyte with their gradients and moments
WAVES = 8  # cosines of a bin's rank, by which neighbouring bins are learned together


class Autoregressive(Family):
    """p(x|z) = Π_j p(x_j | earlier columns, z), each a histogram (see :class:`Histogram`); the columns of fewest bins
    come first.

    In place of parameters the decoder gives ``features``. Each column has a network of its own with ``depth`` hidden
    layers of ``width`` units (left out: 128, less for many columns), which sees the features and an embedding of
    ``embedding`` numbers of each earlier column (Bengio and Bengio, 2000; NADE, Larochelle and Murray, 2011).
    Neighbouring bins are learned together, through cosines of their rank, where they are seen and where they are
    predicted; ``dropout`` is the share of hidden units left out in training. ``log_prob`` takes one pass, a draw one
    step for each column. Hidden cells are shown as hidden: what the observed cells get is then the log-probability of a
    normalized distribution, but not their exact marginal under the one for whole rows.
    """

    visible: Tensor
    offsets: Tensor
    hidden: Tensor

    def __init__(
        self,
        bins: int = 256,
        features: int = 64,
        width: int | None = None,
        depth: int = 2,
        embedding: int = 16,
        dropout: float = 0.0,
    ):
        super().__init__()
        if min(features, 1 if width is None else width, depth, embedding) < 1 or not 0 <= dropout < 1:
            raise ValueError(
                f"features, width, depth and embedding must be at least 1 and dropout in [0, 1), "
                f"got {features}, {width}, {depth}, {embedding} and {dropout}"
            )
        self.bins, self.features, self.width = bins, features, width
        self.depth, self.embedding, self.dropout = depth, embedding, dropout

    def bind(self, shapes: Shapes) -> Self:
        """Phi is (features,). Raises ValueError where x is no row of a table, and for too many columns."""
        if shapes.columns is None:
            raise ValueError("the autoregressive likelihood is for the columns of a table: use likelihood 'gaussian'")
        self.columns = Histogram(self.bins).bind(shapes)
        self.event, self.phi = shapes.x, Size([self.features])
        sizes = [column.categories or self.bins for column in shapes.columns]
        count, starts = len(sizes), [0, *accumulate(size + 1 for size in sizes)]
        self.order = sorted(range(count), key=sizes.__getitem__)
        rank = torch.tensor([self.order.index(column) for column in range(count)])
        self.register_buffer("visible", (rank[:, None] < rank).float(), persistent=False)
        self.register_buffer("offsets", torch.tensor(starts[:-1]), persistent=False)
        self.register_buffer("hidden", torch.tensor(starts[1:]) - 1, persistent=False)
        self.tokens = nn.Embedding(starts[-1], self.embedding)
        self.slopes = nn.Parameter(torch.randn(count, WAVES, self.embedding) / WAVES**0.5)
        width = self.width or min(128, max(16, 2048 // count))
        if (weights := count**2 * self.embedding * width) > MOST_WEIGHTS:
            raise ValueError(
                f"the autoregressive likelihood has weights for each pair of columns, {weights:,} for {count:,} "
                "columns: leave columns out, or use likelihood 'mixed'"
            )
        self.networks = _ColumnNetworks(
            count, self.embedding, self.features, width, self.columns.most, depth=self.depth, dropout=self.dropout
        )
        return self

    def embedded(self, event: Size) -> Size:
        """(D · embedding,)."""
        return Size([event.numel() * self.embedding])

    def embed(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """The embeddings of all columns, in a row."""
        return self.tokenize(x, mask).flatten(-2)

    def prepare(self, x: Tensor, mask: Tensor | None = None) -> None:
        """Choose the bins."""
        self.columns.prepare(x, mask)

    def forward(self, phi: Tensor) -> Distribution:
        """Phi (..., features)."""
        return _InOrder(self, phi)

    def tokenize(self, x: Tensor, mask: Tensor | None = None, columns: slice = slice(None)) -> Tensor:
        """Values (..., D) ↦ embeddings (..., D, E): one for the bin, or for being hidden, and one that is smooth in
        the rank.
        """
        layout = self.columns.layout.at(columns)
        seen = torch.ones_like(x, dtype=torch.bool) if mask is None else mask
        bins = layout.find(torch.where(seen, x, 0))
        tokens = self.tokens(torch.where(seen, bins + self.offsets[columns], self.hidden[columns]))
        along = self.waves(columns) @ self.slopes[columns]
        at = torch.arange(len(along), device=x.device).expand_as(bins)
        return tokens + torch.where(seen.unsqueeze(-1), along[at, bins], 0)

    def waves(self, columns: slice = slice(None)) -> Tensor:
        """cos(π k r) for k = 1, …, 8 of each bin's rank r in (0, 1), (D, C, 8)."""
        frequencies = self.columns.log_frequencies[columns].exp()
        rank = (frequencies.cumsum(1) - frequencies / 2).unsqueeze(-1)
        return (math.pi * rank * torch.arange(1, WAVES + 1, device=rank.device)).cos()

    def given(self, features: Tensor, x: Tensor, mask: Tensor | None) -> HistogramColumns:
        """All columns, each given the earlier ones in x."""
        logits = self.networks(features, self.tokenize(x, mask), self.visible, self.waves())
        return HistogramColumns(logits + self.columns.log_frequencies, self.columns.layout)


class _ColumnNetworks(nn.Module):
    """A perceptron for each of D columns, all in one product a layer."""

    def __init__(
        self, columns: int, embedding: int, features: int, width: int, out: int, *, depth: int, dropout: float
    ):
        super().__init__()
        self.features, self.dropout = nn.Linear(features, columns * width), dropout
        self.earlier = nn.Parameter(torch.randn(columns, embedding, columns, width) / (columns * embedding) ** 0.5)
        self.hidden = nn.ParameterList(
            torch.randn(columns, width, width) * (2 / width) ** 0.5 for _ in range(depth - 1)
        )
        self.biases = nn.ParameterList(torch.zeros(columns, 1, width) for _ in range(depth - 1))
        self.out = nn.Parameter(0.01 * torch.randn(columns, width, out))
        self.bias = nn.Parameter(torch.zeros(columns, 1, out))
        self.smooth = nn.Parameter(torch.zeros(columns, width, WAVES))

    def forward(self, features: Tensor, tokens: Tensor, visible: Tensor, waves: Tensor) -> Tensor:
        """Features (..., F), tokens (..., D, E), who sees whom (D, D) and waves (D, C, 8) ↦ logits (..., D, C)."""
        weight = (self.earlier * visible[:, None, :, None]).flatten(2).flatten(0, 1)
        before = self.features(features) + tokens.flatten(-2) @ weight
        lead = before.shape[:-1]
        h = before.view(-1, len(visible), self.earlier.shape[-1]).transpose(0, 1)
        return self.upper(h, waves, slice(None)).transpose(0, 1).unflatten(0, lead).float()

    def upper(self, h: Tensor, waves: Tensor, columns: slice) -> Tensor:
        """First layers before their activation (D, N, W) ↦ logits (D, N, C)."""
        for weight, bias in zip(self.hidden, self.biases, strict=True):
            h = torch.baddbmm(bias[columns], self._thin(h.relu()), weight[columns])
        out = torch.baddbmm(self.out[columns], self.smooth[columns], waves.mT)
        return torch.baddbmm(self.bias[columns], self._thin(h.relu()), out)

    def _thin(self, h: Tensor) -> Tensor:
        return F.dropout(h, self.dropout, self.training) if self.dropout else h


class _InOrder(Density):
    """Elementwise over the columns, each given the earlier ones."""

    takes_mask = True

    def __init__(self, family: Autoregressive, features: Tensor):
        super().__init__(Size([*features.shape[:-1], *family.event]))
        self.family, self.features = family, features

    def log_prob(self, value: Tensor, mask: Tensor | None = None) -> Tensor:
        """Log-probability of each column given the observed ones of the earlier, all at once."""
        return self.family.given(self.features, value, mask).log_prob(value)

    def sample(self, sample_shape: _size = NONE) -> Tensor:
        """A draw, column by column."""
        features = self.features.expand(*sample_shape, *self.features.shape)
        return in_steps(_InOrder(self.family, features), lambda _, p: p.sample())

    @property
    def mean(self) -> Tensor:
        """Approximate: the mean of each column with the earlier ones at their means, of categories the likeliest."""
        return in_steps(self, lambda _, p: p.mean)

    def complete(self, value: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Draw the hidden cells of value (..., D) in order, each given all earlier cells, and Σ over the observed cells
        of log p(cell | earlier cells, z): the log-weight with which such draws are ones of p(hidden | observed, z).
        """
        value, mask = value.expand(self.batch_shape), mask.expand(self.batch_shape)
        log_p = torch.zeros_like(self.features[..., :1])

        def choose(part: Any, p: Distribution) -> Tensor:
            x = torch.where(mask[part], value[part], p.sample())
            log_p.add_(torch.where(mask[part], p.log_prob(x), 0))
            return x

        return in_steps(self, choose), log_p.squeeze(-1)

    def steps(self, mask: Tensor | None = None) -> Steps:
        """Column by column, those of fewest bins first."""
        family, networks = self.family, self.family.networks
        lead, count = self.batch_shape[:-1], self.batch_shape[-1]
        h = networks.features(self.features.flatten(0, -2)).unflatten(-1, (count, -1)).transpose(0, 1).contiguous()
        x = h.new_zeros(self.batch_shape)
        for column in family.order:
            at = slice(column, column + 1)
            logits = networks.upper(h[at], family.waves(at), at)[0] + family.columns.log_frequencies[at]
            x[..., at] = yield (..., at), HistogramColumns(logits.view(*lead, 1, -1), family.columns.layout.at(at))
            seen = None if mask is None else mask[..., at]
            tokens = family.tokenize(x[..., at], seen, at).flatten(0, -3).transpose(0, 1)
            later = family.visible[column, :, None, None] * networks.earlier[column].transpose(0, 1)
            h = h + tokens @ later
        return x
