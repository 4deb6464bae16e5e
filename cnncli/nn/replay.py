"""Training steps on a GPU that are recorded once and then launched as a whole (a CUDA graph).

A step of a small network is a hundred launches of a few microseconds, and a processor takes longer
to start each than a GPU to do it. Recorded, they start together. So that a recorded step needs no
word from the processor, all that changes from step to step lies on the device: the epoch's plan,
the place in it, the number of the step, and the rates by that number.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from cnncli.nn.augment import Variations
from cnncli.nn.optimizers import Optimizer

WARM_UP = 3  # steps launched one by one first: libraries choose their algorithms, memory is taken


class Plan:
    """An epoch's plan and a run's rates in memory that stays where it is.

    Parameters
    ----------
    pictures, batch_size
        Of the run.
    rates
        Learning rate of every step of the run.
    shares
        How far the averaged weights move towards the others, for every step; empty without them.
    device
        Where to keep them.

    Attributes
    ----------
    order, variations
        Of the current epoch.
    rows
        int64 ``(batch_size,)``: positions in the epoch that the next step learns from.
    """

    def __init__(
        self,
        pictures: int,
        batch_size: int,
        rates: Sequence[float],
        shares: Sequence[float],
        device: torch.device,
    ) -> None:
        self.order = torch.arange(pictures, device=device)
        self.variations: Variations | None = None
        self.rows = torch.arange(batch_size, device=device)
        self._number = torch.zeros(1, dtype=torch.int64, device=device)
        self._rates = torch.tensor(rates, dtype=torch.float32, device=device)
        self._shares = torch.tensor(shares, dtype=torch.float32, device=device)

    def begin(self, order: Tensor, variations: Variations | None, position: int, step: int) -> None:
        """Take over an epoch's plan, and stand before the picture `position` and the step."""
        self.order.copy_(order)
        if variations is not None and self.variations is None:
            self.variations = variations.clone()
        elif variations is not None and self.variations is not None:
            self.variations.copy_(variations)
        torch.arange(position, position + len(self.rows), out=self.rows)
        self._number.fill_(step)

    @property
    def rate(self) -> Tensor:
        """Return the learning rate of the next step, float32 ``()``; nothing waits for it."""
        return self._rates.index_select(0, self._number).reshape(())

    @torch.no_grad()
    def average(self, averaged: list[Tensor], learned: list[Tensor]) -> None:
        """Move averaged weights towards the learned ones."""
        share = self._shares.index_select(0, self._number).reshape(())
        ways = torch._foreach_sub(learned, averaged)
        torch._foreach_mul_(ways, share)
        torch._foreach_add_(averaged, ways)

    def advance(self) -> None:
        """Go to the next step."""
        self.rows += len(self.rows)
        self._number += 1


def whole_step(
    plan: Plan,
    learn: Callable[[Tensor, Variations | None, Tensor], tuple[Tensor, Tensor]],
    totals: Tensor,
    optimizer: Optimizer,
    averaged: list[Tensor],
    learned: list[Tensor],
) -> None:
    """Learn from the plan's next pictures, and advance.

    Parameters
    ----------
    plan
        Says what is next.
    learn
        Returns the summed loss and the number of right answers of an epoch's order, variations
        and rows.
    totals
        Where both are added.
    optimizer
        Of the network that learns.
    averaged, learned
        Weights that follow, and those that they follow; may be empty.
    """
    loss, right = learn(plan.order, plan.variations, plan.rows)
    (loss / len(plan.rows)).backward()  # type: ignore[no-untyped-call]
    totals += torch.stack([loss.detach(), right])
    optimizer.step(plan.rate)
    if averaged:
        plan.average(averaged, learned)
    plan.advance()


class Recorded:
    """A function on a GPU that, from its fourth call on, is one launch.

    Parameters
    ----------
    function
        Always launches the same work on the same memory, and asks for no result.
    """

    def __init__(self, function: Callable[[], None]) -> None:
        self._function = function
        self._side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        self._calls = 0
        self._graph: torch.cuda.CUDAGraph | None = None

    def __call__(self) -> None:
        """Do what the function does."""
        self._calls += 1
        if self._calls == WARM_UP + 1:
            self._graph = self._record()
        if self._graph is not None:
            self._graph.replay()
            return
        # Not on the main stream: what a library sets up there could not be recorded.
        self._side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._side):
            self._function()
        torch.cuda.current_stream().wait_stream(self._side)

    def _record(self) -> torch.cuda.CUDAGraph:
        """Note the function's launches; none of them is made."""
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self._function()
        return graph
