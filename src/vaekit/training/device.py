"""Where the arithmetic runs, and in which precision."""

from contextlib import AbstractContextManager, nullcontext
from functools import cache
from pathlib import Path

import torch

PRECISIONS = ("auto", "fp32", "bf16")


def choose_device(name: str = "auto") -> torch.device:
    """``auto`` is a CUDA GPU, else Apple's, else the processor. Raises ValueError for a device that is not there."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    kind = name.split(":")[0]
    if kind not in ("cpu", "cuda", "mps"):
        raise ValueError(f"device is one of auto, cpu, cuda, cuda:N and mps, got {name!r}")
    if kind == "cuda" and not torch.cuda.is_available():
        raise ValueError("device 'cuda' is not available: torch finds no CUDA GPU here; use device 'auto' or 'cpu'")
    if kind == "mps" and not torch.backends.mps.is_available():
        raise ValueError("device 'mps' is not available: torch finds no Apple GPU here; use device 'auto' or 'cpu'")
    return torch.device(name)


class Precision:
    """The number format of networks: ``fp32``, or ``bf16`` under autocast with float32 weights.

    ``auto`` is bf16 where the hardware multiplies it faster: on GPUs that support it and on processors with AMX.
    Densities are computed in float32 whatever the networks run in.
    """

    def __init__(self, device: torch.device, name: str = "auto"):
        if name not in PRECISIONS:
            raise ValueError(f"precision is one of {', '.join(PRECISIONS)}, got {name!r}")
        if name == "auto":
            name = "bf16" if _is_fast_bf16(device) else "fp32"
        self.device, self.name = device, name

    def autocast(self) -> AbstractContextManager:
        """The context in which networks run."""
        if self.name == "fp32":
            return nullcontext()
        return torch.autocast(self.device.type, dtype=torch.bfloat16)


def _is_fast_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device.type == "cpu" and _has_amx()


@cache
def _has_amx() -> bool:
    try:
        return "amx_bf16" in Path("/proc/cpuinfo").read_text()
    except OSError:
        return False
