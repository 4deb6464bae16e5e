"""Several processes on one run: what torchrun starts, seen from the training loop."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, distributed

from cnncli.errors import DeviceError


@dataclass(frozen=True, slots=True)
class World:
    """Tell one process of a run from the others; a single process is a world of its own.

    Parameters
    ----------
    rank
        Number of this process; 0 shows and writes.
    size
        How many there are.
    local_rank
        Number of this process on its machine: the GPU it takes.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0

    @property
    def is_first(self) -> bool:
        """Tell whether this process shows and writes."""
        return self.rank == 0

    def share(self, rows: Tensor) -> Tensor:
        """Return this process's part of positions; together the parts are all, each one once."""
        return rows[self.rank :: self.size] if self.size > 1 else rows

    def sum(self, values: Tensor) -> Tensor:
        """Return the sum of a tensor over all processes."""
        if self.size > 1:
            distributed.all_reduce(values)
        return values

    def sum_gradients(self, parameters: Iterable[Tensor]) -> None:
        """Replace the gradients of parameters by their sums over all processes."""
        if self.size > 1:
            gradients = [p.grad for p in parameters if p.grad is not None]
            flat = self.sum(torch.cat([gradient.flatten() for gradient in gradients]))
            sizes = [gradient.numel() for gradient in gradients]
            for gradient, total in zip(gradients, torch.split(flat, sizes), strict=True):
                gradient.copy_(total.view_as(gradient))

    def take_firsts(self, tensors: Iterable[Tensor]) -> None:
        """Replace tensors by those of the first process."""
        if self.size > 1:
            for tensor in tensors:
                distributed.broadcast(tensor, 0)

    def any(self, wish: bool) -> bool:
        """Tell whether any process wishes so: all of them get the same answer."""
        if self.size == 1:
            return wish
        return bool(self.sum(torch.tensor(float(wish))) > 0)

    @contextmanager
    def first_goes_ahead(self) -> Iterator[None]:
        """Let the first process do what stands inside before the others do it."""
        if self.size > 1 and not self.is_first:
            distributed.barrier()
        yield
        if self.size > 1 and self.is_first:
            distributed.barrier()


def join_world(device: str) -> World:
    """Join the processes that torchrun started, or return a world of one.

    Parameters
    ----------
    device
        The device asked for: ``"cpu"`` talks over gloo, GPUs over NCCL (and gloo).

    Raises
    ------
    DeviceError
        If the processes cannot find each other.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if "RANK" not in os.environ or size == 1:
        return World()
    # Gloo carries the few numbers on the CPU in either case.
    on_gpu = device != "cpu" and torch.cuda.is_available()
    try:
        distributed.init_process_group("cpu:gloo,cuda:nccl" if on_gpu else "gloo")
    except (RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise DeviceError(
            f"the {size} processes cannot find each other ({reason}); start them with torchrun"
        ) from error
    local_rank = int(os.environ.get("LOCAL_RANK", "0"))
    return World(distributed.get_rank(), distributed.get_world_size(), local_rank)


def leave_world(world: World) -> None:
    """Say goodbye to the other processes."""
    if world.size > 1:
        distributed.destroy_process_group()
