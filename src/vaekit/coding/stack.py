"""A stack of bits on which symbols are pushed, and from which they are popped, at the cost of their information."""

from __future__ import annotations

import constriction
import numpy as np
import torch
from torch import Tensor

_coding = constriction.stream  # pyright: ignore[reportAttributeAccessIssue] - an extension without stubs


class Stack:
    """Asymmetric numeral systems (Duda, 2013), as constriction has them (Bamler, 2022).

    A symbol of probability p costs -log2 p bits, p being at least 2^-24 of what it is beside. Popping reverses pushing
    to the bit: symbols come out in the order in which they lie in the array that was pushed, last array first. Popping
    symbols that were never pushed yields draws from their distribution, made of the bits that lie there, which is what
    bits-back coding rests on.
    """

    def __init__(self, data: bytes | None = None):
        """Empty, or from ``to_bytes``. Raises ValueError for what cannot be the bytes of a stack."""
        if data is not None and (len(data) % 4 or data[-4:] == bytes(4)):
            raise ValueError(f"expected the bytes of a stack of symbols, got {len(data)} bytes that are none")
        words = None if data is None else np.frombuffer(data, "<u4").astype(np.uint32)
        self._coder = _coding.stack.AnsCoder(words)
        self._table = _coding.model.Categorical(perfect=False)

    def push(self, symbols: Tensor, masses: Tensor) -> None:
        """Symbols (n,), each with its masses (n, C), of which only ratios count; none becomes impossible."""
        if masses.shape[1] > 1:  # the only symbol of one costs nothing
            self._coder.encode_reverse(_numbers(symbols), self._table, _shares(masses))

    def pop(self, masses: Tensor) -> Tensor:
        """Symbols (n,)."""
        if masses.shape[1] == 1:
            return torch.zeros(len(masses), dtype=torch.long)
        return _symbols(self._coder.decode(self._table, _shares(masses)))

    def push_uniform(self, symbols: Tensor, count: int) -> None:
        """Symbols (n,) of 0, …, count - 1, all equally likely."""
        self._coder.encode_reverse(_numbers(symbols), _coding.model.Uniform(count))

    def pop_uniform(self, length: int, count: int) -> Tensor:
        """``length`` symbols."""
        return _symbols(self._coder.decode(_coding.model.Uniform(count), length))

    def copy(self) -> Stack:
        """Another stack with the same content."""
        other = Stack()
        other._coder = self._coder.clone()
        return other

    def to_bytes(self) -> bytes:
        """Words of 32 bits, little-endian."""
        return self._coder.get_compressed().astype("<u4").tobytes()

    @property
    def bits(self) -> int:
        """How many there are."""
        return self._coder.num_valid_bits()


def _shares(masses: Tensor) -> np.ndarray:
    return np.ascontiguousarray(masses.numpy(), np.float64)  # constriction panics at some masses in float32


def _numbers(symbols: Tensor) -> np.ndarray:
    return np.ascontiguousarray(symbols.numpy(), np.int32)


def _symbols(found: np.ndarray) -> Tensor:
    return torch.from_numpy(found).long()
