"""The contracts of posteriors and priors."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Size, Tensor

from vaekit.core import Conditional, Family, Latent, Posterior, Prior
from vaekit.networks import MLP
from vaekit.noise import Noise, isolated_rng
from vaekit.posteriors import DiagonalNormal, VectorQuantized
from vaekit.priors import StandardNormal

from .checks import BATCH, DRAWS, check_configuration, check_gradients, close, expect, small_shapes
from .integrals import check_average, check_plane, moments


@isolated_rng(0)
def check_posterior(family: Family) -> None:
    """A family of q(z|x), on two latent dimensions.

    ``push`` gives z and the same log q as ``log_prob``, which integrates to one and has the moments of the draws; the
    KL agrees with its estimate from the densities; gradients reach every parameter; sums over dimensions add up. A
    deterministic one gives one z; a discrete one gives codes of its book, each of which it finds again.
    """
    shapes = small_shapes()
    family = copy.deepcopy(family).bind(shapes)
    check_configuration(family)
    phi = (0.5 * torch.randn(BATCH, *family.phi)).requires_grad_()
    q, p = family(phi), StandardNormal().bind(shapes)()
    expect(isinstance(q, Posterior), f"{type(q).__name__} is not a Posterior")
    latent = Latent.draw(q, p, DRAWS, Noise())
    z, log_q = q.push(torch.randn(2, BATCH, *q.noise))
    expect(latent.z.shape == (DRAWS, BATCH, 2) and z.shape == (2, BATCH, 2), "push gives z of a wrong shape")
    check_gradients(latent.z.square().sum() + latent.kl.sum(), {"phi": phi, **dict(family.named_parameters())})
    expect(q.mean.shape == (BATCH, 2), "the mean is not (B, *latent)")
    expect(all(isinstance(value, Tensor) for value in q.stats().values()), "stats are not tensors")
    expect(not q.deterministic or bool((latent.z == q.mean).all()), "a deterministic posterior's draws differ")
    if family.discrete:
        _check_book(family, q, z)
    if family.discrete or not family.has_density:
        return
    with torch.no_grad():
        expect(log_q is None or torch.allclose(log_q, q.log_prob(z), atol=1e-4), "push and log_prob disagree on log q")
        check_plane(q.log_prob, latent.z)
        check_average(latent.z - q.mean, "draws do not have the posterior's mean")
        check_average(latent.log_q - latent.log_p - latent.kl, "the KL is not E_q[log q - log p]")
    _check_refusable(lambda: expect(close(q.log_prob_each(z).flatten(2).sum(-1), q.log_prob(z)), "log_prob_each"))
    _check_refusable(lambda: expect(close(q.kl_each(p).flatten(1).sum(-1), latent.kl[0]), "kl_each does not add up"))
    _check_refusable(lambda: expect(not q.detached().log_prob(z.detach()).requires_grad, "detached has a gradient"))


@isolated_rng(0)
def check_prior(prior: Prior) -> None:
    """A prior p(z) over two latent dimensions, or over two codes of a book of three: its densities integrate, its
    masses sum to one, draws have its moments, gradients reach it; without a context, unless it needs one, and with one.
    """
    check_configuration(prior)
    event = Size([2, 1, 2] if prior.discrete else [2])
    for context in (None, Size([3])):
        shapes = replace(small_shapes(), latent=event, c=context)
        try:
            bound = copy.deepcopy(prior).bind(shapes)
        except ValueError:
            if context is None:  # it needs one
                continue
            raise
        encoder = Conditional(MLP(()), VectorQuantized(3) if prior.discrete else DiagonalNormal())
        encoder.bind_inputs([shapes.embedded, context], shapes)
        p = bound(None if context is None else torch.randn(BATCH, *context), encoder)
        expect(p.batch_shape in ((), (BATCH,)[: context is not None]), "p(z) is not of batch shape () or (B,)")
        z = p.sample(Size([DRAWS]))
        expect(z.shape == (DRAWS, *p.batch_shape, *event), "draws are not (n, *latent)")
        expect(p.log_prob(z).shape == (DRAWS, *p.batch_shape), "log p is not (n,)")
        expect(not z.requires_grad, "draws from the prior carry a gradient")
        if parameters := dict(bound.named_parameters()):
            check_gradients(-p.log_prob(z).sum(), parameters)
        z = z if p.batch_shape else z.unsqueeze(1)
        with torch.no_grad():
            _check_codes(p.log_prob, z, encoder.family) if prior.discrete else check_plane(p.log_prob, z)


def _check_book(family: Any, q: Any, z: Tensor) -> None:
    """Codes and their numbers are one to one, and q's mass sums to one over them."""
    numbers = torch.arange(len(family.book))
    codes = family.lookup(numbers)
    expect(family.book.shape == (len(numbers), 2) and torch.equal(family.indices(codes), numbers), "a code is lost")
    expect(torch.equal(family.lookup(family.indices(z)), z), "draws are not codes of the book")
    moments(q.log_prob(codes.unsqueeze(1).expand(-1, BATCH, -1)).exp(), torch.zeros(len(numbers), 1))


def _check_codes(log_prob: Callable[[Tensor], Tensor], draws: Tensor, family: Any) -> None:
    """A mass over all pairs of a book's codes, for draws (N, B, D, 1, 2): it sums to one, and draws are as frequent."""
    codes = len(family.book)
    pairs = torch.cartesian_prod(*[torch.arange(codes)] * 2).view(-1, 1, 1, 2)
    mass = log_prob(family.lookup(pairs.expand(-1, draws.shape[1], -1, -1))).double().exp()
    moments(mass.view(len(pairs), -1), torch.zeros(len(pairs), 1))
    first, second = family.indices(draws).flatten(2).unbind(-1)
    for pair, expected in zip(range(len(pairs)), mass.view(len(pairs), -1), strict=True):
        check_average((first * codes + second == pair).double() - expected, "draws are not as frequent as their mass")


def _check_refusable(check: Callable[[], None]) -> None:
    try:
        check()
    except (TypeError, NotImplementedError):  # refused by name
        return
