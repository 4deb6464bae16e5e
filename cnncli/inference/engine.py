"""One network, whatever runs it, and the choice of what does."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from cnncli.checkpoint import Checkpoint
from cnncli.config import Preprocessing
from cnncli.errors import UsageError
from cnncli.inference.doubt import Doubt
from cnncli.inference.numpy_engine import NumpyEngine
from cnncli.preprocess import to_network_input

Array = NDArray[np.float32]

ENGINES = ("auto", "numpy", "torch")


class Network(Protocol):
    """What runs a network."""

    @property
    def name(self) -> str:
        """``"numpy"`` or ``"torch"``."""

    def outputs(self, batch: Array) -> tuple[Array, Array]:
        """Return the last hidden layer ``(N, F)`` and the logits ``(N, K)`` of a batch."""


@dataclass(frozen=True, slots=True)
class Engine:
    """A network with calibrated outputs.

    Parameters
    ----------
    network
        What runs it.
    preprocessing
        Mean and standard deviation of its pictures.
    temperature
        Divides the outputs before softmax, so that a confidence is how often it is right.
    doubt
        Tells what is unlike the network's training, if the checkpoint knows it.
    """

    network: Network
    preprocessing: Preprocessing
    temperature: float = 1.0
    doubt: Doubt | None = None

    @property
    def name(self) -> str:
        """``"numpy"`` or ``"torch"``."""
        return self.network.name

    def outputs(self, batch: Array) -> tuple[Array, Array]:
        """Return the last hidden layer ``(N, F)`` and the outputs before softmax ``(N, K)``."""
        return self.network.outputs(batch)

    def read(self, pixels: NDArray[np.uint8]) -> tuple[Array, NDArray[np.float64] | None]:
        """Return :meth:`answers` of prepared pictures, uint8 ``(N, H, W, C)``."""
        return self.answers(to_network_input(pixels, self.preprocessing))

    def probabilities(self, batch: Array) -> Array:
        """Return the probability of each class.

        Parameters
        ----------
        batch
            float32 ``(N, C, H, W)``, normalised.

        Returns
        -------
        Array
            float32 ``(N, K)``; rows sum to 1.
        """
        return self.answers(batch)[0]

    def answers(self, batch: Array) -> tuple[Array, NDArray[np.float64] | None]:
        """Return probabilities ``(N, K)`` and the doubt ``(N,)``, None where it is not known."""
        return self.all_answers(batch)[:2]

    def all_answers(self, batch: Array) -> tuple[Array, NDArray[np.float64] | None, Array]:
        """Return probabilities, doubt, and the last hidden layer ``(N, F)`` they come from."""
        hidden, logits = self.network.outputs(batch)
        doubt = None if self.doubt is None else self.doubt(hidden, logits)
        return softmax(logits / np.float32(self.temperature)), doubt, hidden


def softmax(logits: Array) -> Array:
    """Return ``exp(logits)`` with rows scaled to the sum 1, without overflow.

    >>> softmax(np.array([[1000.0, 1000.0]], np.float32)).tolist()
    [[0.5, 0.5]]
    """
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities: Array = powers / powers.sum(axis=1, keepdims=True)
    return probabilities


def load_engine(
    checkpoint: Checkpoint,
    engine: str = "auto",
    *,
    jobs: int = 0,
    device: str = "cpu",
) -> Engine:
    """Return what runs a checkpoint's network.

    Parameters
    ----------
    checkpoint
        The network.
    engine
        ``"numpy"``, ``"torch"``, or ``"auto"``: NumPy for the lesson's network on the CPU. There a
        digit takes as long in either, and processes start without torch: 60,000 files of digits
        are read in 11 s instead of 26 (one run each on two Zen 5 cores).
    jobs
        Threads for torch; 0 leaves the choice to it.
    device
        Where torch works; anything but ``"cpu"`` and ``"auto"`` needs torch.

    Raises
    ------
    UsageError
        If there is no such engine, or NumPy is to work on another device.
    DeviceError
        If the engine cannot run the network, or the device is missing.
    """
    if engine not in ENGINES:
        raise UsageError(f"--engine {engine!r} is unknown; use one of {', '.join(ENGINES)}")
    on_cpu = device in ("auto", "cpu")
    if engine == "numpy" and not on_cpu:
        raise UsageError(f"--engine numpy works on the CPU and --device is {device}; leave out one")
    if engine == "auto":
        engine = "numpy" if on_cpu and checkpoint.model.name == "simple" else "torch"
    temperature, doubt = temperature_of(checkpoint), doubt_of(checkpoint)
    if engine == "numpy":
        return Engine(NumpyEngine(checkpoint), checkpoint.preprocessing, temperature, doubt)
    from cnncli.inference.torch_engine import TorchEngine

    network = TorchEngine(checkpoint, device, jobs)
    return Engine(network, checkpoint.preprocessing, temperature, doubt)


def temperature_of(checkpoint: Checkpoint) -> float:
    """Return the calibration temperature that the model card carries; 1 if it carries none."""
    found = checkpoint.card.get("temperature", 1.0)
    return float(found) if isinstance(found, int | float) and 0 < found < 100 else 1.0


def doubt_of(checkpoint: Checkpoint) -> Doubt | None:
    """Return what the model card knows about real pictures; None if it knows nothing usable."""
    try:
        doubt = Doubt.from_dict(checkpoint.card["doubt"])
    except (KeyError, TypeError, ValueError, IndexError):
        return None
    last = checkpoint.layers[-1].name if checkpoint.layers else "fc2"
    weight = checkpoint.tensors.get(f"{last}.weight")
    fits = weight is not None and (len(doubt.means), len(doubt.variance)) == weight.shape
    return doubt if fits and all(len(row) == len(doubt.variance) for row in doubt.means) else None
