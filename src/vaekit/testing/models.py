"""The contracts of models, objectives, networks and schedules, and of members spelled as JSON."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Size, Tensor

from vaekit.core import Batch, Conditional, LatentModel, Objective, Shapes, Support, terms
from vaekit.likelihoods import Gaussian
from vaekit.models import OneLayerVAE
from vaekit.networks import MLP, Network
from vaekit.noise import CommonNoise, Noise, isolated_rng
from vaekit.objectives import ELBO
from vaekit.posteriors import DiagonalNormal
from vaekit.priors import StandardNormal
from vaekit.training.schedules import Schedule
from vaekit.training.step import Step

from .checks import check_configuration, check_gradients, check_hidden_cells, close, expect, seeded_loss


@isolated_rng(0)
def check_objective(objective: Objective) -> None:
    """An objective: a finite number for each example throughout the training, a gradient for every parameter of the
    model and its own, and nothing learned from hidden cells.
    """
    shapes = Shapes(Size([4]), examples=100)
    objective = copy.deepcopy(objective).bind(shapes)
    check_configuration(objective)
    expect(type(objective.samples) is int and objective.samples >= 1, "samples is not a positive whole number")
    step = Step(_small_model().bind(shapes), objective)
    x = torch.randn(5, 4)
    for progress in (0.0, 0.5, 1.0):
        value = objective(*terms(step.model, Batch(x), objective.samples), torch.tensor(progress))
        expect(value.shape == (5,) and bool(value.isfinite().all()), f"not one finite number a row at {progress=}")
    loss, metrics, _ = step(Batch(x), torch.tensor(1.0))
    expect({"loss", "reconstruction", "kl"} <= metrics.keys(), "metrics lack the loss or one of its parts")
    check_gradients(loss, dict(step.named_parameters()))
    check_hidden_cells(lambda batch: seeded_loss(step, batch), x, list(step.parameters()))


@isolated_rng(0)
def check_network(network: Network, inputs: Sequence[Sequence[int]], out: Sequence[int]) -> None:
    """A network from the given input sizes to ``out``: rows do not mix, every input and parameter counts, the same seed
    gives the same weights, and under bfloat16 autocast it computes nearly the same.
    """
    check_configuration(network)
    sizes = [Size(size) for size in inputs]
    with isolated_rng(1):
        body = network.build(sizes, Size(out))
    with isolated_rng(1):
        expect(_same(body.state_dict(), network.build(sizes, Size(out)).state_dict()), "a seed gives two networks")
    given = [torch.rand(4, *size, requires_grad=True) for size in sizes]
    result = body(*given)
    expect(result.shape == (4, *out), f"the output has shape {tuple(result.shape)}, expected {(4, *out)}")
    alone = torch.cat([body(*[value[i : i + 1] for value in given]) for i in range(4)])
    expect(torch.allclose(result, alone, atol=1e-4), "rows of a batch influence each other")
    named = {f"input {i}": value for i, value in enumerate(given)}
    check_gradients(result.square().sum(), named | dict(body.named_parameters()))
    with torch.autocast("cpu", torch.bfloat16):
        half = body(*given).float()
    expect(bool((half - result).norm() < 0.05 * result.norm()), "the result in bfloat16 is far from that in float32")


@isolated_rng(0)
def check_model(model: LatentModel, event: Sequence[int] = (4,), support: Support | None = None) -> None:
    """A model, not yet bound: shapes of everything it gives; noise that can be cut by rows; rows that do not mix;
    hidden cells without influence; a gradient for every parameter; weights that carry over to a second copy.
    """
    shapes = Shapes(Size(event), examples=100, support=support or Support())
    model, second = (copy.deepcopy(model).bind(shapes) for _ in range(2))
    check_configuration(model)
    x = torch.rand(4, *event)
    trace, log_px = terms(model, Batch(x), 5)
    expect(trace.px.batch_shape == (5, 4, *event) and log_px.shape == (5, 4), "p(x|z) does not cover (K, B, *event)")
    expect(trace.kl().shape == trace.log_ratio().shape == (5, 4), "kl or log_ratio is not (K, B)")
    codes = model.encode(Batch(x))
    expect(codes.dim() == 2 and len(codes) == 4, f"encode gives {tuple(codes.shape)}, not (B, D)")
    expect(model.decode(model.sample(7)).batch_shape == (7, *event), "draws decode to another shape than (n, *event)")
    with torch.no_grad():
        whole, part = _seeded(model, Batch(x), Noise()), _seeded(model, Batch(x[1:3]), Noise(1, 4))
        expect(close(whole[..., 1:3], part), "noise cut by rows is not the whole batch's")
        common = [_seeded(model, Batch(rows), CommonNoise(5, 0)) for rows in (x, x[2:3])]
        expect(close(common[0][..., 2:3], common[1]), "a row's terms depend on the other rows")
        second.load_state_dict(model.state_dict())
        expect(torch.equal(whole, _seeded(second, Batch(x), Noise())), "the state dict does not hold the whole model")
    step = Step(model, ELBO())
    check_gradients(step(Batch(x), torch.tensor(1.0))[0], dict(model.named_parameters()))
    check_hidden_cells(lambda batch: seeded_loss(step, batch), x, list(model.parameters()))


def check_schedule(schedule: Schedule) -> None:
    """A schedule: factors in [0, 1], above 0 before the end, the same at every call."""
    check_configuration(schedule)
    factors = [schedule(i / 200) for i in range(201)]
    expect(all(0 < factor <= 1 for factor in factors[:-1]) and 0 <= factors[-1] <= 1, "a factor is outside [0, 1]")
    expect(factors == [schedule(i / 200) for i in range(201)], "a factor changes between calls")


def check_round_trip(noun: str, member: Any) -> None:
    """A member of a noun: spelled as JSON and built again, it is of the same class with the same options."""
    import json

    from vaekit.recipes import build, spell

    spelled = json.loads(json.dumps(spell(noun, member)))
    again = build(noun, spelled)
    expect(type(again) is type(member) and spell(noun, again) == spell(noun, member), f"{spelled} is another member")


def _seeded(model: LatentModel, batch: Batch, noise: Noise) -> Tensor:
    with isolated_rng(2):
        trace, log_px = terms(model, batch, 5, noise)
    return torch.stack([log_px, trace.log_ratio()])


def _small_model() -> OneLayerVAE:
    encoder, decoder = Conditional(MLP((8,)), DiagonalNormal()), Conditional(MLP((8,)), Gaussian())
    return OneLayerVAE(encoder, decoder, StandardNormal(), latent=2)


def _same(a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)
