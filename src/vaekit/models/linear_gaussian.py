"""Linear-Gaussian models: probabilistic PCA, factor analysis and PCA, the baselines of every deep model."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Self

import torch
from torch import Size, Tensor, nn
from torch.distributions import Distribution

from vaekit.core import Batch, Choose, Latent, LatentModel, Parts, Shapes, Trace
from vaekit.likelihoods import Gaussian
from vaekit.noise import Noise
from vaekit.posteriors.point_mass import PointMassPosterior
from vaekit.priors import StandardNormal

from .factors import Factors, Rows
from .fitting import FLOOR, maximize, start
from .full_normal import FullNormalPosterior

PROJECTION = 1e-9  # the prior's precision where the posterior is a projection, so that hidden cells do no harm
NOISES = ("shared", "elementwise", "none")


class LinearGaussian(LatentModel):
    """x = W z + μ + ε with z ~ N(0, I): the exact posterior, the exact log p(x), and no gradients.

    ``noise`` is ``"shared"``, ε ~ N(0, σ² I), probabilistic PCA (Tipping and Bishop, 1999); ``"elementwise"``, a
    variance for each element, factor analysis; or ``"none"``, PCA: the weights of the first, but the posterior is a
    point, the orthogonal projection (least squares over the observed cells), and there is no density. Complete data are
    fitted in closed form (factor analysis: by L-BFGS on the noise alone), data with hidden cells by exact EM. Values on
    a grid count as spread over their cells, which widens the noise by step²/12.
    """

    spread: Tensor
    log_cell: Tensor

    def __init__(self, latent: int = 8, noise: str = "shared"):
        super().__init__()
        if noise not in NOISES:
            raise ValueError(f"the noise of a linear-Gaussian model is one of {', '.join(NOISES)}; got {noise!r}")
        self.latent, self.noise = latent, noise
        self.gaussian = Gaussian("elementwise" if noise == "elementwise" else "shared")
        self.prior = StandardNormal()

    @classmethod
    def suited(cls, is_image: bool) -> dict[str, str]:
        """There is one likelihood."""
        return {"likelihood": "gaussian"}

    @classmethod
    def assemble(cls, parts: Parts, *, noise: str = "shared") -> Self:
        """Network and posterior are not used. Raises ValueError for other likelihoods and priors than its own."""
        own = (parts.likelihood, Gaussian, "gaussian"), (parts.prior, StandardNormal, "standard-normal")
        for noun, (given, expected, name) in zip(("likelihood", "prior"), own, strict=True):
            if not isinstance(given, expected):
                kind = type(given).__name__
                raise ValueError(f"model 'linear-gaussian' has no {noun} {kind}: use {noun} '{name}'")
        return cls(Size([parts.latent] if isinstance(parts.latent, int) else parts.latent).numel(), noise)

    @property
    def likelihood(self) -> Gaussian:
        """The Gaussian noise; for PCA that of the reconstructions."""
        return self.gaussian

    @property
    def has_density(self) -> bool:
        """All but PCA."""
        return self.noise != "none"

    def bind(self, shapes: Shapes) -> Self:
        """Random weights, until :meth:`prepare` or :meth:`solve`."""
        dims = shapes.x.numel()
        if not 1 <= self.latent < dims:
            raise ValueError(
                f"model 'linear-gaussian' needs at least 1 latent and fewer than the {dims} elements of x, got "
                f"{self.latent}: choose another latent_dim"
            )
        if shapes.c is not None:
            raise ValueError(
                "model 'linear-gaussian' takes no context: leave out conditional, or use model 'one-layer'"
            )
        self.shapes = replace(shapes, latent=Size([self.latent]), embedded=shapes.x)
        self.weight = nn.Parameter(torch.randn(dims, self.latent) / self.latent**0.5)
        self.bias = nn.Parameter(torch.zeros(dims))
        self.gaussian.bind(self.shapes)
        self.prior.bind(self.shapes)
        step, cell = (torch.as_tensor(value) for value in (shapes.support.step or 0.0, shapes.support.cell))
        uniform = step.square() / 12  # the variance of a draw from a cell of the grid
        self.register_buffer("spread", uniform.expand(shapes.x).flatten(), persistent=False)
        self.register_buffer("log_cell", cell.log().expand(shapes.x).flatten(), persistent=False)
        return self

    def infer(self, batch: Batch, samples: int = 1, noise: Noise | None = None, choose: Choose | None = None) -> Trace:
        """The exact posterior, K draws from it, K decodings."""
        latent = Latent.draw(self._posterior(batch), self.prior(), samples, noise or Noise(), choose)
        return Trace((latent,), self.decode((latent.z,)))

    def priors(self, c: Tensor | None = None) -> tuple[Distribution, ...]:
        """That of z."""
        return (self.prior(),)

    def decode(self, z: tuple[Tensor, ...], c: Tensor | None = None) -> Distribution:
        """p(x|z) = N(W z + μ, ...), in float32 whatever the precision of the training."""
        with torch.autocast(self.weight.device.type, enabled=False):
            mean = z[0].float() @ self.weight.mT + self.bias
        return self.gaussian(mean.unflatten(-1, self.gaussian.phi))

    def encode(self, batch: Batch) -> Tensor:
        """E[z|x], exact."""
        return self._posterior(batch).mean

    def log_marginal(self, batch: Batch) -> Tensor:
        """Exact log p(x) of the observed cells, (B,), float64.

        Where x sits on a grid, of the values spread over their cells: the expectation of that log-density, in closed
        form, which is a bound on the log-mass. Raises ValueError for PCA, which has none.
        """
        if not self.has_density:
            raise ValueError("PCA has no density: use noise 'shared', which is probabilistic PCA")
        rows, spread, log_cell = self._rows(batch), _wide(self.spread), _wide(self.log_cell)
        return self._factors().log_likelihood(rows, spread) + (rows.seen * log_cell).sum(1)

    def _factors(self) -> Factors:
        """The parameters in double precision."""
        scale = self.gaussian(torch.zeros_like(self.bias).view(self.gaussian.phi)).density.stddev  # pyright: ignore
        return Factors(_wide(self.weight), _wide(self.bias), _wide(scale).flatten().square())

    def _rows(self, batch: Batch) -> Rows:
        x = _wide(batch.x.flatten(1))
        seen = torch.ones_like(x[:1]) if batch.mask is None else _wide(batch.mask.flatten(1))
        return Rows(x, seen)

    def _posterior(self, batch: Batch) -> PointMassPosterior | FullNormalPosterior:
        factors = self._factors()
        if not self.has_density:  # no noise: the prior has no weight against the data
            factors = factors._replace(prior=PROJECTION)
        mean, root = factors.posterior(self._rows(batch))
        mean = mean.to(batch.x.device, torch.float32)
        if not self.has_density:
            return PointMassPosterior(mean, self.prior.event)
        tril = torch.linalg.cholesky(torch.cholesky_inverse(root))
        return FullNormalPosterior(mean, tril.to(batch.x.device, torch.float32))

    @torch.no_grad()
    def prepare(self, batch: Batch) -> None:
        """The principal components of these examples, hidden cells at their means: where EM starts."""
        self._take(start(self._rows(batch), self.latent))

    @torch.no_grad()
    def solve(self, examples: Callable[[], Iterator[Batch]]) -> Iterator[None]:
        """Maximum likelihood: complete data at once, data with hidden cells by EM from the weights as they are, one
        pass over the data for each step, until a pass gains less than 1e-5 nats per example.
        """
        shared = self.noise != "elementwise"
        for found in maximize(lambda: map(self._rows, examples()), self._fitted, shared=shared):
            self._take(found)
            yield

    @torch.no_grad()
    def _take(self, found: Factors) -> None:
        """Make the weights those of a fit to the values themselves, before they are spread over their cells."""
        variance = found.variance + _wide(self.spread)
        variance = variance.mean() if self.noise != "elementwise" else variance.view(self.shapes.x)
        self.weight.copy_(found.weight)
        self.bias.copy_(found.mean)
        self.gaussian.log_sigma.copy_(0.5 * variance.log())

    def _fitted(self) -> Factors:
        """The inverse of :meth:`_take`."""
        now = self._factors()
        return now._replace(variance=(now.variance - _wide(self.spread)).clamp(min=FLOOR), prior=1.0)


def _wide(value: Tensor) -> Tensor:
    """In double precision, on the CPU if the device has none."""
    return (value.cpu() if value.device.type == "mps" else value).double()
