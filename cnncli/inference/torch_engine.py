"""Any model of :mod:`cnncli.nn`, run by torch; torch is imported when an engine is made."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnncli.checkpoint import Checkpoint

Array = NDArray[np.float32]

CHUNK = 512  # pictures of 64x64 at once: enough to keep every core busy, little memory


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
        # Maps side by side in memory: `deep` takes 0.6 of the time, `resnet18` 0.87 (n = 9).
        self._model = load_network(checkpoint).to(self._device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def outputs(self, batch: Array) -> tuple[Array, Array]:
        """Run the network.

        Parameters
        ----------
        batch
            float32 ``(N, C, H, W)``, normalised.

        Returns
        -------
        hidden, logits
            float32 ``(N, F)``, the input of the last layer, and ``(N, K)``, the outputs before
            softmax.
        """
        import torch

        seen: list[Any] = []
        chunk = max(1, min(CHUNK, CHUNK * 64 * 64 // (batch.shape[2] * batch.shape[3])))
        last = [layer for layer in self._model.modules() if isinstance(layer, torch.nn.Linear)][-1]
        hook = last.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].cpu()))
        try:
            with torch.inference_mode():
                parts = [
                    self._model(torch.from_numpy(batch[i : i + chunk]).to(self._device)).cpu()
                    for i in range(0, max(len(batch), 1), chunk)
                ]
        finally:
            hook.remove()
        return torch.cat(seen).numpy(), torch.cat(parts).numpy()
