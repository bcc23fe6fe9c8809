"""The contract of a likelihood."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence

import torch
from torch import Size, Tensor
from torch.distributions import Distribution

from vaekit.core import Batch, Family, Shapes, Support, masked_log_prob
from vaekit.noise import Noise, isolated_rng

from .checks import BATCH, DRAWS, check_configuration, check_gradients, check_hidden_cells, close, expect
from .integrals import check_average, density_curve, moments


@isolated_rng(0)
def check_likelihood(
    family: Family,
    support: Support | None = None,
    event: Sequence[int] = (3,),
    *,
    columns: Sequence[Support] | None = None,
    mean_tolerance: float = 0.1,
) -> None:
    """A family of p(x|z) on examples of shape ``event`` whose values have the given support, or on rows of ``columns``.

    Elementwise; masses sum, or densities integrate, to one, in units of the support's cell; draws have the moments that
    ``log_prob`` implies and lie in the support; ``mean`` is within ``mean_tolerance`` standard deviations (all this in
    evaluation mode); hidden cells change neither value nor gradient, to the bit; gradients reach every parameter;
    extreme parameters stay finite.
    """
    if columns is not None:
        support, event, columns = Support.join(columns), (len(columns),), tuple(columns)
    support = support or Support()
    family = copy.deepcopy(family).bind(Shapes(Size(event), support=support, columns=columns))
    check_configuration(family)
    phi = (0.5 * torch.randn(BATCH, *family.phi)).requires_grad_()
    draws = DRAWS if columns is None else DRAWS // 4
    px = family(phi.expand(draws, *phi.shape))
    x = px.sample()
    expect(px.batch_shape == x.shape == (draws, BATCH, *event), "p(x|z) is not elementwise")
    expect(family.embed(x[0]).shape == (BATCH, *family.embedded(Size(event))), "embed and embedded disagree")
    x = _on_support(x, support)
    learned = {"phi": phi, **dict(family.named_parameters())}
    gradients = check_gradients(family(phi.expand(20, *phi.shape)).log_prob(x[:20]).mean(0).sum(), learned)
    reached = (gradients["phi"].reshape(*phi.shape[:2], -1) != 0).any(-1)
    expect(bool(reached.all()), "log p(x|z) does not depend on all of phi")
    check_hidden_cells(lambda batch: _score(family, phi, batch), x[0], [phi, *family.parameters()])
    _check_embed_hides(family, x[0])
    extreme = (60 * torch.randn(BATCH, *family.phi)).requires_grad_()
    check_gradients(family(extreme[None]).log_prob(x[:1]).sum(), {"extreme phi": extreme}, reaches=False)
    if family.has_density:
        with torch.no_grad():
            px = family.eval()(phi.expand(draws, *phi.shape))
            _check_mass(family, px, columns or _elements(support, Size(event)), mean_tolerance)


def _check_embed_hides(family: Family, x: Tensor) -> None:
    mask = torch.rand(x.shape) < 0.5
    a, b = (family.embed(torch.where(mask, x, hidden), mask) for hidden in (math.nan, 0.3))
    expect(torch.equal(a, b), "embed lets hidden cells through")


def _check_mass(family: Family, px: Distribution, supports: Sequence[Support], mean_tolerance: float) -> None:
    """One element is varied at a time, so that families whose elements depend on earlier ones pass too. Categories have
    no mean; a spike among continuous values is a mass where p jumps there.
    """
    x = px.sample()
    _check_enumeration(px, supports[0])
    spread = (family.dequantize(x[0], 1, Noise()) != x[0]).flatten(0, -1 - len(family.event)).flatten(1).any(0)
    curve, slope = (value.flatten(2) for value in density_curve(px, _without_spikes(x, supports)))
    flat, means, residuals = x.flatten(2), px.mean.flatten(2), []
    for i, support in enumerate(supports):
        v, w = curve[..., i], slope[..., i] / support.cell
        if support.step and not spread[i]:
            v, draws = _grid(flat[..., i], support)
            w = torch.ones_like(v)
        else:
            draws = flat[..., i]
            if support.spikes:
                spikes = torch.tensor(support.spikes).view(-1, 1).expand(-1, BATCH)
                jumps = (_varied(px, x, i, spikes) / _varied(px, x, i, spikes + 1e-4)).log().abs() > 5e-3
                v, w = torch.cat([v, spikes]), torch.cat([w, jumps.any().to(w).expand_as(spikes)])
        p = _varied(px, x, i, v) * w[:, None]
        mean, deviation = moments(p, v[:, None])
        residuals.append((draws - mean) / deviation)
        shift = ((means[..., i] - mean) / deviation).mean(0).abs().max().item()
        expect(shift <= mean_tolerance or support.categories > 0, f"the mean is off by {shift:.3f} standard deviations")
    check_average(torch.stack(residuals), "draws do not have the mean of log_prob")
    check_average(torch.stack(residuals).square() - 1, "draws do not have the variance of log_prob")


def _without_spikes(x: Tensor, supports: Sequence[Support]) -> Tensor:
    """Draws (N, B, *event), NaN where they are a spike."""
    flat = x.flatten(2)
    spiked = [torch.isin(flat[..., i], torch.tensor(support.spikes)) for i, support in enumerate(supports)]
    return torch.where(torch.stack(spiked, -1), torch.nan, flat).view_as(x)


def _varied(px: Distribution, x: Tensor, i: int, values: Tensor) -> Tensor:
    """The probability (G, N, B) of each of the values (G, B) in place of element i of examples x (N, B, *event)."""
    at = x.flatten(2).expand(len(values), *x.flatten(2).shape).clone()
    at[..., i] = values[:, None]
    return px.log_prob(at.view(len(values), *x.shape)).flatten(3)[..., i].double().exp()


def _elements(support: Support, event: Size) -> list[Support]:
    """The support of each element."""
    count = event.numel()
    given = (support.low, support.high, support.step, support.unit)
    parts = [value if isinstance(value, tuple) else (value,) * count for value in given]
    return [Support(*values) for values in zip(*parts, strict=True)]  # pyright: ignore[reportArgumentType]


def _grid(draws: Tensor, support: Support) -> tuple[Tensor, Tensor]:
    """All values (levels, B) of a discrete p(x|z), where an end is missing far beyond all draws (N, B), and the draws;
    those of a grid without ends may lie between its points.
    """
    step, origin = float(support.step or 0), _origin(support)  # pyright: ignore[reportArgumentType]
    numbers = (draws - origin) / step
    rounded = numbers.round()
    if math.isfinite(support.low):  # pyright: ignore[reportArgumentType]
        expect(close(numbers, rounded) and bool((numbers > -0.5).all()), "draws lie off the grid")
    lowest, highest = int(rounded.min()), int(rounded.max())
    first = 0 if math.isfinite(support.low) else 4 * lowest - 20  # pyright: ignore[reportArgumentType]
    levels = support.levels
    last = levels - 1 if levels is not None and highest < levels else 4 * highest + 20
    values = origin + step * torch.arange(first, last + 1).view(-1, 1)
    return values.expand(-1, draws.shape[1]), origin + step * rounded


def _origin(support: Support) -> float:
    """A point of the grid."""
    ends = [end for end in (support.low, support.high) if isinstance(end, float | int) and math.isfinite(end)]
    return [*ends, *support.spikes, 0.0][0]


def _check_enumeration(px: Distribution, support: Support) -> None:
    """What a distribution enumerates, where it does, is the grid that all elements share."""
    if not px.has_enumerate_support:
        return
    values, low = px.enumerate_support(False).flatten(), torch.as_tensor(support.low)
    expected = low + torch.as_tensor(support.step or 0) * torch.arange(support.levels or 0)
    expect(values.shape == expected.shape and close(values, expected), "enumerate_support is not the grid")


def _on_support(x: Tensor, support: Support) -> Tensor:
    low, high = torch.as_tensor(support.low), torch.as_tensor(support.high)
    if support.step is not None:
        step, origin = torch.as_tensor(support.step), torch.where(low.isfinite(), low, 0)
        x = torch.where(step > 0, ((x - origin) / step).round() * step + origin, x)
    return x.clamp(low, high)


def _score(family: Family, phi: Tensor, batch: Batch) -> Tensor:
    with isolated_rng(2):
        return masked_log_prob(family(phi.expand(2, *phi.shape)), family.dequantize(batch.x, 2, Noise()), batch.mask)
