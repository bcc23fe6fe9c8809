"""Lossy compression: latents on grids, what they cost, what comes back, and the curves that compare it with others."""

from __future__ import annotations

import io
import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.stats import norm
from sklearn.datasets import load_digits

from vaekit.coding import Stack
from vaekit.container import Reader
from vaekit.core import Batch, LatentModel
from vaekit.data import Schema
from vaekit.distributions import DiagonalNormal, NormalMixture
from vaekit.evaluation.rate_distortion import peers, rate_distortion
from vaekit.noise import isolated_rng
from vaekit.plots.rate_distortion import rate_distortion as draw
from vaekit.recipes import Run, TrainRequest, build_model, codec, codec_files
from vaekit.tasks import reconstruct
from vaekit.tasks.lossy import decode_latents, encode_latents
from vaekit.tasks.step_code import StepCode

N = 4000
MODELS = {
    "normal": {"network": "mlp"},
    "phases": {"likelihood": "four-phase", "network": "residual"},
    "mixture prior": {"prior": {"name": "gaussian-mixture", "components": 3}},
    "ladder": {"model": {"name": "ladder", "levels": 2}, "network": "residual"},
    "autoencoder": {"posterior": "point-mass"},
    "codes": {"posterior": "vector-quantized", "prior": "uniform-codes", "latent_dim": [6, 2, 2]},
}


def pictures(n: int) -> np.ndarray:
    """The first of scikit-learn's digits, in 8 bits."""
    return (load_digits().images[:n] * 15.9).astype(np.uint8)


def model_of(options: dict, n: int = 700) -> tuple[LatentModel, torch.Tensor]:
    """Untrained, but started from the pictures, which are given in model units too."""
    common = {
        "data": "x.npy", "network": {"name": "mlp", "hidden": [16]}, "likelihood": "gaussian",
        "prior": "standard-normal", "posterior": "diagonal-normal", "latent_dim": 4,
    }  # fmt: skip
    x = pictures(n)
    schema = Schema.infer(x)
    model = build_model(TrainRequest.parse(common | options), schema, n)
    normalized = torch.from_numpy(schema.normalize(x))
    with isolated_rng(0):
        model.prepare(Batch(normalized))
    return model, normalized


@pytest.mark.parametrize("name", MODELS)
def test_what_comes_back_is_what_the_rounded_latents_decode_to(name):
    model, x = model_of(MODELS[name])
    data = encode_latents(model, x, 100)
    back = decode_latents(model, data, len(x))
    assert back.shape == x.shape
    again = decode_latents(model, encode_latents(model, x[:0], 50), 0)
    assert again.shape == (0, *x.shape[1:])
    assert float((back - reconstruct(model, x)).abs().mean()) < 0.05


def test_finer_steps_cost_more_and_lose_less():
    model, x = model_of({"model": {"name": "linear-gaussian", "noise": "shared"}, "latent_dim": 16})
    solving = model.solve(lambda: iter([Batch(x)]))
    assert solving is not None
    next(solving)
    sizes, errors = [], []
    for quality in (0, 25, 50, 75, 100):
        data = encode_latents(model, x, quality)
        sizes.append(len(data))
        errors.append(float((decode_latents(model, data, len(x)) - x).square().mean()))
    assert sizes == sorted(sizes)
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] == pytest.approx(float((reconstruct(model, x) - x).square().mean()), rel=0.05)


def test_a_normal_latent_costs_its_differential_entropy_less_the_logarithm_of_the_step():
    """At 2.05 - log2 step bits the squared error is step² / 12: what is known of uniform grids."""
    step, z = 0.1, torch.randn(N, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    code = StepCode(
        DiagonalNormal(torch.zeros(3), torch.zeros(3), 1), N, torch.full((3,), step).double(), torch.ones(3)
    )
    back, stack = code.nearest(SimpleNamespace(mean=z)), Stack()
    code.push_prior(stack)
    assert stack.bits / z.numel() == pytest.approx(0.5 * math.log2(2 * math.pi * math.e) - math.log2(step), rel=3e-3)
    assert float((back - z).square().mean()) == pytest.approx(step**2 / 12, rel=0.05)
    assert torch.equal(code.pop_prior(stack), back)


def test_under_a_mixture_a_latent_costs_the_mass_of_its_cell():
    generator = torch.Generator().manual_seed(1)
    loc, log_var = 2 * torch.randn(5, 3, generator=generator), torch.randn(5, 3, generator=generator) - 1
    p = NormalMixture(torch.randn(5, generator=generator), loc, log_var, 1)
    step, spread = torch.tensor([0.3, 0.7, 1.5]).double(), torch.tensor([1.0, 0.8, 1.0]).double()
    with isolated_rng(2):
        z = p.sample(torch.Size([N]))
    code = StepCode(p, N, step, spread)
    back, stack = code.nearest(SimpleNamespace(mean=z)), Stack()
    code.push_prior(stack)
    center, at = p.mean.double(), back.double()
    means, deviations = center + spread * (loc - center), spread * (0.5 * log_var).exp()
    edges = [(at + sign * step / 2).unsqueeze(1) for sign in (-1, 1)]
    low, high = (norm.cdf(((edge - means) / deviations).numpy()) for edge in edges)
    information = -np.log2((high - low).prod(-1) @ p.logits.exp().double().numpy()).sum()
    assert stack.bits == pytest.approx(information, rel=1e-3)
    assert float((back - z).abs().max(0).values.double().sub(step / 2).max()) < 1e-5
    assert torch.equal(code.pop_prior(stack), back)


def test_values_far_outside_of_what_is_known_come_back_as_something():
    model, x = model_of(MODELS["normal"])
    far = torch.cat([x[:3] * 1e4, -x[:3], torch.zeros_like(x[:1])])
    for quality in (0, 100):
        assert decode_latents(model, encode_latents(model, far, quality), len(far)).isfinite().all()


def test_damaged_codes_are_refused():
    model, x = model_of(MODELS["mixture prior"])
    data = encode_latents(model, x, 60)
    rng = np.random.default_rng(0)
    for _ in range(40):
        wrong = bytearray(data)
        wrong[rng.integers(len(data))] ^= 1 << int(rng.integers(8))
        with pytest.raises(ValueError, match=r"damaged|bytes|range"):
            decode_latents(model, bytes(wrong), len(x))
    for wrong in (b"", data[:3], data[:-4], data + b"\1\0\0\0", rng.bytes(400)):
        with pytest.raises(ValueError, match=r"damaged|bytes|range"):
            decode_latents(model, wrong, len(x))


def test_what_has_no_lossy_code_is_refused_with_what_to_do():
    model, x = model_of(MODELS["normal"])
    with pytest.raises(ValueError, match="0 \\(smallest\\) to 100"):
        encode_latents(model, x, 101)
    with pytest.raises(TypeError, match="gaussian-mixture"):
        encode_latents(*model_of({"prior": "flow"}), 50)
    rows = Schema.infer(np.random.default_rng(0).normal(size=(9, 3)))
    request = TrainRequest.parse({"data": "x.npy", "network": "mlp", "likelihood": "gaussian", "latent_dim": 2,
                                  "prior": "standard-normal", "posterior": "diagonal-normal"})  # fmt: skip
    with pytest.raises(TypeError, match="for pictures"):
        encode_latents(build_model(request, rows, 9), torch.zeros(9, 3), 50)


@pytest.mark.parametrize("channels", [1, 3])
def test_peers_code_all_pictures_on_one_sheet(channels):
    x = np.random.default_rng(0).integers(0, 256, (7, 16, 24, 1), dtype=np.uint8).repeat(channels, -1)
    found = peers()
    assert {"JPEG", "WebP"} <= set(found)
    for name in ("JPEG", "WebP"):
        poor, good = rate_distortion(x, found[name], [95, 5])
        assert poor.quality == 5
        assert poor.size < good.size
        assert poor.psnr < good.psnr
        assert poor.ssim < good.ssim


def test_measures_agree_with_scikit_image():
    from skimage.metrics import peak_signal_noise_ratio, structural_similarity

    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    blurred = np.stack([np.asarray(Image.fromarray(each).resize((8, 8)).resize((32, 32))) for each in x])
    (point,) = rate_distortion(x, lambda _, quality: (100, blurred), [1])
    settings = {"gaussian_weights": True, "use_sample_covariance": False, "channel_axis": 2, "data_range": 255}
    assert point.size == 50
    assert point.psnr == pytest.approx(peak_signal_noise_ratio(x, blurred), rel=1e-9)
    expected = np.mean([structural_similarity(*pair, **settings) for pair in zip(x, blurred, strict=True)])
    assert point.ssim == pytest.approx(expected, abs=0.02)  # which also averages over windows at the border
    (same,) = rate_distortion(x, lambda _, quality: (100, x), [1])
    assert same.psnr == math.inf


def test_curves_are_drawn_with_their_pictures():
    curves = {"ours": [(5, 20, 0.7), (9, 22, 0.8)], "JPEG": [(20, 19, 0.6), (4000, 40, 1)]}
    tiles = np.random.default_rng(0).random((4, 8, 8))
    figure = draw(curves, {"original": tiles, "ours, 5 bytes": tiles}, title="digits")
    assert [ax.get_ylabel() for ax in figure.axes[:2]] == ["PSNR, dB", "SSIM"]
    drawn = {line.get_label(): line.get_xdata() for line in figure.axes[0].lines}
    assert list(drawn["ours"]) == [5, 9]
    assert list(drawn["JPEG"]) == [20]  # the rest is far away from ours
    assert [text.get_text() for text in figure.axes[2].get_yticklabels()] == ["original", "ours, 5 bytes"]
    with pytest.raises(ValueError, match="points of shape"):
        draw({"ours": [1, 2]})


def test_a_lossy_file_comes_back_as_pictures_of_the_same_kind(tmp_path):
    model, x = model_of(MODELS["mixture prior"], 300)
    raw = pictures(300)
    run = Run(TrainRequest.parse({"data": "x.npy"}), Schema.infer(raw), model)
    np.save(tmp_path / "x.npy", raw)
    stream = io.BytesIO()
    found = codec.compress(run, codec_files.open_source(run, tmp_path / "x.npy"), stream, quality=70)
    assert found.coded == 300
    assert found.size < 300 * 4 + 1000
    restored = codec.decompress(run, Reader(stream.getvalue()))
    (tmp_path / "back.npy").write_bytes(codec_files.file_bytes(restored))
    back = np.load(tmp_path / "back.npy")
    wanted = Schema.infer(raw).restore(decode_latents(model, encode_latents(model, x, 70), 300).clamp(0, 1))
    assert back.dtype == raw.dtype
    assert np.array_equal(back, wanted)
    some = codec.decompress(run, Reader(stream.getvalue()), slice(7, 9))
    assert np.array_equal(codec_files.array(some), wanted[7:9])
    with pytest.raises(ValueError, match="0 \\(smallest\\) to 100"):
        codec.compress(run, codec_files.of_array(run, raw), io.BytesIO(), quality=-1)
