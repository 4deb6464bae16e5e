"""The table of any network's layers, found by running it once on a blank picture.

Hooks tell which layer is at work, and a mode of torch sees every function that it calls.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from cnncli.config import ModelConfig
from cnncli.errors import ShapeError
from cnncli.layers import Layer, Shape, tensor_shapes

_WORDS = {
    "batch_norm": "batch norm",
    "layer_norm": "layer norm",
    "relu": "ReLU",
    "relu_": "ReLU",
    "relu6": "ReLU6",
    "hardtanh": "ReLU6",
    "hardswish": "hard swish",
    "silu": "SiLU",
    "gelu": "GELU",
    "linear": "fully connected",
    "adaptive_avg_pool2d": "average over the picture",
    "mean": "average over the picture",
    "amax": "maximum over the picture",
    "cat": "side by side",
    "add": "+ input",
    "__add__": "+ input",
    "__iadd__": "+ input",
    "add_": "+ input",
    "mul": "scaled",
    "__mul__": "scaled",
    "multi_head_attention_forward": "attention",
}
_MIXES = {  # every value of their result sees the whole picture
    "adaptive_avg_pool2d", "mean", "amax", "flatten", "matmul",
    "multi_head_attention_forward",
}  # fmt: skip
_ATTACHED = ("batch norm", "layer norm", "ReLU", "ReLU6", "hard swish", "SiLU", "GELU")
_MOST_WORDS = 5  # of a row; of a longer block the convolutions are counted


def layer_table(network: nn.Module, config: ModelConfig) -> tuple[Layer, ...]:
    """Return one row for each layer or block of a network, in the order in which they work.

    Parameters
    ----------
    network
        As :func:`cnncli.nn.networks.build_network` makes it, on any device.
    config
        What it was made from: the size of its pictures.

    Raises
    ------
    ShapeError
        If the pictures are too small for it.

    Examples
    --------
    >>> from cnncli.nn.networks import build_network
    >>> layers = layer_table(build_network(ModelConfig()), ModelConfig())
    >>> [layer.name for layer in layers]
    ['conv1', 'pool', 'conv2', 'pool', 'fc1', 'fc2']
    >>> sum(layer.parameters for layer in layers)
    206922
    """
    watcher, learning = _Watcher(), network.training
    device = next(network.parameters()).device
    picture = torch.zeros(1, config.in_channels, config.height, config.width, device=device)
    try:
        with ExitStack() as hooks, torch.no_grad(), watcher:
            for name, part in _rows(network):
                watcher.watch(name, part, hooks)
            network.eval()(picture)
    except (RuntimeError, AssertionError) as error:
        what = " ".join(str(error).split())[:160]
        raise ShapeError(
            f"{config.height}x{config.width} pixels do not fit {config.name} ({what}); "
            "use a larger --image-size; torchvision's networks are made for 224"
        ) from error
    finally:
        network.train(learning)
    first, *others = watcher.layers()
    known = tensor_shapes([first, *others])
    own = {name: shape for name, shape in state_shapes(network).items() if name not in known}
    return replace(first, tensors={**first.tensors, **own}), *others


def part_outputs(
    network: nn.Module, image: NDArray[np.float32], names: Iterable[str]
) -> dict[str, list[NDArray[np.float32]]]:
    """Run one picture through a network and note what some of its parts give.

    Parameters
    ----------
    network
        In evaluation mode.
    image
        Network input ``(C, H, W)``.
    names
        Of the parts, as ``get_submodule`` finds them.

    Returns
    -------
    dict
        The outputs of each part, one a call.
    """
    outputs: dict[str, list[NDArray[np.float32]]] = {name: [] for name in names}

    def noting(name: str) -> Any:
        # A copy: what follows may work in place.
        return lambda _part, _in, out: outputs[name].append(out[0].float().clone().numpy())

    with ExitStack() as hooks, torch.inference_mode():
        for name in outputs:
            hooks.enter_context(network.get_submodule(name).register_forward_hook(noting(name)))
        network(torch.from_numpy(image)[None])
    return outputs


def _rows(network: nn.Module, prefix: str = "") -> Iterator[tuple[str, nn.Module]]:
    """Yield what gets a row: the network's parts, and those of plain sequences."""
    for name, part in network.named_children():
        if type(part) in (nn.Sequential, nn.ModuleList):
            yield from _rows(part, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", part


class _Watcher(TorchFunctionMode):
    """Notes what each row does; a tensor carries its receptive field and step as an attribute."""

    def __init__(self) -> None:
        super().__init__()
        self._current: _Row | None = None
        self._done: list[_Row] = []

    def watch(self, name: str, part: nn.Module, hooks: ExitStack) -> None:
        """Let a part of the network begin and end a row, as long as the hooks last."""

        def begin(_part: nn.Module, _inputs: object) -> None:
            self._current = _Row(name, part)
            self._done.append(self._current)

        def end(_part: nn.Module, _inputs: object, output: Tensor) -> None:
            if self._current:
                self._current.output = output
            self._current = None

        hooks.enter_context(part.register_forward_pre_hook(begin))
        hooks.enter_context(part.register_forward_hook(end))

    def __torch_function__(
        self, func: Callable[..., Any], types: object, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Run a function of torch, and note what it is and what its result sees."""
        name = getattr(func, "__name__", "")
        result = func(*args, **(kwargs or {}))
        out = result[0] if name == "multi_head_attention_forward" else result
        inputs = [value for value in _flat((args, kwargs)) if isinstance(value, Tensor)]
        if isinstance(out, Tensor) and inputs:
            field, step = _seen(inputs)
            edge, stride = _window(name, args, kwargs or {})
            field, step = field and field + (edge - 1) * step, step * stride
            out._seen = (0 if name in _MIXES else field, step)  # type: ignore[attr-defined]
            self._note(name, inputs, out, edge)
        return result

    def _note(self, name: str, inputs: list[Tensor], out: Tensor, edge: int) -> None:
        row = self._current
        if row is None:
            if name not in ("amax", "mean"):
                return
            row = _Row("max" if name == "amax" else name, None)
            row.output = out
            self._done.append(row)
        if word := _word(name, inputs, edge):
            row.words.append(word)
        if name in ("conv2d", "linear"):
            # Of one view: a network may lay several of the picture side by side in a batch.
            views = len(out) if name == "conv2d" or out.ndim == 2 else 1
            row.multiply_adds += out.numel() // views * inputs[1][0].numel()
        elif name == "multi_head_attention_forward":  # out: (places, 1, channels)
            row.multiply_adds += out.numel() * (4 * out.shape[2] + 2 * len(out))

    def layers(self) -> Iterator[Layer]:
        """Return the rows; what only rectifies or normalises belongs to the layer before it."""
        kept: list[Layer] = []
        for row in self._done:
            layer = row.layer()
            words = layer.operation.split(", ")
            weighty = [i for i, other in enumerate(kept) if other.multiply_adds]
            if not layer.operation and not layer.tensors:
                continue
            if weighty and not layer.multiply_adds and all(word in _ATTACHED for word in words):
                owner = kept[weighty[-1]]
                kept[weighty[-1]] = replace(
                    owner,
                    operation=f"{owner.operation}, {layer.operation}",
                    tensors={**owner.tensors, **layer.tensors},
                    part=layer.part,
                )
                continue
            kept.append(layer)
        yield from kept


class _Row:
    """A row in the making."""

    def __init__(self, name: str, part: nn.Module | None) -> None:
        self.name, self.part = name, part
        self.words: list[str] = []
        self.multiply_adds = 0
        self.output: Any = None

    def layer(self) -> Layer:
        tensors = state_shapes(self.part) if self.part else {}
        shape = tuple(self.output.shape[1:])
        return Layer(
            self.name,
            _sentence(self.words),
            shape[:1] if shape[1:] == (1, 1) and not self.multiply_adds else shape,
            {f"{self.name}.{name}": size for name, size in tensors.items()},
            self.multiply_adds,
            getattr(self.output, "_seen", (0, 1))[0],
            self.name if self.part else "",
        )


def state_shapes(part: nn.Module) -> dict[str, Shape]:
    """Return the shapes of the floating-point tensors of a network's state dict, or a part's."""
    state = part.state_dict()
    return {name: tuple(t.shape) for name, t in state.items() if t.is_floating_point()}


def _flat(value: Any) -> Iterator[Any]:
    if isinstance(value, list | tuple):
        for inner in value:
            yield from _flat(inner)
    elif isinstance(value, dict):
        yield from _flat(list(value.values()))
    else:
        yield value


def _seen(inputs: list[Tensor]) -> tuple[int, int]:
    """Return the receptive field and the step of what several tensors make together."""
    known = [tensor._seen for tensor in inputs if hasattr(tensor, "_seen")] or [(1, 1)]
    fields = [field for field, _ in known]
    return (max(fields) if all(fields) else 0), max(step for _, step in known)


def _window(name: str, args: Any, kwargs: dict[str, Any]) -> tuple[int, int]:
    """Return the edge of a function's windows and their stride; 1 and 1 of all others."""
    if name == "conv2d":
        names = ("input", "weight", "bias", "stride", "padding", "dilation")
        values = dict(zip(names, args, strict=False)) | kwargs
        edge, stride = max(values["weight"].shape[2:]), values.get("stride", 1)
        return (edge - 1) * _largest(values.get("dilation", 1)) + 1, _largest(stride)
    if name in ("max_pool2d", "avg_pool2d"):
        values = dict(zip(("input", "kernel_size", "stride"), args, strict=False)) | kwargs
        edge = _largest(values["kernel_size"])
        return edge, _largest(values.get("stride") or edge)
    return 1, 1


def _largest(value: Any) -> int:
    return int(max(value)) if isinstance(value, list | tuple) else int(value)


def _word(name: str, inputs: list[Tensor], edge: int) -> str:
    if name == "conv2d":
        height, width = inputs[1].shape[2:]
        each = " of each map" if 1 == inputs[1].shape[1] < inputs[0].shape[1] else ""
        return f"{height}x{width} convolution{each}"
    if name in ("max_pool2d", "avg_pool2d"):
        return f"{edge}x{edge} {'max' if name == 'max_pool2d' else 'average'} pooling"
    return _WORDS.get(name, "")


def _sentence(words: list[str]) -> str:
    """Join what a row does; of a long block only its convolutions and the like are told."""
    if len(words) <= _MOST_WORDS:
        return ", ".join(words)
    counts = Counter(word for word in words if word not in _ATTACHED)
    return ", ".join(
        f"{word} ({count} times)" if count > 1 else word for word, count in counts.items()
    )
