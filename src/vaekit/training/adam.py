"""Adam by torch's fused kernel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

BETAS, EPSILON = (0.9, 0.999), 1e-8
MOMENTS = ("exp_avg", "exp_avg_sq")


class AdamW:
    """Adam with decoupled weight decay (Kingma and Ba, 2015; Loshchilov and Hutter, 2019), to the bit
    ``torch.optim.AdamW(fused=True)`` of parameters on one device.

    It calls the kernel alone: what ``torch.optim`` does around it takes as long as all else in a small model's step.
    """

    def __init__(self, parameters: Sequence[Tensor], weight_decay: float = 0.0):
        self.parameters, self.weight_decay = list(parameters), weight_decay
        self.moments = tuple([torch.zeros_like(p.detach()) for p in self.parameters] for _ in MOMENTS)
        self.count = torch.zeros((), device=self.parameters[0].device if self.parameters else None)

    def clear(self) -> None:
        """Forget the gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self, lr: float) -> None:
        """Change the parameters that have a gradient."""
        taken = [i for i, parameter in enumerate(self.parameters) if parameter.grad is not None]
        parameters, means, squares = ([values[i] for i in taken] for values in (self.parameters, *self.moments))
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        self.count += 1
        torch._fused_adamw_(  # pyright: ignore[reportPrivateImportUsage]
            parameters, gradients, means, squares, [], [self.count] * len(taken), lr=lr, beta1=BETAS[0], beta2=BETAS[1],
            weight_decay=self.weight_decay, eps=EPSILON, amsgrad=False, maximize=False,
        )  # fmt: skip

    def state(self) -> dict[str, Tensor]:
        """Copies of the moments and the number of steps, under the names that ``torch.optim`` has for them."""
        named = zip(MOMENTS, self.moments, strict=True)
        moments = {f"{i}.{name}": value.clone() for name, values in named for i, value in enumerate(values)}
        return {**moments, **{f"{i}.step": self.count.clone() for i in range(len(self.parameters))}}

    @torch.no_grad()
    def load(self, state: Mapping[str, Tensor]) -> None:
        """Go on from a state; moments keep their parameter's layout in memory. Raises KeyError or ValueError where the
        state is one of other parameters.
        """
        if len(state) != 3 * len(self.parameters):
            raise ValueError(f"{len(state)} moments and counts for {len(self.parameters)} parameters")
        for i, parameter in enumerate(self.parameters):
            self.count.copy_(state[f"{i}.step"])
            for name, values in zip(MOMENTS, self.moments, strict=True):
                given = state[f"{i}.{name}"]
                if given.shape != parameter.shape:
                    shapes = f"{tuple(given.shape)} for a parameter of shape {tuple(parameter.shape)}"
                    raise ValueError(f"a moment of shape {shapes}")
                values[i].copy_(given)
