"""The bound with a target for the KL."""

from torch import Tensor

from vaekit.core import Objective, Trace

from .annealing import ramp


class Capacity(Objective):
    """E_q[log p(x|z)] - γ |KL(q(z|x) || p(z)) - C|, averaged over ``samples`` draws (Burgess et al., 2018).

    The KL of each example is led to C, which rises linearly from 0 to ``capacity`` nats over the fraction ``warmup`` of
    the training steps.
    """

    def __init__(self, capacity: float = 25.0, gamma: float = 1000.0, warmup: float = 0.5, samples: int = 1):
        super().__init__()
        if capacity < 0 or gamma < 0 or not 0 <= warmup <= 1 or samples < 1:
            raise ValueError(
                "Capacity needs capacity >= 0, gamma >= 0, warmup in [0, 1] and samples >= 1; "
                f"got {capacity=}, {gamma=}, {warmup=}, {samples=}"
            )
        self.capacity, self.gamma, self.warmup, self.samples = capacity, gamma, warmup, samples

    def forward(self, trace: Trace, log_px: Tensor, progress: Tensor) -> Tensor:
        """(B,)."""
        target = self.capacity * ramp(progress, self.warmup)
        return (log_px - self.gamma * (trace.kl() - target).abs()).mean(0)
