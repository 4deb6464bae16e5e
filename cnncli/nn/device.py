"""Where to compute, and with which numbers."""

import ctypes
import sys

import torch
from torch import nn

from cnncli.config import PrecisionName
from cnncli.errors import DeviceError
from cnncli.nn.networks import entry_of

# Of glibc's mallopt: how much freed memory to keep, from which size a block is the system's own,
# and how many pools threads have. They go as far as they can.
_KEEP = {-1: 2**31 - 1, -3: 2**30, -8: 1}


def pick_device(name: str, local_rank: int = 0) -> torch.device:
    """Return the device that a name stands for.

    Parameters
    ----------
    name
        ``"auto"`` (a CUDA GPU if there is one, else the CPU: networks this small gain nothing
        from Apple's MPS), ``"cpu"``, ``"cuda"``, ``"cuda:N"`` or ``"mps"``.
    local_rank
        Number of this process on its machine: which GPU ``"auto"`` and ``"cuda"`` take.

    Raises
    ------
    DeviceError
        If the name is unknown or the device is not there.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda":
        name = f"cuda:{local_rank}"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise DeviceError(f"device {name!r} is unknown; use auto, cpu, cuda or mps") from error
    there = {
        "cpu": True,
        "cuda": torch.cuda.is_available() and (device.index or 0) < torch.cuda.device_count(),
        "mps": torch.backends.mps.is_available(),
    }
    if device.type not in there:
        raise DeviceError(f"device {name!r} is not supported; use auto, cpu, cuda or mps")
    if not there[device.type]:
        raise DeviceError(f"device {name!r} is not available here; use --device cpu")
    return device


def has_fast_bf16(device: torch.device) -> bool:
    """Tell whether the device multiplies bfloat16 numbers in hardware."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type != "cpu":
        return False
    # Without these instructions oneDNN converts back and forth and loses time. The probes are
    # torch's own but not public: where one is gone, float32 is the safe answer.
    probes = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, probe, bool)() for probe in probes)


def use_bf16(precision: PrecisionName, device: torch.device, network: nn.Module) -> bool:
    """Tell whether layers shall compute in bfloat16.

    Kernels that see one map each gain nothing from bfloat16's matrix instructions: on one core of
    a processor that has them, MobileNetV3-Small learns 2 to 5 times as fast in float32.

    Raises
    ------
    DeviceError
        If bf16 is asked for on a device that cannot do it at all.
    """
    if precision == "bf16" and device.type == "mps":
        raise DeviceError("--precision bf16 does not work on mps; use --precision fp32")
    convolutions = (part for part in network.modules() if isinstance(part, nn.Conv2d))
    depthwise = any(1 < part.groups == part.in_channels for part in convolutions)
    suits = has_fast_bf16(device) and not (depthwise and device.type == "cpu")
    return precision == "bf16" or (precision == "auto" and suits)


def keep_memory() -> None:
    """Let what one operation frees serve the next, where the C library is glibc.

    It would hand large blocks back to the system and get them as cleared pages again. DeepCNN
    learns 11 % faster without (853 and 950 images/s on two Zen 5 cores, medians of 6 steps, 3 runs
    each); SimpleCNN's small blocks have nothing to gain, and lose 18 % where threads share a pool.
    """
    if sys.platform == "linux" and (change := getattr(ctypes.CDLL(None), "mallopt", None)):
        for what, value in _KEEP.items():
            change(what, value)


def claim_threads(device: torch.device, model: str, batch: int, processes: int) -> int:
    """Return how many threads shall share out each batch, and tell torch how many each may have.

    Parameters
    ----------
    device
        Only the CPU is shared out.
    model
        Name of the network; the registry says in what parts its batches are shared out, if at all,
        and whether its operations are too small for that.
    batch
        Pictures of it.
    processes
        That train together; each has its own part of every batch already.
    """
    entry = entry_of(model)
    if device.type == "cpu" and not entry.tiny:
        keep_memory()
    if device.type != "cpu" or not entry.least_part or processes > 1:
        return 1
    threads = torch.get_num_threads()
    workers = max(1, min(threads, batch // entry.least_part))
    torch.set_num_threads(1 if entry.tiny else threads // workers)
    return workers
