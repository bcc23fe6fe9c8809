"""The bound with a weight on the total correlation of the latents."""

import math
from typing import Literal, Self, get_args

import torch
from torch import Tensor

from vaekit.core import Objective, Shapes, Trace

from .layers import only_layer

Weights = Literal["stratified", "weighted"]


class TotalCorrelation(Objective):
    """log p(x|z) - α I(x; z) - β KL(q(z) || Π_d q(z_d)) - γ Σ_d KL(q(z_d) || p(z_d)): β-TCVAE (Chen et al., 2018).

    The three terms sum to the KL of the ELBO, which is what is computed; only where α or β differ from γ is the
    aggregate posterior q(z) = 1/N Σ_n q(z|x_n) estimated from the batch. ``weights`` says how: ``"stratified"`` counts
    z's own example once and lets the other B - 1 of the batch stand for the other N - 1 of the data, which is unbiased
    for q(z) and exact where the batch is the data (Chen et al. give one of the others a weight of its own, which adds
    variance only); ``"weighted"`` is their 1/(N B) Σ_b q(z|x_b), biased. Couples the examples of a batch. Needs one
    layer of latents that are independent given x.
    """

    couples_batch = True
    examples: int = 0

    def __init__(
        self,
        beta: float = 6.0,
        alpha: float = 1.0,
        gamma: float = 1.0,
        weights: Weights = "stratified",
        samples: int = 1,
    ):
        super().__init__()
        if min(alpha, beta, gamma) < 0 or samples < 1 or weights not in get_args(Weights):
            raise ValueError(
                "TotalCorrelation needs alpha, beta and gamma >= 0, weights 'stratified' or 'weighted', samples >= 1; "
                f"got {alpha=}, {beta=}, {gamma=}, {weights=}, {samples=}"
            )
        self.alpha, self.beta, self.gamma, self.weights, self.samples = alpha, beta, gamma, weights, samples

    def bind(self, shapes: Shapes) -> Self:
        """Take the number of examples."""
        self.examples = shapes.examples
        return self

    def forward(self, trace: Trace, log_px: Tensor, progress: Tensor) -> Tensor:
        """(B,)."""
        latent = only_layer(trace, "total-correlation")
        try:
            each = latent.q.log_prob_each(latent.z.unsqueeze(2))
        except TypeError as error:
            raise TypeError(f"objective 'total-correlation': {error}; use posterior 'diagonal-normal'") from error
        joint, product = self.aggregate(each.flatten(3))
        value = log_px - self.gamma * trace.kl() - (self.beta - self.gamma) * (joint - product)
        if self.alpha != self.gamma:
            value = value - (self.alpha - self.gamma) * (latent.log_q - joint)
        return value.mean(0)

    def aggregate(self, each: Tensor) -> tuple[Tensor, Tensor]:
        """log q(z) and Σ_d log q(z_d), both (K, B), from log q(z_d|x_b) for all pairs (K, B, B, D) of z and b.

        The diagonal pairs each z with its own example. Raises TypeError before the objective is bound.
        """
        if not self.examples:
            raise TypeError("objective 'total-correlation' is to be bound to shapes with the number of examples")
        batch = each.shape[2]
        if self.weights == "weighted":
            shift = math.log(self.examples * batch)
            return each.sum(-1).logsumexp(2) - shift, (each.logsumexp(2) - shift).sum(-1)
        others = math.log((1 - 1 / self.examples) / max(batch - 1, 1)) if self.examples > 1 else -math.inf
        log_weight = torch.full((batch, batch), others, device=each.device)
        log_weight.fill_diagonal_(-math.log(self.examples))
        joint = (each.sum(-1) + log_weight).logsumexp(2)
        return joint, (each + log_weight.unsqueeze(-1)).logsumexp(2).sum(-1)
