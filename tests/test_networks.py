"""Networks: the fast path against torch's own convolutions, padding as Keras defines it, sizes, refusals."""

import math
from itertools import product

import pytest
import torch
import torch.nn.functional as F
from torch import Size, nn

from vaekit.networks import MLP, Convolutional, convolutional, strided
from vaekit.noise import isolated_rng

SIZES = [(28, 28), (27, 27), (7, 5), (1, 1), (33, 31), (2, 3)]
CASES = [
    (size, channels, layers)
    for (size, channels), layers in zip(product(SIZES, (1, 3)), [(3,), (3, 4), (2, 3, 4)] * 4, strict=True)
]


def both_paths(monkeypatch, network: nn.Module, *inputs: torch.Tensor) -> list[tuple[torch.Tensor, ...]]:
    """The output and all gradients, through matrix products and through torch's convolutions."""
    results = []
    for products in (True, False):
        monkeypatch.setattr(convolutional, "_as_products", lambda x, products=products: products)
        given = [value.detach().clone().requires_grad_() for value in inputs]
        out = network(*given)
        weights = torch.linspace(-1, 1, out.numel(), dtype=out.dtype).sin().view_as(out)
        results.append((out, *torch.autograd.grad((out * weights).sum(), [*given, *network.parameters()])))
    return results


def build(network, inputs, out, dtype=torch.float64) -> nn.Module:
    with isolated_rng(0):
        body = network.build([Size(size) for size in inputs], Size(out))
        for parameter in body.parameters():  # biases start at zero, where a mistake would not show
            parameter.data += 0.1 * torch.randn_like(parameter)
    return body.to(dtype)


def assert_same(results, tolerance):
    for fast, reference in zip(*results, strict=True):
        assert fast.shape == reference.shape
        assert (fast - reference).abs().max() <= tolerance * (1 + reference.abs().max())


@pytest.mark.parametrize(("size", "channels", "layers"), CASES)
def test_encoders_as_products_equal_convolutions(monkeypatch, size, channels, layers):
    body = build(Convolutional(layers, 6), [(channels, *size)], (2, 3))
    x = torch.rand(3, channels, *size, dtype=torch.float64)
    assert_same(both_paths(monkeypatch, body, x), 1e-12)
    assert_same(both_paths(monkeypatch, body.float(), x.float()), 1e-4)


@pytest.mark.parametrize(("size", "channels", "layers"), CASES)
def test_decoders_as_products_equal_convolutions(monkeypatch, size, channels, layers):
    body = build(Convolutional(layers), [(3,)], (2, channels, *size))
    z = torch.randn(3, 3, dtype=torch.float64)
    assert body(z).shape == (3, 2, channels, *size)
    assert_same(both_paths(monkeypatch, body, z), 1e-12)
    assert_same(both_paths(monkeypatch, body.float(), z.float()), 1e-4)


@pytest.mark.parametrize("rows", [1, 2])
def test_small_batches_take_the_same_path(monkeypatch, rows):
    encoder = build(Convolutional((3, 4), 6), [(2, 6, 5)], (2, 3))
    assert_same(both_paths(monkeypatch, encoder, torch.rand(rows, 2, 6, 5, dtype=torch.float64)), 1e-12)


def test_gradients_against_finite_differences():
    """Of the hand-written backward passes, in float64; the ReLU inside is away from its kink for these seeds."""
    generator = torch.Generator().manual_seed(0)

    def draw(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64, requires_grad=True)

    assert torch.autograd.gradcheck(strided.downsample, (draw(3, 2, 2, 8), draw(5, 2, 3, 3), draw(5)))
    assert torch.autograd.gradcheck(strided.upsample, (draw(3, 2, 2, 4), draw(4, 3, 3, 3), draw(3)))


def test_blocks_are_a_permutation_of_pixels():
    image = torch.arange(4 * 6 * 2 * 3).view(4, 6, 2, 3)
    blocks = strided.to_blocks(image)
    assert blocks.shape == (2, 3, 2, 12)
    assert torch.equal(strided.from_blocks(blocks, 3), image)


@pytest.mark.parametrize("size", SIZES)
def test_padding_and_flattening_are_keras(size):
    """Outputs of ⌈n/2⌉; of TensorFlow's "same" padding the smaller half comes first; order row, column, channel."""
    halves = [math.ceil(n / 2) for n in size]
    features = 3 * halves[0] * halves[1]
    body = build(Convolutional((3,), 0), [(1, *size)], (1, features))
    nn.init.eye_(body.head.weight)
    nn.init.zeros_(body.head.bias)
    padding = []
    for n, half in zip(size[::-1], halves[::-1], strict=True):
        total = max((half - 1) * 2 + 3 - n, 0)
        padding += [total // 2, total - total // 2]
    x = torch.rand(2, 1, *size, dtype=torch.float64)
    expected = F.relu(body.convolutions[0](F.pad(x, padding)))
    assert expected.shape == (2, 3, *halves)
    assert torch.allclose(body(x)[:, 0], expected.permute(0, 2, 3, 1).flatten(1))


def test_a_strided_transposed_convolution_is_torchs_cropped_at_the_end():
    """Keras's "same" transposed convolution scatters each input pixel's kernel from twice its position."""
    body = build(Convolutional((2,)), [(1,)], (1, 1, 6, 6))
    x = torch.zeros(1, 3, 3, 2, dtype=torch.float64)
    x[0, 1, 2, 0] = 1.0
    for parameter in (body.transposed[0].bias, body.head.bias):
        nn.init.zeros_(parameter)
    nn.init.ones_(body.transposed[0].weight)
    body.head.weight.data.zero_()[0, 0, 1, 1] = 1.0
    for image in (body._convolve(x), body._products(x)):
        assert image[0, 0].nonzero().tolist() == [[row, column] for row in (2, 3, 4) for column in (4, 5)]


@pytest.mark.parametrize("network", [Convolutional((4, 8), 16), MLP([16])])
def test_bfloat16_autocast_is_close(network):
    encoder = build(network, [(1, 9, 10)], (2, 4), torch.float32)
    decoder = build(network, [(4,)], (1, 1, 9, 10), torch.float32)
    for body, x in ((encoder, torch.rand(5, 1, 9, 10)), (decoder, torch.randn(5, 4))):
        exact = body(x)
        reference = torch.autograd.grad(exact.square().sum(), list(body.parameters()))
        with torch.autocast("cpu", torch.bfloat16):
            half = body(x)
            gradients = torch.autograd.grad(half.float().square().sum(), list(body.parameters()))
        assert (half.float() - exact).norm() < 0.02 * exact.norm()
        assert all(gradient.dtype == torch.float32 for gradient in gradients)
        ours, theirs = (torch.cat([value.flatten() for value in values]) for values in (gradients, reference))
        assert (ours - theirs).norm() < 0.05 * theirs.norm()


def test_context_joins_encoders_and_decoders():
    """A context vector is one more input; images of a context are stacked as channels."""
    network = Convolutional((3, 4), 5)
    encoder = build(network, [(1, 8, 8), (2,)], (2, 3))
    x, c = torch.rand(4, 1, 8, 8, dtype=torch.float64), torch.rand(4, 2, dtype=torch.float64)
    assert encoder.dense.in_features == 2 * 2 * 4 + 2
    assert not torch.equal(encoder(x, c), encoder(x, c + 1))
    stacked = build(network, [(1, 8, 8), (2, 8, 8)], (2, 3))
    assert stacked.convolutions[0].in_channels == 3
    decoder = build(network, [(3,), (2,)], (1, 1, 8, 8))
    assert decoder.dense.in_features == 5


def test_a_decoders_widths_mirror_the_encoders():
    decoder = build(Convolutional((3, 5, 7)), [(2,)], (2, 1, 16, 16))
    assert [(layer.in_channels, layer.out_channels) for layer in decoder.transposed] == [(3, 7), (7, 5), (5, 3)]
    assert decoder.head.out_channels == 2


def test_mlp_is_what_it_says():
    body = build(MLP([5]), [(2, 3), (1,)], (2, 4))
    a, c = torch.rand(3, 2, 3, dtype=torch.float64), torch.rand(3, 1, dtype=torch.float64)
    first, last = body.layers[0], body.layers[2]
    expected = last(F.silu(first(torch.cat([a.flatten(1), c], 1)))).view(3, 2, 4)
    assert torch.allclose(body(a, c), expected)
    affine = build(MLP([]), [(3,)], (2,))
    assert [type(layer) for layer in affine.layers] == [nn.Linear]


def test_convolutional_weights_are_glorot_and_biases_zero():
    with isolated_rng(0):
        body = Convolutional([4], 400).build([Size([1, 16, 16])], Size([10]))
    weight = body.dense.weight
    assert weight.var().item() == pytest.approx(2 / 656, rel=0.02)
    assert weight.abs().max().item() <= math.sqrt(6 / 656)
    assert not body.dense.bias.any()


def test_mlp_weights_have_variance_one_over_fan_in_and_biases_are_zero():
    with isolated_rng(0):
        body = MLP([400]).build([Size([300])], Size([10]))
    assert body.layers[0].weight.var().item() == pytest.approx(1 / 300, rel=0.02)
    assert not body.layers[0].bias.any()


@pytest.mark.parametrize(
    ("network", "inputs", "out", "sentence"),
    [
        (Convolutional(), [(5,)], (2, 3), "use network 'mlp'"),
        (Convolutional(), [(1, 8, 8)], (2, 1, 8, 8), "use network 'residual'"),
        (Convolutional(), [(1, 8, 8), (1, 4, 4)], (2, 3), "one size"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(network, inputs, out, sentence):
    with pytest.raises(ValueError, match=sentence):
        network.build([Size(size) for size in inputs], Size(out))


@pytest.mark.parametrize("options", [{"channels": []}, {"channels": [4, 0]}, {"dense": -1}])
def test_convolutional_refuses_empty_layers(options):
    with pytest.raises(ValueError, match="positive channels"):
        Convolutional(**options)


def test_mlp_refuses_empty_layers():
    with pytest.raises(ValueError, match="at least 1"):
        MLP([4, 0])
