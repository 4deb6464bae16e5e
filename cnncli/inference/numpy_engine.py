"""The lesson's SimpleCNN on NumPy alone: a prediction without importing torch."""

from math import prod

import numpy as np
from numpy.typing import NDArray

from cnncli.checkpoint import Checkpoint, simple_shapes
from cnncli.config import ModelConfig
from cnncli.errors import DeviceError
from cnncli.ops import max_pool2d

Array = NDArray[np.float32]

CHUNK = 64  # pictures at once: the gathered windows of a layer stay within a few megabytes


class NumpyEngine:
    """Runs a SimpleCNN of any size, channels and classes.

    Pictures lie side by side as ``(H, W, N, C)``: a window's nine shifts are then whole blocks of
    memory, a layer is one matrix product, and pooling is the one of :mod:`cnncli.ops`.

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
        tensors, model = checkpoint.tensors, checkpoint.model
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
        self._scratch: dict[str, Array] = {}

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
        for start in range(0, len(batch), CHUNK):
            hidden[start : start + CHUNK] = self._hidden_layer(batch[start : start + CHUNK])
        return hidden, hidden @ self._output[0] + self._output[1]

    def _hidden_layer(self, batch: Array) -> Array:
        maps = batch.transpose(2, 3, 0, 1)  # (H, W, N, C)
        for weights, bias in self._convolutions:
            # Pooling first: the maximum commutes with adding a bias and with ReLU.
            maps = _pool(self._convolve(maps, weights))
            maps += bias
            np.maximum(maps, 0, out=maps)
        flat = maps.transpose(2, 0, 1, 3).reshape(
            len(batch), len(self._hidden[0])
        )  # (N, H/4 * W/4 * C)
        hidden: Array = np.maximum(flat @ self._hidden[0] + self._hidden[1], 0)
        return hidden

    def _convolve(self, maps: Array, weights: Array) -> Array:
        """Correlate (H, W, N, C) with 3x3 kernels, a border of zeros around: (H, W, N, out)."""
        height, width, count, channels = maps.shape
        padded = self._room("padded", (height + 2, width + 2, count, channels))
        for edge in (padded[0], padded[-1], padded[:, 0], padded[:, -1]):
            edge.fill(0)
        padded[1:-1, 1:-1] = maps
        windows = self._room("windows", (height, width, count, 9 * channels))
        for tap in range(9):
            row, column = divmod(tap, 3)
            windows[..., tap * channels : (tap + 1) * channels] = padded[
                row : row + height, column : column + width
            ]
        product = self._room("product", (height, width, count, weights.shape[1]))
        flat = windows.reshape(-1, 9 * channels)
        np.matmul(flat, weights, out=product.reshape(-1, weights.shape[1]))
        return product

    def _room(self, name: str, shape: tuple[int, ...]) -> Array:
        """Return memory that is kept between calls: fresh pages cost more than the arithmetic."""
        size = prod(shape)
        held = self._scratch.get(name)
        if held is None or held.size < size:
            held = self._scratch[name] = np.empty(size, np.float32)
        return held[:size].reshape(shape)


def multiply_adds(model: ModelConfig) -> int:
    """Return the multiplications of a weight and an input for one picture.

    >>> multiply_adds(ModelConfig())
    1218048
    """
    pixels = model.height * model.width
    quarter = (model.height // 2) * (model.width // 2)
    places = {"conv1.weight": pixels, "conv2.weight": quarter, "fc1.weight": 1, "fc2.weight": 1}
    shapes = simple_shapes(model)
    return sum(prod(shapes[name]) * count for name, count in places.items())


def _as_matrix(weight: Array) -> Array:
    """Return kernels (out, in, 3, 3) as a matrix (9 * in, out), windows row by row."""
    return np.ascontiguousarray(weight.transpose(2, 3, 1, 0).reshape(-1, len(weight)))


def _pool(maps: Array) -> Array:
    height, width, count, channels = maps.shape
    pooled = max_pool2d(maps.reshape(height, width, -1), 2, edge="drop")
    return np.asarray(pooled, np.float32).reshape(height // 2, width // 2, count, channels)
