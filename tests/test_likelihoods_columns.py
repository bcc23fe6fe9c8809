"""Likelihoods of the columns of a table against sums over all values, other units, other orders and other kernels."""

import math

import pytest
import torch
from torch import Size
from torch.distributions import Normal

from vaekit.core import Batch, Noise, Shapes, Support, masked_log_prob
from vaekit.distributions.kernels import KERNELS
from vaekit.likelihoods import CategoryColumns, Discretized, Gaussian, Mixed, NegativeBinomial
from vaekit.recipes import build

CATEGORY = Support(0.0, 2.0, 1.0, categories=3)
ORDINAL = Support(-1.0, 1.0, 0.5)
COUNT = Support(-1.0, step=0.25, unit=4.0, spikes=(-1.0, 0.5))
REAL = Support(spikes=(0.25,))
COLUMNS = (REAL, CATEGORY, COUNT, ORDINAL, Support(step=0.5))


def bound(family, columns):
    return family.bind(Shapes(Size([len(columns)]), support=Support.join(columns), columns=tuple(columns)))


def rows(columns, n=400, seed=0):
    """Rows with heavy tails, every column on its own values, a third of them at the spikes."""
    noise = torch.Generator().manual_seed(seed)
    found = []
    for column in columns:
        x = torch.randn(n, generator=noise).exp() - 1
        if column.step:
            origin = column.low if math.isfinite(column.low) else 0.0
            x = origin + ((x - origin) / column.step).round() * column.step
        spiked = torch.rand(n, generator=noise) < 0.3
        if column.spikes:
            at = torch.randint(len(column.spikes), (n,), generator=noise)
            x = torch.where(spiked, torch.tensor(column.spikes)[at], x)
        found.append(x.clamp(column.low, column.high))
    return torch.stack(found, 1)


def drawn(family, n=3, seed=1):
    return 0.5 * torch.randn(n, *family.phi, generator=torch.Generator().manual_seed(seed))


FAMILIES = [
    Mixed(),
    Mixed(numbers=Discretized(kernel="normal", noise="output", components=2)),
    Mixed(numbers=Discretized(pieces=64), counts=NegativeBinomial(), ordinals=CategoryColumns()),
    Mixed(numbers=Gaussian()),
]


def test_a_kernel_over_many_pieces_knows_which_values_are_recorded_how_often():
    """Multiples of a tenth, most of them whole: at rest the mass of each is about its frequency."""
    column, noise = Support(-10.0, step=0.1), torch.Generator().manual_seed(0)
    x = (3 * torch.randn(4000, 1, generator=noise)).clamp(-9).round()
    x = torch.where(torch.rand(x.shape, generator=noise) < 0.1, x + 0.1, x)
    coarse, fine = (bound(Discretized("normal", pieces=pieces), (column,)) for pieces in (32, 256))
    for family in (coarse, fine):
        family.prepare(x)
        family.log_sigma.data.zero_()
    _, counts = x.unique(return_counts=True)
    entropy = (counts / 4000 * (counts / 4000).log()).sum().item()
    rest = [family(torch.zeros(1, *family.phi)).log_prob(x).mean().item() for family in (coarse, fine)]
    assert rest[0] < entropy - 1.5
    assert rest[1] == pytest.approx(entropy, abs=0.1)


@pytest.mark.parametrize("family", FAMILIES, ids=["default", "mixture", "kinds", "gaussian"])
def test_a_row_is_the_sum_of_its_columns(family):
    family, x = bound(build("likelihood", family), COLUMNS), rows(COLUMNS, 3)
    family.prepare(rows(COLUMNS))
    px = family(drawn(family)[None])
    total = masked_log_prob(px, x, None)
    alone = [masked_log_prob(px, x, torch.arange(5).eq(i).expand(3, 5)) for i in range(5)]
    torch.testing.assert_close(total, sum(alone))


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("warp", [False, True])
def test_masses_sum_to_one(kernel, warp):
    columns = (COUNT, ORDINAL, Support(step=0.5))
    family = bound(Discretized(kernel, warp=warp), columns)
    family.prepare(rows(columns))
    values = torch.stack(
        [-1 + 0.25 * torch.arange(4000), -500 + 0.5 * torch.arange(4000), -500 + 0.5 * torch.arange(4000)], 1
    )
    values[:, 1] = -1 + 0.5 * torch.arange(4000)
    mass = family(drawn(family)).log_prob(values[:, None]).exp()
    total = torch.stack([mass[..., 0].sum(0), mass[:5, :, 1].sum(0), mass[..., 2].sum(0)])
    torch.testing.assert_close(total, torch.ones(3, 3), atol=1e-4, rtol=0)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("length", [1e-6, 0.05, 0.2, 3.0, 60.0])
@pytest.mark.parametrize("center", [0.0, 0.7, 9.0, 150.0])
def test_kernels_give_intervals_the_integral_of_their_density(kernel, length, center):
    """However short or far out, with finite gradients."""
    kernel, n = KERNELS[kernel], 20001
    ends = torch.tensor([center + length / 2, center - length / 2], requires_grad=True)
    found = kernel.log_mass(ends[0], ends[1], torch.tensor(length))
    points = center + length * ((torch.arange(n).double() + 0.5) / n - 0.5)
    expected = kernel.log_density(points).logsumexp(0) + math.log(length / n)
    torch.testing.assert_close(found.double(), expected, rtol=1e-4, atol=1e-4)
    assert torch.autograd.grad(found, ends)[0].isfinite().all()


def test_a_normal_kernel_without_grid_is_the_gaussian_likelihood():
    columns = (Support(), Support())
    ours = bound(Discretized("normal", warp=False, floor=0.0), columns)
    phi, x = torch.randn(4, 2), torch.randn(4, 2)
    expected = Normal(phi, 1 / math.e).log_prob(x)
    torch.testing.assert_close(ours(phi).log_prob(x), expected)


def test_short_steps_have_the_density_times_the_step():
    fine, smooth = (bound(Discretized(), (Support(step=step),) * 2) for step in (1e-7, None))
    x = rows((Support(), Support()))
    for family in (fine, smooth):
        family.prepare(x)
    phi, x = torch.randn(400, 2), x + 1e-3  # off the knots, where the slope is that of either side
    torch.testing.assert_close(fine(phi).log_prob(x) - math.log(1e-7), smooth(phi).log_prob(x), atol=1e-3, rtol=1e-4)


def test_a_spike_has_a_mass_of_its_own_and_no_more_than_one():
    family = bound(Discretized(), (REAL,))
    family.prepare(rows((REAL,)))
    share = family(torch.zeros(1, *family.phi)).log_prob(torch.tensor([0.25])).exp().item()
    assert share == pytest.approx((rows((REAL,)) == 0.25).float().mean().item(), abs=0.01)
    certain = torch.tensor([[0.25, 60.0]])
    assert family(certain).log_prob(torch.tensor([0.25])).item() <= 0


def test_a_deterministic_column_cannot_have_more_density_than_the_floor_allows():
    family = bound(Discretized("normal", warp=False, floor=0.1), (Support(),))
    with torch.no_grad():
        family.log_sigma.fill_(-40.0)
    assert family(torch.zeros(1, 1)).log_prob(torch.zeros(1)).item() == pytest.approx(
        -math.log(0.1 * math.sqrt(2 * math.pi))
    )


@pytest.mark.parametrize("family", FAMILIES, ids=["default", "mixture", "kinds", "gaussian"])
def test_other_orders_of_the_columns_permute_the_masses(family):
    order = [3, 0, 4, 2, 1]
    columns = [COLUMNS[i] for i in order]
    families = [bound(build("likelihood", family), some) for some in (COLUMNS, columns)]
    x = rows(COLUMNS)
    families[0].prepare(x)
    families[1].prepare(x[:, order])
    first, second = (family(torch.zeros(400, *family.phi)) for family in families)
    torch.testing.assert_close(first.log_prob(x)[:, order], second.log_prob(x[:, order]))


def test_hidden_cells_count_for_nothing():
    family, x = bound(Mixed(), COLUMNS), rows(COLUMNS, 3)
    mask = torch.tensor([True, False, True, False, True]).expand(3, 5)
    phi = drawn(family).requires_grad_()
    scores = [
        masked_log_prob(family(phi[None]), family.dequantize(batch.x, 1, Noise()), batch.mask)
        for batch in (Batch(torch.where(mask, x, hidden), None, mask) for hidden in (math.nan, 1e6))
    ]
    assert torch.equal(*scores)


def test_values_beyond_the_ends_stay_finite_and_cost_more():
    family = bound(Discretized(), (ORDINAL,))
    inside, near, far = family(torch.zeros(1, 1)).log_prob(torch.tensor([[1.0], [3.0], [300.0]])).flatten().tolist()
    assert inside > near > far > -1e4


def test_frequencies_are_what_zero_parameters_mean():
    family, x = bound(CategoryColumns(), (CATEGORY,)), torch.tensor([[0.0], [0.0], [0.0], [1.0]])
    family.prepare(x)
    mass = family(torch.zeros(1, 3)).log_prob(torch.arange(3.0).view(3, 1)).exp().flatten()
    torch.testing.assert_close(mass, torch.tensor([3.5, 1.5, 0.5]) / 5.5)


def test_means_of_ordered_values_and_likeliest_categories():
    family = bound(CategoryColumns(), (ORDINAL, CATEGORY))
    phi = torch.tensor([[0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 3.0, 1.0]])
    torch.testing.assert_close(family(phi).mean, torch.tensor([[0.0, 1.0]]))


@pytest.mark.parametrize(
    ("choice", "sentence"),
    [
        ({"name": "discretized", "kernel": "cauchy"}, "kernel is one of logistic, normal"),
        ({"name": "discretized", "components": 0}, "at least 1"),
        ({"name": "discretized", "floor": -1.0}, "floor"),
    ],
)
def test_options_that_do_not_exist(choice, sentence):
    with pytest.raises(ValueError, match=sentence):
        build("likelihood", choice)


@pytest.mark.parametrize("name", ["mixed", "discretized", "category-columns"])
def test_likelihoods_of_columns_refuse_what_is_no_table(name):
    with pytest.raises(ValueError, match="use likelihood"):
        build("likelihood", name).bind(Shapes(Size([3])))
