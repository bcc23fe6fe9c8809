"""The five nouns a variational autoencoder is made of, and the three terms every use of it is made of.

Shapes are written (K, B, *event): K importance samples, B examples. One function, :func:`terms`, yields log p(x|z)
and a trace that holds log p(z) and log q(z|x); the bounds, test likelihood, anomaly scores and code lengths are a few
lines over those three terms. An element of x carries probability mass of its grid cell where x is recorded on a grid,
and density per original unit where it is continuous (see :class:`Support`), so that nats are comparable between
likelihoods.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, Self, TypeVar

import torch
from torch import Size, Tensor, nn
from torch.distributions import Distribution, kl_divergence

from vaekit.networks import Network
from vaekit.noise import Noise

T = TypeVar("T")


class lazy(Generic[T]):  # noqa: N801 - used as a decorator, like property
    """An attribute computed when first asked for; ``functools.cached_property`` without the lock that breaks graphs."""

    def __init__(self, function: Callable[[Any], T]):
        self.function, self.name = function, function.__name__

    def __get__(self, instance: Any, owner: type | None = None) -> T:
        value = instance.__dict__[self.name] = self.function(instance)
        return value


Choose = Callable[[Any, Distribution], Tensor]  # z (K, B, *event) for a posterior and its prior


class Batch(NamedTuple):
    """Examples in model units: x (B, *event), context c (B, *context) or None, mask (True = observed) or None."""

    x: Tensor
    c: Tensor | None = None
    mask: Tensor | None = None


@dataclass(frozen=True)
class Support:
    """The values that an element of x can take, in model units.

    ``step`` is the distance between neighbouring recorded values, None if x is continuous. ``unit`` is one original
    unit in model units. Each is a number, or one for each element of a vector. Of a column of a table, ``categories``
    is how many values without an order it has, the numbers from 0 (none: 0), and ``spikes`` are values that are
    recorded far more often than their neighbours.
    """

    low: float | tuple[float, ...] = -math.inf
    high: float | tuple[float, ...] = math.inf
    step: float | tuple[float, ...] | None = None
    unit: float | tuple[float, ...] = 1.0
    categories: int = 0
    spikes: tuple[float, ...] = ()

    @classmethod
    def join(cls, columns: Sequence[Support]) -> Support:
        """That of a vector of numeric columns."""
        steps = [column.step for column in columns]
        return cls(
            tuple(column.low for column in columns),  # pyright: ignore[reportArgumentType]
            tuple(column.high for column in columns),  # pyright: ignore[reportArgumentType]
            None if all(step is None for step in steps) else tuple(step or 0.0 for step in steps),  # pyright: ignore
            tuple(column.unit for column in columns),  # pyright: ignore[reportArgumentType]
        )

    @property
    def cell(self) -> float | Tensor:
        """The size log-probabilities refer to: a grid's cell (mass), else one original unit (density)."""
        if isinstance(self.step, tuple):
            step, unit = torch.tensor(self.step), torch.as_tensor(self.unit)
            return torch.where(step > 0, step, unit)
        size = self.unit if self.step is None else self.step
        return torch.tensor(size) if isinstance(size, tuple) else size

    @property
    def on_grid(self) -> bool:
        """Whether every element is recorded on a grid, so that log-probabilities are those of masses."""
        return self.step is not None and (not isinstance(self.step, tuple) or min(self.step) > 0)

    @property
    def levels(self) -> int | None:
        """How many values there are between ``low`` and ``high``; None if x is continuous, unbounded or by element."""
        if isinstance(self.step, tuple) or isinstance(self.low, tuple) or isinstance(self.high, tuple):
            return None
        if self.step is None or not math.isfinite(self.high - self.low):
            return None
        return round((self.high - self.low) / self.step) + 1


@dataclass(frozen=True)
class Shapes:
    """What is known only once the data are: every part receives it through ``bind``.

    ``columns`` is the support of each element where x is a row of a table, else None.
    """

    x: Size
    c: Size | None = None
    latent: Size | None = None
    embedded: Size | None = None
    examples: int = 0
    support: Support = field(default_factory=Support)
    columns: tuple[Support, ...] | None = None


class Part(nn.Module, ABC):
    """Base of every noun. The constructor's signature is the configuration, kept under the same names."""

    def __init__(self) -> None:  # nn.Module takes *args, which would hide the signature
        super().__init__()

    def bind(self, shapes: Shapes) -> Self:
        """Make the parameters, now that the shapes of the data are known."""
        return self


class Family(Part):
    """Parameters phi ↦ a distribution, and how its values enter a network.

    After ``bind``, ``phi`` is what a network must output for one example: (P, *event), the parameter axis first.
    ``has_density`` is False where ``log_prob`` is not a normalized log-density or log-mass of the original values.
    ``discrete`` marks posteriors whose values are the codes of a finite book.
    """

    phi: Size
    event: Size
    has_density: bool = True
    discrete: bool = False

    def embedded(self, event: Size) -> Size:
        """Shape of :meth:`embed`'s result for one example, after ``bind``."""
        return event

    def embed(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Values, hidden ones as zeros, in the form that a network takes."""
        return x if mask is None else torch.where(mask, x, 0)

    def dequantize(self, x: Tensor, samples: int, noise: Noise) -> Tensor:
        """The values whose log-probability is taken: x, or (K, B, *event) spread over the cells of the grid."""
        return x

    def prepare(self, x: Tensor, mask: Tensor | None = None) -> None:
        """Start the parameters from examples of the values, once, before training."""
        return None

    def stats(self, p: Distribution, x: Tensor, mask: Tensor | None = None) -> dict[str, Tensor]:
        """Sums over a batch, for :meth:`update` after the step."""
        return {}

    @torch.no_grad()
    def update(self, stats: dict[str, Tensor]) -> None:
        """Learn what is learned without gradients, from a posterior's or a likelihood's stats."""
        return None

    @abstractmethod
    def forward(self, phi: Tensor) -> Distribution:
        """The distribution with parameters phi (..., P, *event), elementwise for likelihoods."""


class Posterior(ABC):
    """What a posterior family returns: noise in, (z, log q(z) or None) out.

    ``penalty`` (B,) is subtracted from the objective; a ``deterministic`` posterior gives the same z at every draw.
    """

    noise: Size
    like: Tensor
    penalty: Tensor | None = None
    deterministic: bool = False

    @abstractmethod
    def push(self, eps: Tensor) -> tuple[Tensor, Tensor | None]:
        """Standard normal noise (K, B, *noise) ↦ z (K, B, *latent) and log q(z), or None where it is cheap later."""

    @abstractmethod
    def log_prob(self, value: Tensor) -> Tensor:
        """Log-density of z, summed over the latent dimensions."""

    def log_prob_each(self, z: Tensor) -> Tensor:
        """Log-density of each latent dimension."""
        raise TypeError(f"{type(self).__name__} does not factorize over latent dimensions")

    def kl_each(self, p: Distribution) -> Tensor:
        """KL(q || p) of each latent dimension in nats."""
        raise TypeError(f"{type(self).__name__} has no closed-form KL per dimension to {type(p).__name__}")

    def detached(self) -> Posterior:
        """The same distribution with constant parameters."""
        raise TypeError(f"{type(self).__name__} cannot be scored with detached parameters")

    def stats(self) -> dict[str, Tensor]:
        """Tensors for the model's ``update`` after the step, such as codebook counts."""
        return {}


class Conditional(Part):
    """A network, then a family: inputs ↦ a distribution. The encoder q(z|x) and the decoder p(x|z) are two of them."""

    def __init__(self, network: Network, family: Family):
        super().__init__()
        self.network, self.family = network, family

    def bind_inputs(self, inputs: Sequence[Size | None], shapes: Shapes) -> Self:
        """Build the network from the given inputs (absent ones None) to the family's parameters."""
        self.family.bind(shapes)
        sizes = [size for size in inputs if size is not None]
        self.ranks = tuple(len(size) for size in sizes)
        self.body = self.network.build(sizes, self.family.phi)
        return self

    def forward(self, *inputs: Tensor | None) -> Distribution:
        """Inputs (..., *size) with leading dimensions that broadcast; densities are computed in float32."""
        return self.family(self.phi(*inputs))

    def phi(self, *inputs: Tensor | None) -> Tensor:
        """What the network tells the family of the inputs, (..., *family.phi)."""
        return apply(self.body, self.ranks, *(value for value in inputs if value is not None)).float()


def apply(network: nn.Module, ranks: Sequence[int], *inputs: Tensor) -> Tensor:
    """Call a network that takes one batch dimension on inputs with any leading dimensions, which broadcast."""
    leads = [value.shape[: value.dim() - rank] for value, rank in zip(inputs, ranks, strict=True)]
    alike = all(lead == leads[0] for lead in leads)
    lead = leads[0] if alike else torch.broadcast_shapes(*leads)  # which imports sympy, for a second
    if alike and len(lead) == 1:
        return network(*inputs)
    if not alike:
        inputs = tuple(x.expand(*lead, *x.shape[len(own) :]) for x, own in zip(inputs, leads, strict=True))
    out = network(*[value.reshape(-1, *value.shape[len(lead) :]) for value in inputs])
    return out.unflatten(0, lead) if lead else out.squeeze(0)


class Prior(Part):
    """An optional context c ↦ p(z|c), of batch shape () or (B,). ``encoder`` is lent to priors built from it.

    ``discrete`` marks priors over the codes of a finite book.
    """

    event: Size
    discrete: bool = False

    @staticmethod
    def latent_of(shapes: Shapes) -> Size:
        """The latent shape, which a prior is bound to. Raises ValueError if it is not known yet."""
        if shapes.latent is None:
            raise ValueError("a prior is bound to the latent shape, which is not known yet")
        return shapes.latent

    def prepare(self, embedded: Tensor, c: Tensor | None, encoder: Conditional) -> None:
        """Start the parameters from examples in the form that the encoder takes, once, before training."""
        return None

    @abstractmethod
    def forward(self, c: Tensor | None = None, encoder: Conditional | None = None) -> Distribution:
        """The distribution of the latents before the data are seen."""


class Latent:
    """One stochastic layer: a draw z, its posterior q and prior p, and their log-densities (K, B), computed when
    asked.
    """

    def __init__(self, z: Tensor, q: Any, p: Distribution, log_q: Tensor | None = None):
        self.z, self.q, self.p = z, q, p
        if log_q is not None:
            self.__dict__["log_q"] = log_q

    @classmethod
    def draw(cls, q: Any, p: Distribution, samples: int, noise: Noise, choose: Choose | None = None) -> Latent:
        """Push K draws of noise through the posterior, or take what ``choose`` does."""
        if choose is not None:
            return cls(choose(q, p), q, p)
        z, log_q = q.push(noise.normal(samples, q.like.shape[0], q.noise, q.like))
        return cls(z, q, p, log_q)

    @lazy
    def log_q(self) -> Tensor:
        """log q(z|x)."""
        return self.q.log_prob(self.z)

    @lazy
    def log_p(self) -> Tensor:
        """log p(z)."""
        return self.p.log_prob(self.z)

    @lazy
    def kl(self) -> Tensor:
        """KL(q || p), in closed form where one is registered, else its one-draw estimate log q(z|x) - log p(z)."""
        try:
            return kl_divergence(self.q, self.p).expand(self.z.shape[:2])
        except NotImplementedError:
            return self.log_q - self.log_p


@dataclass(frozen=True, eq=False)
class Trace:
    """What one pass of inference reveals: the latents, coarse to fine, and p(x|z)."""

    latents: tuple[Latent, ...]
    px: Distribution

    def kl(self) -> Tensor:
        """KL(q(z|x) || p(z)) over all latents, (K, B), nats."""
        return _add(latent.kl for latent in self.latents)

    def kl_each(self) -> Tensor | None:
        """KL of each latent dimension in closed form, (B, D); None if there is none, as for point masses."""
        if any(latent.q.deterministic for latent in self.latents):
            return None
        try:
            return torch.cat([latent.q.kl_each(latent.p).flatten(1) for latent in self.latents], 1)
        except TypeError:
            return None

    def log_ratio(self) -> Tensor:
        """log p(z) - log q(z|x) at the drawn z, (K, B)."""
        return _add(latent.log_p - latent.log_q for latent in self.latents)


class Parts(NamedTuple):
    """What a model is assembled from: unbound members of the nouns, and the size of the latents or their shape."""

    network: Network
    posterior: Family
    likelihood: Family
    prior: Prior
    latent: int | Sequence[int]


class LatentModel(Part):
    """All that training, tasks and evaluation know of a model."""

    shapes: Shapes

    @classmethod
    @abstractmethod
    def assemble(cls, parts: Parts) -> Self:
        """The model of the given parts; further keyword parameters are a model's own options."""

    @classmethod
    def suited(cls, is_image: bool) -> dict[str, str]:
        """Members of nouns, by noun, that suit this model better than the usual ones where nothing is chosen."""
        return {}

    @property
    def discrete(self) -> bool:
        """Whether the latents are codes of a finite book, between which there is nothing."""
        return False

    @property
    def events(self) -> tuple[Size, ...]:
        """The shapes of one example's latents, coarse to fine."""
        return (self.shapes.latent or Size(),)

    def split(self, z: Tensor) -> tuple[Tensor, ...]:
        """All latents of examples as vectors (B, D), in the order of ``events`` ↦ the latents (B, *event)."""
        parts = z.split([event.numel() for event in self.events], 1)
        return tuple(part.unflatten(1, event) for part, event in zip(parts, self.events, strict=True))

    @property
    @abstractmethod
    def has_density(self) -> bool:
        """Whether log p(x) exists and is bounded: likelihood and posteriors all have a density or a mass."""

    @property
    @abstractmethod
    def likelihood(self) -> Family:
        """The family of p(x|z)."""

    @abstractmethod
    def infer(self, batch: Batch, samples: int = 1, noise: Noise | None = None, choose: Choose | None = None) -> Trace:
        """Draw K times from q(z|x), or take the latents that ``choose`` gives for each layer, and decode."""

    @abstractmethod
    def priors(self, c: Tensor | None = None) -> tuple[Distribution, ...]:
        """What the latents of ``events`` are drawn from, independently: batch shape () or (B,)."""

    def sample(self, n: int, c: Tensor | None = None, temperature: float = 1.0) -> tuple[Tensor, ...]:
        """Draw n latents from the prior, coarse to fine, (n, *event) each; its normals ``temperature`` times as wide.

        Raises TypeError for a temperature other than 1 of a prior that is not made of normals.
        """
        return tuple(draw_prior(p, n, temperature) for p in self.priors(c))

    @abstractmethod
    def decode(self, z: tuple[Tensor, ...], c: Tensor | None = None) -> Distribution:
        """p(x|z) for given latents (..., *latent)."""

    @abstractmethod
    def encode(self, batch: Batch) -> Tensor:
        """Posterior means of the latents, flattened: (B, D)."""

    @torch.no_grad()
    def prepare(self, batch: Batch) -> None:
        """Start what can be started from examples, once, before training."""
        return None

    @torch.no_grad()
    def update(self, stats: dict[str, Tensor]) -> None:
        """Whatever is learned without gradients, after the optimizer's step."""
        return None

    def solve(self, examples: Callable[[], Iterator[Batch]]) -> Iterator[None] | None:
        """For models learned without gradients: a generator that improves them once an epoch; None for all others.

        ``examples`` gives the training data in batches, anew at each call.
        """
        return None


class Objective(Part):
    """A trace and log p(x|z) ↦ a number for each example, to be maximized.

    Where ``couples_batch``, an example's number depends on the others of its batch. Held-out examples are judged by the
    evidence bound, or, where ``importance_weighted``, by the tighter bound of as many samples.
    """

    samples: int = 1
    couples_batch: bool = False
    importance_weighted: bool = False

    @abstractmethod
    def forward(self, trace: Trace, log_px: Tensor, progress: Tensor) -> Tensor:
        """(B,) from log p(x|z) (K, B); ``progress`` runs from 0 to 1 over the training."""


def masked_log_prob(px: Distribution, x: Tensor, mask: Tensor | None) -> Tensor:
    """Log p(x|z) summed over observed elements, (K, B); see :func:`masked_log_prob_each`."""
    return masked_log_prob_each(px, x, mask).flatten(2).sum(-1)


def masked_log_prob_each(px: Distribution, x: Tensor, mask: Tensor | None) -> Tensor:
    """Log p(x|z) of each element, 0 where it is hidden, (K, B, *event).

    Hidden elements are replaced before (their value, even NaN, changes neither bound nor gradient) and zeroed after.
    Distributions whose elements depend on others (``takes_mask``) are told which are hidden. Raises ValueError where x
    (B, *event) or (K, B, *event), the mask (B, *event) or log p(x|z) would be broadcast.
    """
    cells = px.batch_shape[1:]
    if x.shape[x.dim() - len(cells) :] != cells or (mask is not None and mask.shape != cells):
        given = f"{tuple(x.shape)}" + ("" if mask is None else f" with a mask of shape {tuple(mask.shape)}")
        raise ValueError(f"p(x|z) is over examples of shape {tuple(cells)}, got {given}")
    if mask is None:
        each = px.log_prob(x)
    else:
        filled = torch.where(mask, x, getattr(px, "filler", 0.0))
        each = px.log_prob(filled, mask) if getattr(px, "takes_mask", False) else px.log_prob(filled)  # pyright: ignore
        each = torch.where(mask, each, 0)
    if px.event_shape or each.shape != px.batch_shape:
        raise ValueError(f"log p(x|z) must be elementwise of shape {tuple(px.batch_shape)}; got {tuple(each.shape)}")
    return each


def terms(model: LatentModel, batch: Batch, samples: int = 1, noise: Noise | None = None) -> tuple[Trace, Tensor]:
    """The trace of ``samples`` draws and log p(x|z) of the observed elements, (K, B)."""
    noise = noise or Noise()
    trace = model.infer(batch, samples, noise)
    x = model.likelihood.dequantize(batch.x, samples, noise)
    return trace, masked_log_prob(trace.px, x, batch.mask)


def draw_prior(p: Distribution, n: int, temperature: float = 1.0) -> Tensor:
    """N draws from a prior of batch shape () or (n,), which is tempered unless ``temperature`` is 1."""
    p = p if temperature == 1 else p.tempered(temperature)  # pyright: ignore[reportAttributeAccessIssue]
    return p.sample(Size() if p.batch_shape else Size([n]))


def _add(values: Iterator[Tensor]) -> Tensor:
    first, *rest = list(values)
    for value in rest:
        first = first + value
    return first
