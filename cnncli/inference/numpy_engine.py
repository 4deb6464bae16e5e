"""The lesson's SimpleCNN on NumPy alone: a prediction without importing torch."""

from math import prod

import numpy as np
from numpy.typing import NDArray

from cnncli.checkpoint import Checkpoint
from cnncli.config import MOVES, ModelConfig
from cnncli.errors import DeviceError

Array = NDArray[np.float32]

CHUNK = 32 * 28 * 28  # pixels at once: the gathered windows of a layer are a few megabytes


class NumpyEngine:
    """Runs a SimpleCNN of any size, channels and classes.

    Pictures lie side by side as ``(H, W, N, C)``: a window's nine shifts are then whole blocks of
    memory, and a layer is one matrix product.

    Parameters
    ----------
    checkpoint
        Its model must be ``"simple"``.

    Raises
    ------
    DeviceError
        If it is another model.
    """

    name = "numpy"

    def __init__(self, checkpoint: Checkpoint) -> None:
        if checkpoint.model.name != "simple":
            raise DeviceError(
                f"the numpy engine cannot run the model {checkpoint.model.name!r}; "
                "use --engine torch"
            )
        self._model = model = checkpoint.model
        tensors = checkpoint.tensors
        self._convolutions = [
            (_as_matrix(tensors[f"{layer}.weight"]), tensors[f"{layer}.bias"])
            for layer in ("conv1", "conv2")
        ]
        hidden, channels = tensors["fc1.weight"], tensors["conv2.weight"].shape[0]
        # torch flattens channels first; here they come last, so the weights are turned, once.
        maps = hidden.reshape(len(hidden), channels, model.height // 4, model.width // 4)
        turned = maps.transpose(2, 3, 1, 0).reshape(-1, len(hidden))
        self._hidden = np.ascontiguousarray(turned), tensors["fc1.bias"]
        self._output = np.ascontiguousarray(tensors["fc2.weight"].T), tensors["fc2.bias"]

    def outputs(self, batch: Array) -> tuple[Array, Array]:
        """Run the network.

        Parameters
        ----------
        batch
            float32 ``(N, C, H, W)``, normalised.

        Returns
        -------
        hidden, logits
            float32 ``(N, 128)``, the last hidden layer after ReLU, and ``(N, K)``, the outputs
            before softmax.
        """
        hidden = np.empty((len(batch), len(self._hidden[1])), np.float32)
        count = max(1, CHUNK // prod(batch.shape[2:]))
        for start in range(0, len(batch), count):
            seen = views(batch[start : start + count], self._model)
            maps = np.concatenate(seen).transpose(2, 3, 0, 1)  # (H, W, V * N, C)
            for weights, bias in self._convolutions:
                # Pooling first: the maximum commutes with adding a bias and with ReLU.
                maps = np.maximum(_pool(_convolve(maps, weights)) + bias, 0)
            flat = maps.transpose(2, 0, 1, 3).reshape(maps.shape[2], -1)  # (V * N, H/4 * W/4 * C)
            found = np.maximum(flat @ self._hidden[0] + self._hidden[1], 0)
            hidden[start : start + count] = found.reshape(len(seen), -1, found.shape[1]).mean(0)
        return hidden, hidden @ self._output[0] + self._output[1]


def views(batch: Array, model: ModelConfig) -> list[Array]:
    """Return the views ``(N, C, H, W)`` of pictures that a network answers for, these first."""
    found = [batch]
    if model.moved:
        rows, columns = map(np.arange, batch.shape[2:])
        for y, x in MOVES:
            moved = batch.take(rows + y, 2, mode="clip")
            found.append(moved.take(columns + x, 3, mode="clip"))
    if model.mirrored:
        found += [view[..., ::-1] for view in found]
    return found


def _as_matrix(weight: Array) -> Array:
    """Return kernels (out, in, 3, 3) as a matrix (9 * in, out), windows row by row."""
    return np.ascontiguousarray(weight.transpose(2, 3, 1, 0).reshape(-1, len(weight)))


def _convolve(maps: Array, weights: Array) -> Array:
    """Correlate (H, W, N, C) with 3x3 kernels, a border of zeros around: (H, W, N, out)."""
    height, width, count, channels = maps.shape
    padded = np.zeros((height + 2, width + 2, count, channels), np.float32)
    padded[1:-1, 1:-1] = maps
    windows = np.empty((height, width, count, 9, channels), np.float32)
    for tap in range(9):
        row, column = divmod(tap, 3)
        windows[..., tap, :] = padded[row : row + height, column : column + width]
    product = windows.reshape(-1, len(weights)) @ weights
    return product.reshape(height, width, count, -1)


def _pool(maps: Array) -> Array:
    """Return the maximum of each 2x2 window, (H // 2, W // 2, N, C)."""
    height, width = maps.shape[0] // 2 * 2, maps.shape[1] // 2 * 2
    rows = np.maximum(maps[0:height:2], maps[1:height:2])
    return np.maximum(rows[:, 0:width:2], rows[:, 1:width:2])
