"""Columns of a table as they are pushed on a stack of bits: each by its distribution function, on its own grid."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from vaekit.coding import Cells

from .discretized import Discretized
from .histogram import Histogram
from .warped import Warp

TINY = 1e-300
NEAR = 0.1  # of a symbol, that float32 may have moved an edge


def coded_histogram(p: Histogram, low: Tensor, step: Tensor, counts: Tensor) -> Cells:
    """One column (…, 1) on a grid: the masses of the bins below, and a share of the own one."""
    masses = p.log_mass.double().exp().reshape(-1, p.log_mass.shape[-1])
    before = F.pad(masses.cumsum(1), (1, 0)).T.contiguous()
    starts = (p.bins.edges[0].double() - low) / step + 0.5  # of the bins, counted in symbols
    starts = torch.where((starts - starts.round()).abs() < NEAR, starts.round(), starts)
    tail = p.bins.tail[0].double() / step

    def below(edges: Tensor, before: Tensor) -> Tensor:
        bins = torch.searchsorted(starts[1:-1].contiguous(), edges.double(), right=True)
        start, end = starts[bins], starts[bins + 1]
        share = (edges - start) / (end - start)
        share = torch.where(start.isinf(), ((edges - end) / tail).exp(), share)
        share = torch.where(end.isinf(), -((start - edges) / tail).expm1(), share)
        left, right = (before.gather(0, bins + more) for more in (0, 1))
        return torch.lerp(left, right, share.clamp(0, 1))

    return Cells(below, (before,), counts)


def coded_discretized(p: Discretized, low: Tensor, step: Tensor, counts: Tensor) -> Cells:
    """One column (…, 1) on a grid: what the kernels have below, within the column's ends, and the spikes below."""
    components = p.loc.shape[-2]
    weights, loc, scale = (
        each.double().expand_as(p.loc).squeeze(-1).reshape(-1, components).T.unsqueeze(1).contiguous()
        for each in (p.log_weights.exp(), p.loc, p.scale)
    )
    warp = None if p.cells.warp is None else Warp(*(each.double() for each in p.cells.warp))
    start, end = ((edge.double() - loc) / scale for edge in p.cells.range())
    side = torch.where(start > 0, -1.0, 1.0)  # kernels are symmetric: differences are taken on the left, where exact
    start = side * p.kernel.cdf(side * start)
    total = (side * p.kernel.cdf(side * end) - start).clamp(min=TINY)
    given, spikes = [weights, loc, scale, side, start, total], p.cells.spikes[0].double().nan_to_num(torch.inf)
    if p.log_spikes is not None:
        given.append(p.log_spikes.double().exp().reshape(-1, p.log_spikes.shape[-1]).T.contiguous())

    def below(edges: Tensor, weights, loc, scale, side, start, total, masses: Tensor | None = None) -> Tensor:
        x = low + step * (edges - 0.5)
        scores = x if warp is None else warp.forward(x.unsqueeze(-1))[0].squeeze(-1)
        inside = side * p.kernel.cdf(side * (scores - loc) / scale)
        found = (weights * ((inside - start) / total).clamp(0, 1)).sum(0)
        if masses is None:
            return found
        smaller = (spikes.view(-1, 1, 1) < x).double()
        return masses[0] * found + (masses[1:].unsqueeze(1) * smaller).sum(0)

    return Cells(below, given, counts)
