"""Several processes on one model, started by ``torchrun``: the data order and noise of one process, shared out."""

import atexit
import os
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor


@dataclass(frozen=True)
class Workers:
    """This process among all."""

    rank: int = 0
    world: int = 1
    local_rank: int = 0

    @property
    def is_first(self) -> bool:
        """Whether this process is the one that writes and prints."""
        return self.rank == 0

    def add(self, value: Tensor) -> Tensor:
        """The sum over all processes."""
        if self.world > 1:
            dist.all_reduce(value)
        return value

    def any(self, value: bool, device: torch.device) -> bool:
        """Whether it is true in some process."""
        return value if self.world == 1 else self.add(torch.tensor(float(value), device=device)).item() > 0

    def wait(self) -> None:
        """Until every process is here."""
        if self.world > 1:
            dist.barrier()


def workers(device: str = "auto") -> Workers:
    """This process in the group that ``torchrun`` describes in the environment, if any.

    The group is joined at the first call and left when the program ends, since it cannot be joined a second time.
    """
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1:
        return Workers()
    uses_cuda = device.startswith("cuda") or (device == "auto" and torch.cuda.is_available())
    me = Workers(int(os.environ["RANK"]), world, int(os.environ.get("LOCAL_RANK", "0")))
    if uses_cuda:
        torch.cuda.set_device(me.local_rank)
    if not dist.is_initialized():
        dist.init_process_group("nccl" if uses_cuda else "gloo")
        atexit.register(dist.destroy_process_group)
    return me
