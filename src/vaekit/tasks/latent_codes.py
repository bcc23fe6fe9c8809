"""Latents as they are pushed on a stack of bits: in bins of equal mass, or as the codes of a book."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution

from vaekit.coding import Cells, Masses, Stack
from vaekit.distributions import DiagonalNormal, NormalMixture
from vaekit.priors.autoregressive import AutoregressiveNormals
from vaekit.priors.codes import Codes

FINE, COARSE = 12, 5  # bits for each dimension of a latent: as many bins of equal mass are 2 to this power
MARGIN = 1.2  # bins of mixtures are spread over as many of their deviations as a normal distribution's


class LatentCode(ABC):
    """The latents (B, *event) of one layer under their prior. ``bits`` says how fine the bins are, where there are any.

    Encoding pops z by the posterior (or rounds its mean: ``nearest``) and pushes it by the prior; decoding reverses it.
    """

    def __init__(self, p: Any, rows: int, bits: int):
        self.p, self.rows, self.bits = p, rows, bits

    @abstractmethod
    def pop_posterior(self, stack: Stack, q: Any) -> Tensor:
        """z (B, *event) by the posterior q."""

    @abstractmethod
    def push_posterior(self, stack: Stack, q: Any) -> None:
        """The reverse."""

    @abstractmethod
    def nearest(self, q: Any) -> Tensor:
        """z at the posterior's mean."""

    @abstractmethod
    def push_prior(self, stack: Stack) -> None:
        """z by the prior."""

    @abstractmethod
    def pop_prior(self, stack: Stack) -> Tensor:
        """The reverse."""


@cache
def _bins(bits: int) -> tuple[Tensor, Tensor]:
    """Edges (2^bits + 1,) and medians (2^bits,) of bins of equal mass of N(0, 1)."""
    count = 2**bits
    ranks = torch.arange(count + 1, dtype=torch.float64) / count
    return torch.special.ndtri(ranks), torch.special.ndtri(ranks[:-1] + 0.5 / count)


class NormalCode(LatentCode):
    """Under a diagonal normal prior the bins are equally likely, and cost ``bits`` bits a dimension."""

    def __init__(self, p: DiagonalNormal, rows: int, bits: int):
        super().__init__(p, rows, bits)
        self.loc, self.scale = self._in_a_row(p.loc), self._in_a_row((0.5 * p.log_var).exp())

    def pop_posterior(self, stack: Stack, q: Any) -> Tensor:
        """z in the bins' medians."""
        self.symbols = self._cells(q).pop(stack)
        return self._values()

    def push_posterior(self, stack: Stack, q: Any) -> None:
        """The bins of z."""
        self._cells(q).push(stack, self.symbols)

    def nearest(self, q: Any) -> Tensor:
        """The bins that the posterior's mean is in."""
        ranks = torch.special.ndtr((self._in_a_row(q.loc) - self.loc) / self.scale)
        self.symbols = (ranks * 2**self.bits).long().clamp(max=2**self.bits - 1)
        return self._values()

    def push_prior(self, stack: Stack) -> None:
        """The bins of z."""
        stack.push_uniform(self.symbols, 2**self.bits)

    def pop_prior(self, stack: Stack) -> Tensor:
        """z in the bins' medians."""
        self.symbols = stack.pop_uniform(len(self.loc), 2**self.bits)
        return self._values()

    def _cells(self, q: DiagonalNormal) -> Cells:
        loc = (self._in_a_row(q.loc) - self.loc) / self.scale
        rate = self.scale / self._in_a_row((0.5 * q.log_var).exp())
        edges = _bins(self.bits)[0]
        return Cells(lambda s, loc, rate: torch.special.ndtr((edges[s] - loc) * rate), (loc, rate), 2**self.bits)

    def _in_a_row(self, values: Tensor) -> Tensor:
        """(*event) or (B, *event) ↦ (B · event,) in float64."""
        return values.double().expand(self.rows, *self.p.event_shape).reshape(-1)

    def _values(self) -> Tensor:
        z = self.loc + self.scale * _bins(self.bits)[1][self.symbols]
        return z.float().view(self.rows, *self.p.event_shape)


class MixtureCode(NormalCode):
    """Under a mixture of normals the component is one more latent, whose posterior given z is exact.

    Bins are those of a normal distribution with about the mixture's mean and variance.
    """

    def __init__(self, p: NormalMixture, rows: int, bits: int):
        spread = p.variance.clamp(min=1e-12).log() + 2 * torch.tensor(MARGIN).log()
        super().__init__(DiagonalNormal(p.mean, spread, p.dims), rows, bits)
        self.mixture = p

    def pop_posterior(self, stack: Stack, q: Any) -> Tensor:
        """z, then its component."""
        z = super().pop_posterior(stack, q)
        self.components = self._given(z).pop(stack)
        return z

    def push_posterior(self, stack: Stack, q: Any) -> None:
        """The component, then z."""
        self._given(self._values()).push(stack, self.components)
        super().push_posterior(stack, q)

    def nearest(self, q: Any) -> Tensor:
        """With the likeliest component."""
        z = super().nearest(q)
        self.components = self.mixture.log_joint(z).argmax(-1)
        return z

    def push_prior(self, stack: Stack) -> None:
        """z by its component, then that."""
        self._within().push(stack, self.symbols)
        self._weights().push(stack, self.components)

    def pop_prior(self, stack: Stack) -> Tensor:
        """The component, then z by it."""
        self.components = self._weights().pop(stack)
        self.symbols = self._within().pop(stack)
        return self._values()

    def _weights(self) -> Masses:
        return Masses(self.mixture.logits.exp().expand(self.rows, -1))

    def _given(self, z: Tensor) -> Masses:
        return Masses(self.mixture.log_joint(z).softmax(-1))

    def _within(self) -> Cells:
        p = self.mixture
        rows = torch.arange(self.rows) if p.batch_shape else None
        at = self.components if rows is None else (rows, self.components)
        return self._cells(DiagonalNormal(p.loc[at], p.log_var[at], p.dims))


class AutoregressiveCode(LatentCode):
    """Under an autoregressive prior one dimension after the other, each a mixture given those before."""

    def pop_posterior(self, stack: Stack, q: Any) -> Tensor:
        """Each dimension by its own posterior."""
        return self._in_order(lambda code, at: code.pop_posterior(stack, _dimension(q, at)))

    def push_posterior(self, stack: Stack, q: Any) -> None:
        """The last dimension first."""
        for at, code in reversed(list(enumerate(self.each))):
            code.push_posterior(stack, _dimension(q, at))

    def nearest(self, q: Any) -> Tensor:
        """Each dimension at its own mean."""
        return self._in_order(lambda code, at: code.nearest(_dimension(q, at)))

    def push_prior(self, stack: Stack) -> None:
        """The last dimension first."""
        for code in reversed(self.each):
            code.push_prior(stack)

    def pop_prior(self, stack: Stack) -> Tensor:
        """The first dimension first."""
        return self._in_order(lambda code, _: code.pop_prior(stack))

    def _in_order(self, choose: Callable[[MixtureCode, int], Tensor]) -> Tensor:
        self.each: list[MixtureCode] = []

        def step(at: int, p: NormalMixture) -> Tensor:
            self.each.append(MixtureCode(p, self.rows, self.bits))
            return choose(self.each[-1], at)

        return self.p.in_order(self.rows, step)


def _dimension(q: DiagonalNormal, at: int) -> DiagonalNormal:
    loc, log_var = (each.flatten(1)[:, at : at + 1] for each in (q.loc, q.log_var))
    return DiagonalNormal(loc, log_var, 1)


class BookCode(LatentCode):
    """The codes of a book: the posterior knows them, so that nothing is popped, and they cost what the prior says."""

    def pop_posterior(self, stack: Stack, q: Any) -> Tensor:
        """The codes."""
        return self.nearest(q)

    def push_posterior(self, stack: Stack, q: Any) -> None:
        """Nothing."""

    def nearest(self, q: Any) -> Tensor:
        """The codes."""
        self.symbols = self.p.family.indices(q.code).reshape(self.rows, -1)
        return q.code

    def push_prior(self, stack: Stack) -> None:
        """Position by position, the last one first."""
        steps = []
        self.p.in_order(self.rows, lambda at, masses: steps.append(masses) or self.symbols[:, at])
        for at, masses in reversed(list(enumerate(steps))):
            Masses(masses).push(stack, self.symbols[:, at])

    def pop_prior(self, stack: Stack) -> Tensor:
        """Position by position."""
        self.symbols = self.p.in_order(self.rows, lambda at, masses: Masses(masses).pop(stack))
        return self.p.family.lookup(self.symbols.view(self.rows, *self.p.positions))


CODES = {
    DiagonalNormal: NormalCode,
    NormalMixture: MixtureCode,
    AutoregressiveNormals: AutoregressiveCode,
    Codes: BookCode,
}


def latent_code(p: Distribution, rows: int, bits: int = FINE) -> LatentCode:
    """For the prior p. Raises TypeError where it has neither bins nor codes."""
    for kind, code in CODES.items():
        if isinstance(p, kind):
            return code(p, rows, bits)  # pyright: ignore[reportArgumentType]
    raise TypeError(
        f"a prior of {type(p).__name__} has no bins to code latents in: train with prior 'standard-normal', "
        "'gaussian-mixture' or 'autoregressive', or refit with one of the latter"
    )
