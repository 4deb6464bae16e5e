"""What a network answers on many pictures, and how good that is."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor, nn
from torch.nn import functional

from cnncli.config import Preprocessing

PIXELS = 500 * 28 * 28  # at once: their maps stay in the processor's cache, those of more do not


@dataclass(frozen=True, slots=True)
class Metrics:
    """How good a network is on a split: mean cross-entropy, share of right answers, size."""

    loss: float
    accuracy: float
    count: int


def normalise(images: Tensor, preprocessing: Preprocessing) -> Tensor:
    """Return what the network sees: ``(pixel / 255 - mean) / std``.

    Parameters
    ----------
    images
        uint8 or float32 in [0, 255], ``(N, C, H, W)``.
    preprocessing
        Mean and standard deviation of each channel.

    Returns
    -------
    torch.Tensor
        float32, ``(N, C, H, W)``, channels last in memory: what convolutions on a CPU like best.
    """
    factor, offset = _scales(preprocessing, images.device)
    # In place on a fresh float tensor: one pass over the batch each, no temporary.
    scaled = images.float().mul(factor).sub_(offset)
    return scaled.contiguous(memory_format=torch.channels_last)


@lru_cache(maxsize=8)
def _scales(preprocessing: Preprocessing, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return factor and offset of each channel; kept, as a copy to a GPU makes it wait."""
    with torch.inference_mode(mode=False):  # the same tensors serve training
        std = torch.tensor(preprocessing.std, device=device)[:, None, None]
        mean = torch.tensor(preprocessing.mean, device=device)[:, None, None]
        return 1 / (255 * std), mean / std


def logits_of(
    network: nn.Module,
    images: Tensor,
    preprocessing: Preprocessing,
    device: torch.device,
    workers: int = 1,
    *,
    bf16: bool = False,
    batch: int = 0,
) -> Tensor:
    """Return the network's outputs before softmax, in float32.

    Parameters
    ----------
    network
        On `device`; it is left in evaluation mode.
    images
        uint8, ``(N, C, H, W)``.
    preprocessing
        How pixels become input.
    device
        Where the network is.
    workers
        Threads that each take a batch at a time.
    bf16
        Whether layers compute in bfloat16.
    batch
        Pictures at once; by default as many as have :data:`PIXELS`.

    Returns
    -------
    torch.Tensor
        float32, ``(N, num_classes)``, on the CPU.
    """
    network.eval()
    batches = torch.split(images, batch or max(1, PIXELS // (images.shape[2] * images.shape[3])))

    def ask(pictures: Tensor) -> Tensor:
        # Modes of the thread that sets them.
        with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, bf16):
            logits: Tensor = network(normalise(pictures.to(device), preprocessing)).float()
            return logits

    with ThreadPoolExecutor(workers) as threads:
        return torch.cat(list(threads.map(ask, batches))).cpu()


def measure(logits: Tensor, labels: Tensor) -> Metrics:
    """Return loss and accuracy of logits ``(N, K)`` against labels ``(N,)``."""
    loss = functional.cross_entropy(logits, labels)
    right = (logits.argmax(1) == labels).sum()
    return Metrics(float(loss), int(right) / len(labels), len(labels))
