"""Weights that rise over the training."""

from torch import Tensor


def ramp(progress: Tensor, share: float, cycles: int = 1) -> Tensor | float:
    """From 0 to 1 over the first ``share`` of each of ``cycles`` equal parts of the training, then 1.

    One cycle is linear warm-up (Sønderby et al., 2016), more are cyclical annealing (Fu et al., 2019). ``progress``
    runs from 0 to 1; a share of 0 is the constant 1.
    """
    if share == 0:
        return 1.0
    position = progress * cycles
    return ((position - position.floor().clamp(max=cycles - 1)) / share).clamp(max=1)
