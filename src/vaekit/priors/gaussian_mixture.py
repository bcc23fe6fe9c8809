"""Learned mixture of normals as a prior."""

import warnings
from typing import Self

import torch
from torch import Tensor, nn

from vaekit.core import Conditional, Prior, Shapes
from vaekit.distributions import NormalMixture


class GaussianMixture(Prior):
    """p(z) = Σ_m w_m N(mean_m, diag exp(log_var_m)), all learned (Dilokthanakul et al., 2017).

    It begins at the EM solution for draws from q(z|x) of some training examples, which before any training of the
    encoder is close to N(0, I).
    """

    def __init__(self, components: int = 50):
        super().__init__()
        if components < 1:
            raise ValueError(f"GaussianMixture needs at least 1 component, got {components}")
        self.components = components

    def bind(self, shapes: Shapes) -> Self:
        """Means (M, *latent) drawn from N(0, I) / 2, variances 1, equal weights."""
        self.event = self.latent_of(shapes)
        self.logits = nn.Parameter(torch.zeros(self.components))
        self.loc = nn.Parameter(0.5 * torch.randn(self.components, *self.event))
        self.log_var = nn.Parameter(torch.zeros(self.components, *self.event))
        return self

    @torch.no_grad()
    def prepare(self, embedded: Tensor, c: Tensor | None, encoder: Conditional) -> None:
        """Fit by EM, from k-means++ centers."""
        from sklearn import mixture
        from sklearn.exceptions import ConvergenceWarning

        z = encoder(embedded, c).sample().flatten(1).cpu().double().numpy()
        if len(z) < 2 * self.components:
            return
        em = mixture.GaussianMixture(
            self.components,
            covariance_type="diag",
            reg_covar=1e-4,
            max_iter=50,
            init_params="k-means++",
            random_state=int(torch.randint(2**31, ())),
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # gradient steps go on from here
            em.fit(z)
        for own, found in ((self.loc, em.means_), (self.log_var, em.covariances_), (self.logits, em.weights_)):
            own.copy_(torch.from_numpy(found).view(own.shape))
        self.log_var.log_()
        self.logits.log_()

    def forward(self, c: Tensor | None = None, encoder: Conditional | None = None) -> NormalMixture:
        """Batch shape (); log-variances are kept within ±15."""
        return NormalMixture(self.logits, self.loc, self.log_var.clamp(-15, 15), len(self.event))
