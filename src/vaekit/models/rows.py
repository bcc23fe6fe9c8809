"""Posteriors that depend on draws of other latents."""

from __future__ import annotations

from torch import Size, Tensor
from torch.distributions import Distribution, kl_divergence, register_kl

from vaekit.core import Posterior
from vaekit.distributions.density import Density


class PosteriorRows(Density, Posterior):
    """K · B posteriors seen as q(z|x) of batch shape (K, B): one for each of K draws of what z depends on."""

    def __init__(self, q: Posterior, samples: int):
        self.q, self.samples = q, samples
        self.like = self._split(q.like)[0]
        self.noise, self.deterministic = q.noise, q.deterministic
        self.penalty = None if q.penalty is None else self._split(q.penalty).mean(0)
        super().__init__(Size([samples, len(self.like)]), q.event_shape)  # pyright: ignore[reportAttributeAccessIssue]

    @property
    def mean(self) -> Tensor:
        """(K, B, *latent)."""
        return self._split(self.q.mean)  # pyright: ignore[reportAttributeAccessIssue]

    def push(self, eps: Tensor) -> tuple[Tensor, Tensor | None]:
        """One draw from each, z (K, B, *latent)."""
        z, log_q = self.q.push(eps.flatten(0, 1).unsqueeze(0))
        return self._split(z[0]), None if log_q is None else self._split(log_q[0])

    def log_prob(self, value: Tensor) -> Tensor:
        """(K, B)."""
        return self._split(self.q.log_prob(value.flatten(0, 1).unsqueeze(0))[0])

    def log_prob_each(self, z: Tensor) -> Tensor:
        """(K, B, *latent)."""
        return self._split(self.q.log_prob_each(z.flatten(0, 1).unsqueeze(0))[0])

    def kl_each(self, p: Distribution) -> Tensor:
        """The average over the K draws, (B, *latent)."""
        return self._split(self.q.kl_each(p)).mean(0)

    def detached(self) -> PosteriorRows:
        """The same distributions with constant parameters."""
        return PosteriorRows(self.q.detached(), self.samples)

    def stats(self) -> dict[str, Tensor]:
        """The K · B posteriors' own."""
        return self.q.stats()

    def _split(self, value: Tensor) -> Tensor:
        return value.unflatten(0, (self.samples, -1))


@register_kl(PosteriorRows, Distribution)
def _(q: PosteriorRows, p: Distribution) -> Tensor:
    return kl_divergence(q.q, p).expand(q.batch_shape.numel()).unflatten(0, q.batch_shape)  # pyright: ignore
