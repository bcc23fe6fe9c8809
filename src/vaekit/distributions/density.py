"""What the densities here have in common."""

from collections.abc import Callable, Generator
from typing import Any

import torch
from torch import Size, Tensor
from torch.distributions import Distribution

NONE = Size()
Steps = Generator[tuple[Any, Distribution], Tensor, Tensor]


class Density(Distribution):
    """A distribution whose parameters are not validated: networks make them, and checks would break compiled graphs."""

    def __init__(self, batch_shape: Size, event_shape: Size = NONE):
        super().__init__(batch_shape, event_shape, validate_args=False)

    @property
    def arg_constraints(self) -> dict[str, Any]:
        """None."""
        return {}

    def tempered(self, temperature: float) -> Distribution:
        """The distribution with the spread of its normals ``temperature`` times as large: below 1 draws are more
        alike and more typical.
        """
        raise TypeError(f"{type(self).__name__} is not made of normals, so its temperature is 1")

    def steps(self, mask: Tensor | None = None) -> Steps:
        """The elements in parts, each given those before: yields where a part is, an index of the elements, and its
        elementwise distribution, is sent the part's values, and returns all values.
        """
        return (yield ..., self)


def in_steps(p: Distribution, choose: Callable[[Any, Distribution], Tensor], mask: Tensor | None = None) -> Tensor:
    """All values of an elementwise distribution: of each part what ``choose`` makes of its place and distribution."""
    if not isinstance(p, Density):
        return choose(..., p)
    steps = p.steps(mask)
    with torch.no_grad():
        try:
            part = next(steps)
            while True:
                part = steps.send(choose(*part))
        except StopIteration as stop:
            return stop.value
