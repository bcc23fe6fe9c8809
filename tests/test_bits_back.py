"""Bits-back coding: what comes back, and at what cost."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vaekit.core import Batch, LatentModel, terms
from vaekit.data import Schema
from vaekit.distributions.coded import Grid
from vaekit.noise import isolated_rng
from vaekit.recipes import TrainRequest, build_model
from vaekit.tasks.bits_back import decode_examples, encode_examples

GRID = Grid(torch.tensor(0.0, dtype=torch.float64), torch.tensor(1 / 255, dtype=torch.float64), torch.tensor(256))
MODELS = {
    "normal": {},
    "four phases": {"likelihood": "four-phase", "network": "residual"},
    "odd phases, colour": {"likelihood": {"name": "four-phase", "channels": 4}},
    "logistic": {"likelihood": "discretized-logistic"},
    "categories": {"likelihood": "categorical"},
    "mixture prior": {"prior": {"name": "gaussian-mixture", "components": 3}},
    "autoregressive": {"prior": {"name": "autoregressive", "components": 3, "hidden": [8]}},
    "autoregressive normals": {"prior": {"name": "autoregressive", "components": 1, "hidden": [8]}},
    "vamp": {"prior": {"name": "vamp", "components": 3}},
    "ladder": {"model": {"name": "ladder", "levels": 2}, "network": "residual"},
    "codes": {"posterior": "vector-quantized", "prior": "uniform-codes", "latent_dim": [6, 2, 2]},
    "transformer": {
        "posterior": "finite-scalar-quantized",
        "prior": {"name": "code-transformer", "layers": 1, "width": 8},
        "latent_dim": [3, 2, 2],
    },
}


def pictures(n: int, *shape: int, seed: int = 0) -> np.ndarray:
    """Random 8-bit pictures, dark in part."""
    x = np.random.default_rng(seed).integers(-100, 256, (n, *shape)).clip(0)
    return x.astype(np.uint8)


def model_of(options: dict, x: np.ndarray) -> LatentModel:
    """Untrained, but started from the pictures."""
    common = {
        "data": "x.npy",
        "likelihood": {"name": "logistic-mixture", "components": 12},
        "network": {"name": "mlp", "hidden": [16]},
        "prior": "standard-normal",
        "posterior": "diagonal-normal",
        "latent_dim": 4,
    }
    schema = Schema.infer(x)
    model = build_model(TrainRequest.parse(common | options), schema, len(x))
    with isolated_rng(0):
        model.prepare(Batch(torch.from_numpy(schema.normalize(x))))
    return model


def symbols_of(x: np.ndarray) -> torch.Tensor:
    """(N, C, H, W)."""
    return torch.from_numpy(Schema.infer(x).arrange(x).astype(np.int64))


@pytest.mark.parametrize("name", MODELS)
def test_what_was_encoded_comes_back(name):
    x = pictures(9, *((7, 5, 3) if "colour" in name else (8, 8)))
    model, symbols = model_of(MODELS[name], x), symbols_of(x)
    code = encode_examples(model, symbols, GRID)
    assert code.parts[0] == (1, True)
    assert torch.equal(decode_examples(model, code, GRID), symbols)


@pytest.mark.parametrize("n", [0, 1, 2, 300])
def test_any_number_of_examples(n):
    x = pictures(400, 4, 4)
    model, symbols = model_of({}, x), symbols_of(x)[:n]
    code = encode_examples(model, symbols, GRID)
    assert torch.equal(decode_examples(model, code, GRID), symbols)


@pytest.mark.parametrize("name", ["normal", "mixture prior", "autoregressive", "vamp", "ladder"])
def test_the_size_is_the_evidence_bound(name):
    x = pictures(1500, 8, 8)
    model, symbols = model_of(MODELS[name], x), symbols_of(x)
    size = 8 * len(encode_examples(model, symbols, GRID).data)
    with torch.no_grad(), isolated_rng(0):
        trace, log_px = terms(model.eval(), Batch(GRID.values(symbols)), 4)
    bound = -float((log_px + trace.log_ratio()).mean(0).sum().detach()) / np.log(2)
    assert size == pytest.approx(bound, rel=5e-3)


def test_an_exact_posterior_costs_the_evidence_alone():
    """The decoder of this model does not look at z, so that its prior is the posterior."""
    x = pictures(600, 4, 4)
    model, symbols = model_of({"network": {"name": "mlp", "hidden": []}}, x), symbols_of(x)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() == 2 or name.startswith("encoder"):
                weight.zero_()
    with torch.no_grad():
        trace, log_px = terms(model.eval(), Batch(GRID.values(symbols)), 1)
    assert float(trace.kl().abs().max()) == 0
    information = -float(log_px.sum()) / np.log(2)
    start = 4 * 5  # bits of the first example's latents
    assert 8 * len(encode_examples(model, symbols, GRID).data) == pytest.approx(information + start, abs=64)


def test_hidden_elements_are_left_out():
    x = pictures(40, 6, 6)
    model, symbols = model_of(MODELS["four phases"] | {"network": {"name": "mlp", "hidden": [8]}}, x), symbols_of(x)
    mask = torch.rand(symbols.shape, generator=torch.Generator().manual_seed(0)) > 0.4
    code = encode_examples(model, symbols, GRID, mask)
    assert torch.equal(decode_examples(model, code, GRID, mask), torch.where(mask, symbols, 0))
    assert len(code.data) < 0.75 * len(encode_examples(model, symbols, GRID).data)


def test_the_code_of_another_model_is_refused():
    x = pictures(60, 4, 4)
    code = encode_examples(model_of({}, x), symbols_of(x), GRID)
    other = model_of({"seed": 1}, x)
    try:
        found = decode_examples(other, code, GRID)
    except ValueError:
        return
    assert not torch.equal(found, symbols_of(x))


def test_priors_and_likelihoods_without_masses_are_refused_with_what_to_do():
    x = pictures(20, 4, 4)
    with pytest.raises(TypeError, match="gaussian-mixture"):
        encode_examples(model_of({"prior": "flow"}, x), symbols_of(x), GRID)


def test_batches_grow_as_far_as_the_bits_suffice():
    x = pictures(1000, 8, 8)
    sizes, plain = zip(*encode_examples(model_of({}, x), symbols_of(x), GRID).parts, strict=True)
    assert sizes[:6] == (1, 1, 2, 4, 8, 16)
    assert sum(sizes) == 1000
    assert max(sizes) == 128
    assert plain.index(False) == sum(plain) <= 2


def test_the_start_costs_little_where_posteriors_take_more_than_an_example_adds():
    x = pictures(400, 4, 4)
    model, symbols = model_of({"latent_dim": 64}, x), symbols_of(x)
    code = encode_examples(model, symbols, GRID)
    assert torch.equal(decode_examples(model, code, GRID), symbols)
    assert sum(part.plain for part in code.parts) < 20
    with torch.no_grad(), isolated_rng(0):
        trace, log_px = terms(model.eval(), Batch(GRID.values(symbols)), 4)
    bound = -float((log_px + trace.log_ratio()).mean(0).sum()) / np.log(2)
    assert 8 * len(code.data) == pytest.approx(bound, rel=0.05)
