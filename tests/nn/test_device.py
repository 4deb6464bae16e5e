"""Devices and precision."""

import subprocess
import sys

import pytest
import torch
from torch import nn

from cnncli.errors import DeviceError
from cnncli.nn.device import (
    claim_threads,
    has_fast_bf16,
    pick_device,
    use_bf16,
)


def test_auto_and_cpu() -> None:
    assert pick_device("cpu") == torch.device("cpu")
    assert pick_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gpu", "device 'gpu' is unknown; use auto, cpu, cuda or mps"),
        ("meta", "device 'meta' is not supported"),
        ("cuda:99", "device 'cuda:99' is not available here; use --device cpu"),
    ],
)
def test_other_devices_are_refused(name: str, message: str) -> None:
    with pytest.raises(DeviceError, match=message):
        pick_device(name)


def test_precision() -> None:
    cpu, plain = torch.device("cpu"), nn.Conv2d(8, 8, 3)
    assert use_bf16("bf16", cpu, plain)
    assert not use_bf16("fp32", cpu, plain)
    assert use_bf16("auto", cpu, plain) == has_fast_bf16(cpu)
    assert not has_fast_bf16(torch.device("mps"))
    with pytest.raises(DeviceError, match="--precision fp32"):
        use_bf16("bf16", torch.device("mps"), plain)


def test_kernels_of_one_map_are_learned_in_float32_on_a_cpu(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("cnncli.nn.device.has_fast_bf16", lambda _device: True)
    cpu, gpu = torch.device("cpu"), torch.device("cuda")
    depthwise, plain = nn.Conv2d(8, 8, 3, groups=8), nn.Conv2d(1, 8, 3)
    assert not use_bf16("auto", cpu, depthwise)
    assert use_bf16("auto", gpu, depthwise)
    assert use_bf16("bf16", cpu, depthwise)
    assert use_bf16("auto", cpu, plain)


@pytest.mark.parametrize(
    ("model", "batch", "processes", "workers", "each"),
    [
        ("simple", 256, 1, 4, 1),
        ("simple", 128, 1, 2, 1),  # parts of 64 pictures: fewer take longer to meet than to learn
        ("simple", 16, 1, 1, 1),
        ("deep", 256, 1, 4, 1),
        ("deep", 112, 1, 3, 1),  # parts of 32 pictures or more
        ("deep", 64, 1, 2, 2),
        ("deep", 16, 1, 1, 4),  # fewer would have no statistics worth the name
        ("resnet18", 256, 1, 1, 4),
        ("simple", 256, 2, 1, 4),
    ],
)
def test_threads_share_batches_as_the_network_allows(
    model: str, batch: int, processes: int, workers: int, each: int
) -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(4)
        assert claim_threads(torch.device("cpu"), model, batch, processes) == workers
        assert torch.get_num_threads() == each
    finally:
        torch.set_num_threads(before)


@pytest.mark.skipif(sys.platform != "linux", reason="the C library keeps memory its own way")
def test_memory_that_was_freed_is_not_given_back() -> None:
    script = """if True:
        import resource, sys, torch
        from cnncli.nn.device import keep_memory
        if "keep" in sys.argv:
            keep_memory()
        for _ in range(30):
            torch.ones(2**24)  # 64 MB: 16,384 pages, each a fault where it is new
        print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
    """
    plain, keeps = (
        int(
            subprocess.run(
                [sys.executable, "-c", script, *word], check=True, capture_output=True
            ).stdout
        )
        for word in ([], ["keep"])
    )
    assert keeps < plain / 2
