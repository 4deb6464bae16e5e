"""Any model of :mod:`cnncli.nn`, run by torch; torch is imported when an engine is made."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnncli.checkpoint import Checkpoint

CHUNK = 512  # pictures at once: enough to keep every core busy, little memory


class TorchEngine:
    """Runs a checkpoint's network with torch.

    Parameters
    ----------
    checkpoint
        Any model that :mod:`cnncli.nn.models` knows.
    device
        ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"``.
    jobs
        Threads of the CPU; 0 leaves the choice to torch.

    Raises
    ------
    DeviceError
        If the device is not available.
    """

    name = "torch"

    def __init__(self, checkpoint: Checkpoint, device: str = "auto", jobs: int = 0) -> None:
        import torch

        from cnncli.nn.device import pick_device
        from cnncli.nn.state_dict import load_network

        if jobs:
            torch.set_num_threads(jobs)
        self._device = pick_device(device)
        self._model = load_network(checkpoint).to(self._device)

    def logits(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the network's outputs before softmax: ``(N, C, H, W)`` to ``(N, K)``."""
        import torch

        with torch.inference_mode():
            parts: list[Any] = [
                self._model(torch.from_numpy(batch[i : i + CHUNK]).to(self._device)).float().cpu()
                for i in range(0, max(len(batch), 1), CHUNK)
            ]
        return np.asarray(torch.cat(parts).numpy(), np.float32)
