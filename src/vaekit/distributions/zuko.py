"""The one way to zuko, which is optional and would change torch for everybody."""

from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import Any

import torch
from torch import nn
from torch.distributions import Distribution

FLOWS: dict[str, tuple[str, dict[str, Any]]] = {  # zuko's class and its options
    "maf": ("MAF", {}),
    "realnvp": ("MAF", {"passes": 2, "randperm": True}),
    "nsf": ("NSF", {"bins": 8}),
}


def load_zuko() -> ModuleType:
    """Zuko (Rozet et al., 2022), imported with torch's validation of distributions left as it was.

    Raises ImportError where it is not installed.
    """
    validate = Distribution._validate_args
    try:
        import zuko
    except ImportError as error:
        raise ImportError("flows need the package zuko: install it with pip install 'vaekit[flows]'") from error
    finally:
        Distribution.set_default_validate_args(validate)
    return zuko


def make_flow(kind: str, dim: int, context: int, transforms: int, hidden: Sequence[int]) -> nn.Module:
    """A module c (..., context) or None ↦ an invertible transformation of vectors, which begins near the identity."""
    name, options = FLOWS[kind]
    make = getattr(load_zuko().flows, name)
    with torch.device("cpu"):  # zuko looks at the values of its masks
        flow = make(dim, context, transforms=transforms, hidden_features=hidden, **options).transform
    with torch.no_grad():
        for last in _last_parameters(flow):
            last.mul_(0.1)
    return flow.to(torch.get_default_device())


def _last_parameters(flow: nn.Module) -> Iterator[nn.Parameter]:
    """Those that the parameters of each map are affine in, or are; the latter where there is one dimension alone."""
    for module in flow.modules():
        if isinstance(module, nn.Sequential):
            yield from list(module.parameters())[-2:]
        elif isinstance(module, nn.ParameterList):
            yield from module
