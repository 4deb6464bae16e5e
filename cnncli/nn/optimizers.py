"""The optimizers of the recipes, as torch computes them, without what torch loads beside them.

Building a ``torch.optim.Optimizer`` imports torch's compiler, which takes as long as torch itself
(1 to 2 s) and is of no use here. Their arithmetic is public in functional form.
"""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn
from torch.optim.adam import adam
from torch.optim.adamw import adamw
from torch.optim.sgd import sgd

from cnncli.config import TrainConfig
from cnncli.nn.muon import muon, muon_turn

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8  # of Kingma, Ba 2014, and of torch
MOMENTUM = 0.9


class Optimizer:
    """Update parameters from their gradients; what it remembers is in plain view.

    Parameters
    ----------
    parameters
        What to update, in place.
    config
        Names the optimizer and its weight decay.

    Attributes
    ----------
    state
        For each parameter in turn, named tensors: ``exp_avg``, ``exp_avg_sq`` and ``step`` of Adam
        and AdamW, ``momentum_buffer`` of SGD and Muon. Empty before the first step.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], config: TrainConfig) -> None:
        self.parameters = list(parameters)
        self.config = config
        self.state: list[dict[str, Tensor]] = []

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """Update every parameter once, all in one call (torch's fused form), and drop gradients.

        Parameters
        ----------
        rate
            Learning rate of this step.
        """
        if not self.state:
            self.state = [self._fresh(i) for i in range(len(self.parameters))]
        learned = [i for i, p in enumerate(self.parameters) if p.grad is not None]
        update = self._sgd if self.config.optimizer == "sgd" else self._adam
        update([i for i in learned if not self._is_muons(i)], rate)
        if matrices := [i for i in learned if self._is_muons(i)]:
            buffers = self._all("momentum_buffer", matrices)
            known = (*self._with_gradients(matrices), buffers, rate)
            if self.config.optimizer == "muon-turn":
                muon_turn(*known)
            else:
                muon(*known, self.config.weight_decay)
        for parameter in self.parameters:
            parameter.grad = None

    def load(self, state: Mapping[int, Mapping[str, Tensor]]) -> None:
        """Take over the state of another run, by number of the parameter.

        Raises
        ------
        KeyError, RuntimeError
            If something is missing or has another shape.
        """
        fresh = [self._fresh(i) for i in range(len(self.parameters))] if state else []
        for index, tensors in enumerate(fresh):
            for name, tensor in tensors.items():
                tensor.copy_(state[index][name])
        self.state = fresh

    def _is_muons(self, index: int) -> bool:
        """Whether Muon updates a parameter: convolutions' kernels; AdamW has the others."""
        return self.config.optimizer.startswith("muon") and self.parameters[index].ndim == 4

    def _fresh(self, index: int) -> dict[str, Tensor]:
        # Laid out in memory as the parameter is: fused updates walk them side by side.
        def zeros() -> Tensor:
            return torch.zeros_like(self.parameters[index], requires_grad=False)

        if self.config.optimizer == "sgd" or self._is_muons(index):
            return {"momentum_buffer": zeros()}
        step = torch.zeros((), dtype=torch.float32, device=self.parameters[index].device)
        return {"exp_avg": zeros(), "exp_avg_sq": zeros(), "step": step}

    def _all(self, name: str, indices: list[int]) -> list[Tensor]:
        return [self.state[i][name] for i in indices]

    def _with_gradients(self, indices: list[int]) -> tuple[list[Tensor], list[Tensor]]:
        parameters = [self.parameters[i] for i in indices]
        return list[Tensor](parameters), [p.grad for p in parameters if p.grad is not None]

    def _adam(self, indices: list[int], rate: float) -> None:
        update = adam if self.config.optimizer == "adam" else adamw
        update(
            *self._with_gradients(indices),
            self._all("exp_avg", indices),
            self._all("exp_avg_sq", indices),
            [],
            self._all("step", indices),
            foreach=False,
            capturable=False,
            differentiable=False,
            fused=True,
            amsgrad=False,
            beta1=BETA1,
            beta2=BETA2,
            lr=rate,
            weight_decay=self.config.weight_decay,
            eps=EPSILON,
            maximize=False,
        )

    def _sgd(self, indices: list[int], rate: float) -> None:
        sgd(
            *self._with_gradients(indices),
            # torch knows no first step where buffers of zeros stand: the result is the same.
            list[Tensor | None](self._all("momentum_buffer", indices)),
            foreach=False,
            fused=True,
            weight_decay=self.config.weight_decay,
            momentum=MOMENTUM,
            lr=rate,
            dampening=0.0,
            nesterov=True,
            maximize=False,
        )
