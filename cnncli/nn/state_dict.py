"""Between a network in torch and the arrays of a checkpoint; plain ``.pt`` state dicts too."""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cnncli.checkpoint import (
    MAX_TENSOR_BYTES,
    Checkpoint,
    check_values,
    infer_model,
    plain_checkpoint,
)
from cnncli.errors import CheckpointError
from cnncli.layers import Layer
from cnncli.nn.layer_table import layer_table, state_shapes
from cnncli.nn.networks import build_network


def to_arrays(tensors: Mapping[str, Tensor]) -> dict[str, NDArray[np.float32]]:
    """Return the floating-point tensors of a state dict as float32 arrays of their own."""
    return {
        name: tensor.detach().to("cpu", torch.float32, copy=True).contiguous().numpy()
        for name, tensor in tensors.items()
        if tensor.is_floating_point()  # batch norm's counters are integers, and not needed
    }


def load_network(checkpoint: Checkpoint) -> nn.Module:
    """Build a checkpoint's network with its weights, on the CPU, in evaluation mode.

    Raises
    ------
    UsageError, ShapeError
        If no network has the name that it gives, or takes pictures of its size.
    CheckpointError
        If its tensors are not that network's.
    """
    with torch.device("meta"):  # takes no memory: a file may name any sizes
        expected = state_shapes(build_network(checkpoint.model))
    found = {name: array.shape for name, array in checkpoint.tensors.items()}
    if expected != found:
        names = sorted({n for n in {*expected, *found} if expected.get(n) != found.get(n)})
        raise CheckpointError(
            f"the weights are not those of {checkpoint.model.name}: other shapes of "
            f"{', '.join(names)[:200]}; name another file"
        )
    network = build_network(checkpoint.model)
    # What a checkpoint leaves out (batch norm's step counters) stays as built.
    state = network.state_dict() | {
        name: torch.from_numpy(array) for name, array in checkpoint.tensors.items()
    }
    network.load_state_dict(state)
    return network.eval()


def layers_of(checkpoint: Checkpoint) -> tuple[Layer, ...]:
    """Return the table that a checkpoint brings; one without it is run to make it."""
    return checkpoint.layers or layer_table(load_network(checkpoint), checkpoint.model)


def read_state_dict(path: Path) -> Checkpoint:
    """Read a ``.pt`` or ``.pth`` state dict of the lesson's SimpleCNN.

    Only tensors are read (``weights_only=True``): a pickle that runs code is refused.

    Parameters
    ----------
    path
        A file that ``torch.save(model.state_dict(), path)`` wrote.

    Raises
    ------
    CheckpointError
        If the file is missing, unsafe or broken, or holds other tensors.
    """
    state = _load(path)
    if isinstance(state, Mapping) and isinstance(state.get("state_dict"), Mapping):
        state = state["state_dict"]
    if not isinstance(state, Mapping) or not all(isinstance(v, Tensor) for v in state.values()):
        raise CheckpointError(
            f"{path} holds no state dict; write one with torch.save(model.state_dict(), path)"
        )
    named = {str(name).removeprefix("module."): value for name, value in state.items()}
    try:
        model = infer_model({name: tuple(value.shape) for name, value in named.items()})
        # A tensor may claim more elements than it stores (all of them the same one).
        _refuse_large(sum(4 * value.numel() for value in named.values()))
        arrays = to_arrays(named)
        for array in arrays.values():
            check_values(array)
        return plain_checkpoint(model, arrays)
    except CheckpointError as error:
        raise CheckpointError(f"{path} {error}") from error
    except (ValueError, TypeError, RuntimeError) as error:  # sparse, quantised, complex tensors
        what = " ".join(str(error).split())[:200]
        raise CheckpointError(
            f"{path} holds no plain weights: {what}; name another file"
        ) from error


def _refuse_large(size: int) -> None:
    if size > MAX_TENSOR_BYTES:
        raise CheckpointError(
            f"unpacks to {size} bytes, more than {MAX_TENSOR_BYTES}; name another file"
        )


def _unpacked_size(path: Path) -> int:
    if not zipfile.is_zipfile(path):
        return path.stat().st_size
    with zipfile.ZipFile(path) as archive:
        return sum(entry.file_size for entry in archive.infolist())


def _load(path: Path) -> Any:
    try:
        _refuse_large(_unpacked_size(path))
        return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise CheckpointError(f"weights {path} do not exist; name another file") from None
    except CheckpointError as error:
        raise CheckpointError(f"{path} {error}") from None
    except Exception as error:  # torch raises many kinds, with many lines, for a broken file
        raise CheckpointError(
            f"{path} cannot be read as a state dict without running code from it; "
            "write it again with torch.save(model.state_dict(), path)"
        ) from error
