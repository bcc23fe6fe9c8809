"""Contract tests for the nouns: what every member must do, checked on small shapes, for this package's and for yours.

Each function takes a member as its constructor leaves it, works on a copy, leaves torch's random state alone, and
raises AssertionError with a sentence where a promise is broken. Statistical checks have fixed seeds and bounds of five
standard errors.
"""

from __future__ import annotations

import copy
import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Size, Tensor
from torch.distributions import Distribution, constraints

from vaekit.core import (
    Batch,
    Conditional,
    Family,
    Latent,
    LatentModel,
    Objective,
    Posterior,
    Prior,
    Shapes,
    Support,
    masked_log_prob,
    terms,
)
from vaekit.distributions import MixedColumns
from vaekit.likelihoods import Gaussian
from vaekit.models import OneLayerVAE
from vaekit.networks import MLP, Network
from vaekit.noise import CommonNoise, Noise, isolated_rng
from vaekit.objectives import ELBO
from vaekit.posteriors import DiagonalNormal, VectorQuantized
from vaekit.priors import StandardNormal
from vaekit.training.schedules import Schedule
from vaekit.training.step import Step

DRAWS, BATCH, POINTS = 1000, 3, 100


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
    _check_configuration(family)
    phi = (0.5 * torch.randn(BATCH, *family.phi)).requires_grad_()
    draws = DRAWS if columns is None else DRAWS // 4
    px = family(phi.expand(draws, *phi.shape))
    x = px.sample()
    _expect(px.batch_shape == x.shape == (draws, BATCH, *event), "p(x|z) is not elementwise")
    _expect(family.embed(x[0]).shape == (BATCH, *family.embedded(Size(event))), "embed and embedded disagree")
    x = _on_support(x, support)
    learned = {"phi": phi, **dict(family.named_parameters())}
    gradients = _check_gradients(family(phi.expand(20, *phi.shape)).log_prob(x[:20]).mean(0).sum(), learned)
    reached = (gradients["phi"].reshape(*phi.shape[:2], -1) != 0).any(-1)
    _expect(bool(reached.all()), "log p(x|z) does not depend on all of phi")
    _check_hidden_cells(lambda batch: _score(family, phi, batch), x[0], [phi, *family.parameters()])
    _check_embed_hides(family, x[0])
    extreme = (60 * torch.randn(BATCH, *family.phi)).requires_grad_()
    _check_gradients(family(extreme[None]).log_prob(x[:1]).sum(), {"extreme phi": extreme}, reaches=False)
    if family.has_density:
        with torch.no_grad():
            px = family.eval()(phi.expand(draws, *phi.shape))
            _check_mass(family, px, columns or _elements(support, Size(event)), mean_tolerance)


@isolated_rng(0)
def check_posterior(family: Family) -> None:
    """A family of q(z|x), on two latent dimensions.

    ``push`` gives z and the same log q as ``log_prob``, which integrates to one and has the moments of the draws; the
    KL agrees with its estimate from the densities; gradients reach every parameter; sums over dimensions add up. A
    deterministic one gives one z; a discrete one gives codes of its book, each of which it finds again.
    """
    shapes = _shapes()
    family = copy.deepcopy(family).bind(shapes)
    _check_configuration(family)
    phi = (0.5 * torch.randn(BATCH, *family.phi)).requires_grad_()
    q, p = family(phi), StandardNormal().bind(shapes)()
    _expect(isinstance(q, Posterior), f"{type(q).__name__} is not a Posterior")
    latent = Latent.draw(q, p, DRAWS, Noise())
    z, log_q = q.push(torch.randn(2, BATCH, *q.noise))
    _expect(latent.z.shape == (DRAWS, BATCH, 2) and z.shape == (2, BATCH, 2), "push gives z of a wrong shape")
    _check_gradients(latent.z.square().sum() + latent.kl.sum(), {"phi": phi, **dict(family.named_parameters())})
    _expect(q.mean.shape == (BATCH, 2), "the mean is not (B, *latent)")
    _expect(all(isinstance(value, Tensor) for value in q.stats().values()), "stats are not tensors")
    _expect(not q.deterministic or bool((latent.z == q.mean).all()), "a deterministic posterior's draws differ")
    if family.discrete:
        _check_book(family, q, z)
    if family.discrete or not family.has_density:
        return
    with torch.no_grad():
        _expect(log_q is None or torch.allclose(log_q, q.log_prob(z), atol=1e-4), "push and log_prob disagree on log q")
        _check_plane(q.log_prob, latent.z)
        _check_average(latent.z - q.mean, "draws do not have the posterior's mean")
        _check_average(latent.log_q - latent.log_p - latent.kl, "the KL is not E_q[log q - log p]")
    _check_refusable(lambda: _expect(_close(q.log_prob_each(z).flatten(2).sum(-1), q.log_prob(z)), "log_prob_each"))
    _check_refusable(lambda: _expect(_close(q.kl_each(p).flatten(1).sum(-1), latent.kl[0]), "kl_each does not add up"))
    _check_refusable(lambda: _expect(not q.detached().log_prob(z.detach()).requires_grad, "detached has a gradient"))


@isolated_rng(0)
def check_prior(prior: Prior) -> None:
    """A prior p(z) over two latent dimensions, or over two codes of a book of three: its densities integrate, its
    masses sum to one, draws have its moments, gradients reach it; without a context, unless it needs one, and with one.
    """
    _check_configuration(prior)
    event = Size([2, 1, 2] if prior.discrete else [2])
    for context in (None, Size([3])):
        shapes = replace(_shapes(), latent=event, c=context)
        try:
            bound = copy.deepcopy(prior).bind(shapes)
        except ValueError:
            if context is None:  # it needs one
                continue
            raise
        encoder = Conditional(MLP(()), VectorQuantized(3) if prior.discrete else DiagonalNormal())
        encoder.bind_inputs([shapes.embedded, context], shapes)
        p = bound(None if context is None else torch.randn(BATCH, *context), encoder)
        _expect(p.batch_shape in ((), (BATCH,)[: context is not None]), "p(z) is not of batch shape () or (B,)")
        z = p.sample(Size([DRAWS]))
        _expect(z.shape == (DRAWS, *p.batch_shape, *event), "draws are not (n, *latent)")
        _expect(p.log_prob(z).shape == (DRAWS, *p.batch_shape), "log p is not (n,)")
        _expect(not z.requires_grad, "draws from the prior carry a gradient")
        if parameters := dict(bound.named_parameters()):
            _check_gradients(-p.log_prob(z).sum(), parameters)
        z = z if p.batch_shape else z.unsqueeze(1)
        with torch.no_grad():
            _check_codes(p.log_prob, z, encoder.family) if prior.discrete else _check_plane(p.log_prob, z)


@isolated_rng(0)
def check_objective(objective: Objective) -> None:
    """An objective: a finite number for each example throughout the training, a gradient for every parameter of the
    model and its own, and nothing learned from hidden cells.
    """
    shapes = Shapes(Size([4]), examples=100)
    objective = copy.deepcopy(objective).bind(shapes)
    _check_configuration(objective)
    _expect(type(objective.samples) is int and objective.samples >= 1, "samples is not a positive whole number")
    step = Step(_small_model().bind(shapes), objective)
    x = torch.randn(5, 4)
    for progress in (0.0, 0.5, 1.0):
        value = objective(*terms(step.model, Batch(x), objective.samples), torch.tensor(progress))
        _expect(value.shape == (5,) and bool(value.isfinite().all()), f"not one finite number a row at {progress=}")
    loss, metrics, _ = step(Batch(x), torch.tensor(1.0))
    _expect({"loss", "reconstruction", "kl"} <= metrics.keys(), "metrics lack the loss or one of its parts")
    _check_gradients(loss, dict(step.named_parameters()))
    _check_hidden_cells(lambda batch: _seeded_loss(step, batch), x, list(step.parameters()))


@isolated_rng(0)
def check_network(network: Network, inputs: Sequence[Sequence[int]], out: Sequence[int]) -> None:
    """A network from the given input sizes to ``out``: rows do not mix, every input and parameter counts, the same seed
    gives the same weights, and under bfloat16 autocast it computes nearly the same.
    """
    _check_configuration(network)
    sizes = [Size(size) for size in inputs]
    with isolated_rng(1):
        body = network.build(sizes, Size(out))
    with isolated_rng(1):
        _expect(_same(body.state_dict(), network.build(sizes, Size(out)).state_dict()), "a seed gives two networks")
    given = [torch.rand(4, *size, requires_grad=True) for size in sizes]
    result = body(*given)
    _expect(result.shape == (4, *out), f"the output has shape {tuple(result.shape)}, expected {(4, *out)}")
    alone = torch.cat([body(*[value[i : i + 1] for value in given]) for i in range(4)])
    _expect(torch.allclose(result, alone, atol=1e-4), "rows of a batch influence each other")
    named = {f"input {i}": value for i, value in enumerate(given)}
    _check_gradients(result.square().sum(), named | dict(body.named_parameters()))
    with torch.autocast("cpu", torch.bfloat16):
        half = body(*given).float()
    _expect(bool((half - result).norm() < 0.05 * result.norm()), "the result in bfloat16 is far from that in float32")


@isolated_rng(0)
def check_model(model: LatentModel, event: Sequence[int] = (4,), support: Support | None = None) -> None:
    """A model, not yet bound: shapes of everything it gives; noise that can be cut by rows; rows that do not mix;
    hidden cells without influence; a gradient for every parameter; weights that carry over to a second copy.
    """
    shapes = Shapes(Size(event), examples=100, support=support or Support())
    model, second = (copy.deepcopy(model).bind(shapes) for _ in range(2))
    _check_configuration(model)
    x = torch.rand(4, *event)
    trace, log_px = terms(model, Batch(x), 5)
    _expect(trace.px.batch_shape == (5, 4, *event) and log_px.shape == (5, 4), "p(x|z) does not cover (K, B, *event)")
    _expect(trace.kl().shape == trace.log_ratio().shape == (5, 4), "kl or log_ratio is not (K, B)")
    codes = model.encode(Batch(x))
    _expect(codes.dim() == 2 and len(codes) == 4, f"encode gives {tuple(codes.shape)}, not (B, D)")
    _expect(model.decode(model.sample(7)).batch_shape == (7, *event), "draws decode to another shape than (n, *event)")
    with torch.no_grad():
        whole, part = _seeded(model, Batch(x), Noise()), _seeded(model, Batch(x[1:3]), Noise(1, 4))
        _expect(_close(whole[..., 1:3], part), "noise cut by rows is not the whole batch's")
        common = [_seeded(model, Batch(rows), CommonNoise(5, 0)) for rows in (x, x[2:3])]
        _expect(_close(common[0][..., 2:3], common[1]), "a row's terms depend on the other rows")
        second.load_state_dict(model.state_dict())
        _expect(torch.equal(whole, _seeded(second, Batch(x), Noise())), "the state dict does not hold the whole model")
    step = Step(model, ELBO())
    _check_gradients(step(Batch(x), torch.tensor(1.0))[0], dict(model.named_parameters()))
    _check_hidden_cells(lambda batch: _seeded_loss(step, batch), x, list(model.parameters()))


def check_schedule(schedule: Schedule) -> None:
    """A schedule: factors in [0, 1], above 0 before the end, the same at every call."""
    _check_configuration(schedule)
    factors = [schedule(i / 200) for i in range(201)]
    _expect(all(0 < factor <= 1 for factor in factors[:-1]) and 0 <= factors[-1] <= 1, "a factor is outside [0, 1]")
    _expect(factors == [schedule(i / 200) for i in range(201)], "a factor changes between calls")


def check_round_trip(noun: str, member: Any) -> None:
    """A member of a noun: spelled as JSON and built again, it is of the same class with the same options."""
    import json

    from vaekit.recipes import build, spell

    spelled = json.loads(json.dumps(spell(noun, member)))
    again = build(noun, spelled)
    _expect(type(again) is type(member) and spell(noun, again) == spell(noun, member), f"{spelled} is another member")


def _expect(condition: bool, sentence: str) -> None:
    if not condition:
        raise AssertionError(sentence)


def _check_configuration(member: Any) -> None:
    missing = [name for name in inspect.signature(type(member)).parameters if not hasattr(member, name)]
    _expect(not missing, f"{type(member).__name__} does not keep its options {missing} under their names")


def _check_gradients(loss: Tensor, named: Mapping[str, Tensor], *, reaches: bool = True) -> dict[str, Tensor]:
    _expect(bool(loss.isfinite()), f"a value is {loss.item()}")
    found = torch.autograd.grad(loss, list(named.values()), retain_graph=True, allow_unused=True)
    gradients = {name: torch.zeros(()) if value is None else value for name, value in zip(named, found, strict=True)}
    for name, gradient in gradients.items():
        _expect(bool(gradient.isfinite().all()), f"the gradient of {name} is not finite")
        _expect(not reaches or bool(gradient.any()), f"no gradient reaches {name}")
    return gradients


def _check_hidden_cells(score: Callable[[Batch], Tensor], x: Tensor, parameters: Sequence[Tensor]) -> None:
    mask = torch.rand(x.shape) < 0.6
    mask.view(-1)[:2] = torch.tensor([True, False])
    results = []
    for hidden in (math.nan, 0.3):
        value = score(Batch(torch.where(mask, x, hidden), None, mask))
        results.append([value, *torch.autograd.grad(value.sum(), parameters, allow_unused=True)])
    for a, b in zip(*results, strict=True):
        _expect(a is b or torch.equal(a, b), "a hidden cell changes the bound or a gradient")


def _check_embed_hides(family: Family, x: Tensor) -> None:
    mask = torch.rand(x.shape) < 0.5
    a, b = (family.embed(torch.where(mask, x, hidden), mask) for hidden in (math.nan, 0.3))
    _expect(torch.equal(a, b), "embed lets hidden cells through")


def _check_mass(family: Family, px: Distribution, supports: Sequence[Support], mean_tolerance: float) -> None:
    """One element is varied at a time, so that families whose elements depend on earlier ones pass too. Categories have
    no mean; a spike among continuous values is a mass where p jumps there.
    """
    x = px.sample()
    _check_enumeration(px, supports[0])
    spread = (family.dequantize(x[0], 1, Noise()) != x[0]).flatten(0, -1 - len(family.event)).flatten(1).any(0)
    curve, slope = (value.flatten(2) for value in _curve(px, _without_spikes(x, supports)))
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
        mean, deviation = _moments(p, v[:, None])
        residuals.append((draws - mean) / deviation)
        shift = ((means[..., i] - mean) / deviation).mean(0).abs().max().item()
        _expect(
            shift <= mean_tolerance or support.categories > 0, f"the mean is off by {shift:.3f} standard deviations"
        )
    _check_average(torch.stack(residuals), "draws do not have the mean of log_prob")
    _check_average(torch.stack(residuals).square() - 1, "draws do not have the variance of log_prob")


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
        _expect(_close(numbers, rounded) and bool((numbers > -0.5).all()), "draws lie off the grid")
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
    _expect(values.shape == expected.shape and _close(values, expected), "enumerate_support is not the grid")


def _curve(px: Distribution, x: Tensor) -> tuple[Tensor, Tensor]:
    """Points (G, B, *event) over the values that p(x|z) is a density over, and their weights, for draws x."""
    if isinstance(px, MixedColumns):
        parts = [_curve(part, x[..., index]) for part, index in zip(px.parts, px.indices, strict=True)]
        values, weights = (torch.cat(list(each), -1)[..., px.order] for each in zip(*parts, strict=True))
        return values, weights
    ends = (getattr(_domain(px), name, end) for name, end in (("lower_bound", -math.inf), ("upper_bound", math.inf)))
    low, high = (torch.as_tensor(end, dtype=x.dtype).expand(x.shape[2:]) for end in ends)
    below, above = low.isfinite(), high.isfinite()
    lower, upper = (torch.where(end.isfinite(), end, 0) for end in (low, high))
    spread = torch.where(below ^ above, (x - torch.where(below, lower, upper)).abs().nanmedian(0).values, 1.0)
    points, weights = _line(_to_line(x, lower, upper, below, above, spread))
    share, both = points.sigmoid(), below & above
    inside = torch.where(both, (upper - lower) * share, spread * F.softplus(torch.where(below, points, -points)))
    values = torch.where(below, lower + inside, torch.where(above, upper - inside, points))
    slope = torch.where(both, inside * (1 - share), spread * torch.where(below, share, 1 - share))
    return values, weights * torch.where(below | above, slope, 1.0)


def _to_line(x: Tensor, lower: Tensor, upper: Tensor, below: Tensor, above: Tensor, spread: Tensor) -> Tensor:
    """Values ↦ the real line: by the logit between two ends, by the inverse of softplus where there is one."""
    tiny = 1e-30
    rest = torch.where(below, x - lower, upper - x).clamp(min=tiny) / spread
    half = torch.where(rest > 20, rest, torch.expm1(rest.clamp(max=20)).clamp(min=tiny).log())
    logit = (x - lower).clamp(min=tiny).log() - (upper - x).clamp(min=tiny).log()
    return torch.where(below & above, logit, torch.where(below, half, torch.where(above, -half, x)))


def _domain(px: Distribution) -> constraints.Constraint:
    """What a density is over: the real line unless it says otherwise."""
    try:
        return px.support or constraints.real
    except NotImplementedError:
        return constraints.real


def _check_plane(log_prob: Callable[[Tensor], Tensor], draws: Tensor) -> None:
    """A density over the plane, for draws (N, B, 2): it integrates to one and has their moments."""
    values, weights = _line(draws)
    grid = torch.stack(torch.broadcast_tensors(values[:, None, :, 0], values[None, ..., 1]), -1).flatten(0, 1)
    weight = (weights[:, None, :, 0] * weights[None, ..., 1]).flatten(0, 1)
    p = (log_prob(grid).double().exp() * weight).unsqueeze(-1)
    mean, deviation = _moments(p, grid)
    residuals = (draws - mean) / deviation
    product = ((grid - mean) / deviation).prod(-1, keepdim=True)
    _check_average(residuals, "draws do not have the mean of log_prob")
    _check_average(residuals.square() - 1, "draws do not have the variance of log_prob")
    correlation = (p * product).sum(0)
    _check_average(residuals.prod(-1, keepdim=True) - correlation, "draws do not have the correlation of log_prob")


def _check_book(family: Any, q: Any, z: Tensor) -> None:
    """Codes and their numbers are one to one, and q's mass sums to one over them."""
    numbers = torch.arange(len(family.book))
    codes = family.lookup(numbers)
    _expect(family.book.shape == (len(numbers), 2) and torch.equal(family.indices(codes), numbers), "a code is lost")
    _expect(torch.equal(family.lookup(family.indices(z)), z), "draws are not codes of the book")
    _moments(q.log_prob(codes.unsqueeze(1).expand(-1, BATCH, -1)).exp(), torch.zeros(len(numbers), 1))


def _check_codes(log_prob: Callable[[Tensor], Tensor], draws: Tensor, family: Any) -> None:
    """A mass over all pairs of a book's codes, for draws (N, B, D, 1, 2): it sums to one, and draws are as frequent."""
    codes = len(family.book)
    pairs = torch.cartesian_prod(*[torch.arange(codes)] * 2).view(-1, 1, 1, 2)
    mass = log_prob(family.lookup(pairs.expand(-1, draws.shape[1], -1, -1))).double().exp()
    _moments(mass.view(len(pairs), -1), torch.zeros(len(pairs), 1))
    first, second = family.indices(draws).flatten(2).unbind(-1)
    for pair, expected in zip(range(len(pairs)), mass.view(len(pairs), -1), strict=True):
        _check_average((first * codes + second == pair).double() - expected, "draws are not as frequent as their mass")


def _line(draws: Tensor) -> tuple[Tensor, Tensor]:
    """Points (G, ...) of the real line and their weights, for draws (N, ...): the midpoint rule over arctan x."""
    low, center, high = torch.nanquantile(draws, torch.tensor([0.25, 0.5, 0.75]), 0)
    width = (high - low).clamp(min=1e-6)
    angle = ((torch.arange(POINTS) + 0.5) / POINTS - 0.5).mul(math.pi).view(-1, *[1] * center.dim())
    return center + width * angle.tan(), width * angle.cos() ** -2 * math.pi / POINTS


def _moments(p: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation for probabilities p (G, ...) of values (G, ...), which must sum to one."""
    total = p.sum(0)
    worst = total.flatten()[(total - 1).abs().argmax()].item()
    _expect(abs(worst - 1) < 2e-3, f"probabilities sum to {worst:.4f}, not 1")
    mean = (p * values).sum(0)
    return mean, (p * (values - mean).square()).sum(0).sqrt()


def _check_average(values: Tensor, sentence: str) -> None:
    mean, error = values.double().mean().item(), values.double().std().item() / math.sqrt(values.numel())
    _expect(abs(mean) <= 5 * error + 1e-5, f"{sentence}: off by {mean:.4f} with a standard error of {error:.4f}")


def _check_refusable(check: Callable[[], None]) -> None:
    try:
        check()
    except (TypeError, NotImplementedError):  # refused by name
        return


def _on_support(x: Tensor, support: Support) -> Tensor:
    low, high = torch.as_tensor(support.low), torch.as_tensor(support.high)
    if support.step is not None:
        step, origin = torch.as_tensor(support.step), torch.where(low.isfinite(), low, 0)
        x = torch.where(step > 0, ((x - origin) / step).round() * step + origin, x)
    return x.clamp(low, high)


def _score(family: Family, phi: Tensor, batch: Batch) -> Tensor:
    with isolated_rng(2):
        return masked_log_prob(family(phi.expand(2, *phi.shape)), family.dequantize(batch.x, 2, Noise()), batch.mask)


def _seeded(model: LatentModel, batch: Batch, noise: Noise) -> Tensor:
    with isolated_rng(2):
        trace, log_px = terms(model, batch, 5, noise)
    return torch.stack([log_px, trace.log_ratio()])


def _seeded_loss(step: Step, batch: Batch) -> Tensor:
    with isolated_rng(2):
        return step(batch, torch.tensor(1.0))[0]


def _shapes() -> Shapes:
    return Shapes(Size([3]), latent=Size([2]), embedded=Size([3]), examples=100)


def _small_model() -> OneLayerVAE:
    encoder, decoder = Conditional(MLP((8,)), DiagonalNormal()), Conditional(MLP((8,)), Gaussian())
    return OneLayerVAE(encoder, decoder, StandardNormal(), latent=2)


def _same(a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def _close(a: Tensor, b: Tensor) -> bool:
    return torch.allclose(a, b, atol=1e-4)
