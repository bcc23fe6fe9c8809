"""Gated and residual networks, and convolutional ones between maps: formulas written out, sizes, what reaches what."""

import itertools
import math

import pytest
import torch
import torch.nn.functional as F
from torch import Size, nn

from vaekit.networks import MLP, Convolutional, GatedMLP, Residual, convolutional
from vaekit.networks.base import halved, halvings
from vaekit.noise import isolated_rng

SIZES = [(28, 28), (7, 5), (1, 1), (1, 6), (2, 3)]


def build(network, inputs, out) -> nn.Module:
    with isolated_rng(0):
        body = network.build([Size(size) for size in inputs], Size(out)).double()
        for parameter in body.parameters():  # biases start at zero, where a mistake would not show
            parameter.data += 0.1 * torch.randn_like(parameter)
    return body


def parameters(body: nn.Module) -> int:
    return sum(parameter.numel() for parameter in body.parameters())


def test_gated_mlp_is_its_formula():
    body = build(GatedMLP([5, 4]), [(2, 3), (1,)], (2, 6))
    a, c = torch.rand(3, 2, 3, dtype=torch.float64), torch.rand(3, 1, dtype=torch.float64)
    h = torch.cat([a.flatten(1), c], 1)
    for layer in body.layers:
        (w1, w2), (b1, b2) = layer.product.weight.chunk(2), layer.product.bias.chunk(2)
        h = (h @ w1.T + b1) * torch.sigmoid(h @ w2.T + b2)
    assert torch.allclose(body(a, c), (h @ body.head.weight.T + body.head.bias).view(3, 2, 6))


def test_gated_mlp_has_the_size_of_the_vamp_prior_paper():
    assert parameters(build(GatedMLP(), [(784,)], (2, 40))) == 2 * (784 + 1) * 300 + 2 * 301 * 300 + 301 * 80


def test_gated_weights_are_he_normal():
    with isolated_rng(0):
        layer = GatedMLP([400]).build([Size([300])], Size([10])).layers[0].product
    assert layer.weight.var().item() == pytest.approx(2 / 300, rel=0.02)
    assert not layer.bias.any()


@pytest.mark.parametrize("network", [MLP([7]), GatedMLP([7])])
def test_fully_connected_networks_flatten_maps(network):
    z, c = torch.rand(3, 4, 2, 2, dtype=torch.float64), torch.rand(3, 5, dtype=torch.float64)
    maps = build(network, [(4, 2, 2), (5,)], (2, 1, 4, 4))
    flat = build(network, [(21,)], (32,))
    assert torch.equal(maps(z, c).flatten(1), flat(torch.cat([z.flatten(1), c], 1)))


def test_halvings_are_counted_with_rounding_up():
    assert [tuple(size) for size in halved((28, 5), 4)] == [(28, 5), (14, 3), (7, 2), (4, 1), (2, 1)]
    for size, times in itertools.product([(28, 28), (33, 31), (5, 7)], range(4)):
        assert halvings(size, halved(size, times)[-1]) == times
    assert halvings((1, 1), (1, 1)) == 0
    with pytest.raises(ValueError, match="28×28, 14×14, 7×7, 4×4, 2×2, 1×1"):
        halvings((28, 28), (6, 6))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("times", [0, 1, 2, 3])
def test_residual_goes_from_any_size_to_its_halves_and_back(size, times):
    network = Residual([3, 2], [1], 4)
    coarse = halved(size, times)[-1]
    assert build(network, [(2, *size)], (2, 5, *coarse))(torch.rand(3, 2, *size).double()).shape == (3, 2, 5, *coarse)
    assert build(network, [(5, *coarse)], (2, 1, *size))(torch.rand(3, 5, *coarse).double()).shape == (3, 2, 1, *size)


@pytest.mark.parametrize("size", SIZES)
def test_residual_between_images_and_vectors_of_any_size(size):
    assert build(Residual(), [(3, *size)], (2, 5))(torch.rand(2, 3, *size).double()).shape == (2, 2, 5)
    assert build(Residual(), [(5,)], (2, 3, *size))(torch.rand(2, 5).double()).shape == (2, 2, 3, *size)


def test_a_residual_block_is_its_formula():
    body = build(Residual([6], [1]), [(6, 4, 4)], (1, 2, 4, 4))
    (block,), x = body.levels, torch.randn(2, 6, 4, 4, dtype=torch.float64)
    inner = F.conv2d(x, block.reduce.weight, block.reduce.bias)
    for layer in block.mix:
        inner = F.conv2d(F.silu(inner), layer.weight, layer.bias, padding=1)
    branch = F.conv2d(F.silu(inner), block.expand.weight, block.expand.bias)
    assert inner.shape == (2, 3, 4, 4)
    assert torch.allclose(block(x), x + branch)


def test_depth_does_not_raise_the_signal():
    powers = []
    for depth in (1, 32):
        with isolated_rng(0):
            body = Residual([64], [depth]).build([Size([64, 8, 8])], Size([1, 1, 8, 8]))
            x = torch.randn(8, 64, 8, 8)
        powers.append((body.levels(x).var() / x.var()).item())
    assert all(1 < power < 1.5 for power in powers)


def test_levels_have_their_channels_and_blocks():
    encoder = build(Residual([3, 4], [1, 2], 0), [(1, 28, 28)], (2, 3, 4, 4))
    names = [type(layer).__name__.lstrip("_") for layer in encoder.levels]
    assert names == ["Block", "Resize", "Block", "Block", "Resize", "Block", "Block"]  # the last level is repeated
    assert [layer.expand.out_channels for layer in encoder.levels if hasattr(layer, "expand")] == [3, 4, 4, 4, 4]
    decoder = build(Residual([3, 4], [1, 2], 0), [(3,)], (2, 1, 28, 28))
    assert [layer.expand.out_channels for layer in decoder.levels if hasattr(layer, "expand")] == [4, 4, 3]
    assert decoder.entry.layer.out_features == 4 * 7 * 7


def test_a_vector_beside_maps_acts_as_constant_maps_would():
    """The affine map of the vector is a convolution's response to constant maps, away from the padding of the edge."""
    body = build(Residual([6], [0]), [(2, 9, 9), (3,)], (1, 1, 9, 9))
    x, c = torch.randn(2, 2, 9, 9, dtype=torch.float64), torch.randn(2, 3, dtype=torch.float64)
    weight = torch.zeros(6, 3, 3, 3, dtype=torch.float64)
    weight[:, :, 1, 1] = body.entry.shift.weight
    whole = torch.cat([body.entry.layer.weight, weight], 1)
    constant = c[..., None, None].expand(-1, -1, 9, 9)
    expected = F.conv2d(torch.cat([x, constant], 1), whole, body.entry.layer.bias, padding=1)
    assert torch.allclose(body.entry(x, c), expected)


def test_every_input_pixel_reaches_a_residual_network_and_every_output_pixel_is_its_own():
    body = build(Residual([4], [1]), [(1, 5, 7)], (1, 2))
    x = torch.randn(1, 1, 5, 7, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.grad(body(x).sum(), x)[0].all()
    image = build(Residual([4], [1]), [(3,)], (1, 1, 5, 7))(torch.randn(1, 3).double())
    assert len(image.unique()) == 35


@pytest.mark.parametrize("size", [(28, 28), (7, 5), (6, 1)])
@pytest.mark.parametrize("times", [1, 2])
def test_convolutional_between_maps_equals_torch_convolutions(monkeypatch, times, size):
    network, coarse = Convolutional([3, 4]), halved(size, times)[-1]
    down = build(network, [(1, *size), (2,)], (2, 5, *coarse))
    up = build(network, [(5, *coarse), (2,)], (2, 1, *size))
    x, z, c = (torch.randn(3, *s, dtype=torch.float64) for s in ((1, *size), (5, *coarse), (2,)))
    results = []
    for products in (True, False):
        monkeypatch.setattr(convolutional, "_as_products", lambda _, products=products: products)
        results.append((down(x, c), up(z, c)))
    for fast, reference in zip(*results, strict=True):
        assert torch.allclose(fast, reference)
    assert results[0][0].shape == (3, 2, 5, *coarse)
    assert results[0][1].shape == (3, 2, 1, *size)


def test_convolutional_reads_each_latent_off_its_own_place():
    """A changed pixel changes the latents of its neighbourhood only, and a changed latent its part of the image."""
    down = build(Convolutional([3, 4]), [(1, 28, 28)], (1, 2, 7, 7))
    x = torch.rand(1, 1, 28, 28, dtype=torch.float64, requires_grad=True)
    reach = torch.autograd.grad(down(x)[0, 0, :, 0, 0].sum(), x)[0].abs()
    assert reach[..., :7, :7].any()
    assert not reach[..., 7:, :].any()
    up = build(Convolutional([3, 4]), [(2, 7, 7)], (1, 1, 28, 28))
    z = torch.rand(1, 2, 7, 7, dtype=torch.float64, requires_grad=True)
    reach = torch.autograd.grad(up(z)[0, 0, 0, 0, 0], z)[0].abs()
    assert reach[..., 0, 0].any()
    assert not reach[..., 2:, 2:].any()


@pytest.mark.parametrize(
    ("network", "inputs", "out", "sentence"),
    [
        (Convolutional([4]), [(1, 28, 28)], (2, 8, 7, 7), "use network 'residual'"),
        (Convolutional([4]), [(8, 7, 7)], (2, 1, 28, 28), "use network 'residual'"),
        (Convolutional([4]), [(1, 28, 28)], (2, 8, 6, 6), "use one of 28×28, 14×14"),
        (Residual(), [(1, 28, 28)], (2, 8, 6, 6), "use one of 28×28, 14×14"),
        (Residual(), [(1, 8, 8), (1, 4, 4)], (2, 3), "one size"),
        (Residual(), [(5,)], (2, 3), "use network 'mlp'"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(network, inputs, out, sentence):
    with pytest.raises(ValueError, match=sentence):
        network.build([Size(size) for size in inputs], Size(out))


@pytest.mark.parametrize(
    "options", [{"channels": []}, {"channels": [4, 0]}, {"blocks": []}, {"blocks": [-1]}, {"dense": -1}]
)
def test_residual_refuses_empty_layers(options):
    with pytest.raises(ValueError, match="Residual needs"):
        Residual(**options)


def test_gated_mlp_refuses_empty_layers():
    with pytest.raises(ValueError, match="at least 1"):
        GatedMLP([4, 0])


def test_residual_weights_have_variance_one_over_fan_in():
    with isolated_rng(0):
        body = Residual([64], [4]).build([Size([64, 8, 8])], Size([1, 1, 8, 8]))
    block = body.levels[0]
    assert block.mix[0].weight.std().item() == pytest.approx(1 / math.sqrt(9 * 32), rel=0.05)
    assert block.expand.weight.std().item() == pytest.approx(1 / math.sqrt(4 * 32), rel=0.05)
