"""Stacks of bits against the entropy of what is pushed on them."""

import math

import numpy as np
import pytest
import torch

from vaekit.coding import Cells, Masses, Stack

N = 20_000


def shares(kind: str) -> torch.Tensor:
    """Masses (N, 7) that differ from symbol to symbol, flat ones or ones that are nearly certain."""
    generator = torch.Generator().manual_seed(0)
    return torch.rand(N, 7, generator=generator).pow({"flat": 1, "certain": 40}[kind]) + 1e-5


def normal_cells(counts: int | torch.Tensor) -> Cells:
    """Numbers 0, …, C - 1 as intervals of normal distributions."""
    generator = torch.Generator().manual_seed(1)
    loc, scale = 100 * torch.rand(N, generator=generator), 1 + 20 * torch.rand(N, generator=generator)
    return Cells(lambda edges, loc, scale: torch.special.ndtr((edges - loc) / scale), (loc, scale), counts)


@pytest.mark.parametrize("kind", ["flat", "certain"])
def test_the_size_is_the_entropy_of_the_symbols_within_a_thousandth(kind):
    masses = shares(kind)
    symbols = torch.multinomial(masses, 1, generator=torch.Generator().manual_seed(2)).squeeze(1)
    stack = Stack()
    stack.push(symbols, masses)
    information = -(masses.gather(1, symbols[:, None]).squeeze(1) / masses.sum(1)).log2().sum()
    assert 8 * len(stack.to_bytes()) == pytest.approx(float(information), rel=1e-3, abs=64)
    assert torch.equal(stack.pop(masses), symbols)
    assert stack.bits == 0


def test_arrays_come_out_last_first_and_their_symbols_in_order():
    stack, masses = Stack(), torch.ones(5, 4)
    first, second = torch.tensor([0, 1, 2, 3, 0]), torch.tensor([3, 3, 1, 0, 2])
    stack.push(first, masses)
    stack.push_uniform(second, 1000)
    again = Stack(stack.to_bytes())
    assert torch.equal(again.pop_uniform(5, 1000), second)
    assert torch.equal(again.pop(masses), first)


def test_symbols_popped_off_random_bits_are_draws_and_go_back_to_the_same_bits():
    words = np.random.default_rng(3).integers(1, 2**32, N, np.uint32)
    stack, cells = Stack(words.tobytes()), normal_cells(100)
    symbols = cells.pop(stack)
    loc = torch.rand(N, generator=torch.Generator().manual_seed(1)) * 100
    assert float((symbols + 0.5 - loc.clamp(0, 100)).mean()) == pytest.approx(0, abs=0.3)
    cells.push(stack, symbols)
    assert stack.to_bytes() == words.tobytes()


def test_cells_cost_what_a_table_of_all_their_masses_does():
    cells, words = normal_cells(100), np.random.default_rng(4).integers(1, 2**32, N, np.uint32)
    symbols = cells.pop(Stack(words.tobytes()))
    edges = torch.arange(101).unsqueeze(1)
    below = cells.below(edges, *cells.given)
    below[0], below[-1] = 0, 1
    table = Masses(below.diff(dim=0).clamp(min=1e-12).T)
    sizes = []
    for made in (cells, table):
        stack = Stack()
        made.push(stack, symbols)
        sizes.append(len(stack.to_bytes()))
        assert torch.equal(made.pop(stack), symbols)
    assert sizes[0] == pytest.approx(sizes[1], rel=1e-3)


def test_cells_may_differ_in_how_many_values_they_have_and_some_may_be_left_out():
    counts = torch.randint(1, 3000, (N,), generator=torch.Generator().manual_seed(5))
    symbols = (torch.rand(N, generator=torch.Generator().manual_seed(6)) * counts).long()
    keep = torch.rand(N, generator=torch.Generator().manual_seed(7)) > 0.3
    cells, stack = normal_cells(counts), Stack()
    cells.push(stack, symbols, keep)
    assert torch.equal(cells.pop(stack, keep), torch.where(keep, symbols, 0))
    assert stack.bits == 0


def test_impossible_symbols_and_damaged_bytes_are_refused():
    with pytest.raises(ValueError, match="outside of the range"):
        normal_cells(10).push(Stack(), torch.full((N,), 10))
    with pytest.raises(ValueError, match="bytes of a stack"):
        Stack(b"12345")
    with pytest.raises(ValueError, match="bytes of a stack"):
        Stack(bytes(8))


def test_an_empty_stack_is_no_bytes_and_certain_symbols_cost_nothing():
    assert Stack().to_bytes() == b""
    stack = Stack()
    stack.push(torch.zeros(N, dtype=torch.long), torch.tensor([[1.0, 0.0]]).expand(N, -1))
    assert len(stack.to_bytes()) <= math.ceil(N * 2**-24 * 1.5 / 8) + 8
