"""What the densities here have in common."""

from typing import Any

from torch import Size
from torch.distributions import Distribution

NONE = Size()


class Density(Distribution):
    """A distribution whose parameters are not validated: networks make them, and checks would break compiled graphs."""

    def __init__(self, batch_shape: Size, event_shape: Size = NONE):
        super().__init__(batch_shape, event_shape, validate_args=False)

    @property
    def arg_constraints(self) -> dict[str, Any]:
        """None."""
        return {}
