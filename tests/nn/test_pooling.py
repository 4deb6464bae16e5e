"""2x2 max pooling against torch's own, and a window by hand."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from cnncli.nn.pooling import MaxPool2x2, rectified_pool

POOL = MaxPool2x2()


def maps(shape: tuple[int, ...], dtype: torch.dtype, seed: int = 0) -> torch.Tensor:
    numbers = torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(dtype)
    return numbers.contiguous(memory_format=torch.channels_last)


def by_hand() -> torch.Tensor:
    """One map of two windows: the second holds nothing above 0."""
    rows = [[1.0, -2.0, -0.5, -1.0], [3.0, 0.5, -4.0, 0.0]]
    return torch.tensor(rows, dtype=torch.bfloat16)[None, None].requires_grad_()


def test_windows_by_hand() -> None:
    pooled = rectified_pool(by_hand().contiguous(memory_format=torch.channels_last), POOL)
    assert pooled.flatten().tolist() == [3.0, 0.0]
    assert POOL(by_hand().detach().float()).flatten().tolist() == [3.0, 0.0]


def test_gradients_by_hand() -> None:
    images = by_hand()
    last = images.contiguous(memory_format=torch.channels_last)
    pooled = rectified_pool(last, POOL)
    given_back = torch.tensor([[[[-7.0, 5.0]]]], dtype=torch.bfloat16)
    (found,) = torch.autograd.grad(pooled, images, given_back)
    assert found.flatten().tolist() == [0, 0, 0, 0, -7.0, 0, 0, 0]


@given(st.integers(1, 3), st.integers(1, 5), st.integers(2, 9), st.integers(2, 9), st.booleans())
def test_it_is_torchs_pooling(
    count: int, channels: int, height: int, width: int, last: bool
) -> None:
    images = maps((count, channels, height, width), torch.float32)
    images = images if last else images.contiguous()
    assert torch.equal(POOL(images), functional.max_pool2d(images, 2))


@given(st.integers(1, 3), st.integers(1, 5), st.integers(1, 4), st.integers(1, 4))
def test_learning_is_torchs_pooling(count: int, channels: int, height: int, width: int) -> None:
    # Whole numbers that bfloat16 holds, and no two equal ones in a window, of which either may win.
    generator = torch.Generator().manual_seed(1)
    coarse = torch.randint(-30, 30, (count, channels, height, width), generator=generator)
    fine = torch.tensor([[2, 0], [1, 3]]).repeat(height, width)
    images = (4 * coarse.repeat_interleave(2, 2).repeat_interleave(2, 3) + fine).bfloat16()
    images = images.contiguous(memory_format=torch.channels_last)
    ours, theirs = images.clone().requires_grad_(), images.clone().requires_grad_()
    found, expected = rectified_pool(ours, POOL), functional.max_pool2d(theirs, 2).relu()
    assert torch.equal(found, expected)
    back = maps(tuple(expected.shape), torch.bfloat16, seed=2)
    (given_by_ours,) = torch.autograd.grad(found, ours, back)
    (given_by_theirs,) = torch.autograd.grad(expected, theirs, back)
    assert torch.equal(given_by_ours, given_by_theirs)


@pytest.mark.parametrize("value", [float("inf"), -float("inf"), 0.0, -0.0, 3.4e38, -3.4e38, 1e-40])
def test_extreme_numbers(value: float) -> None:
    images = torch.full((1, 1, 2, 2), 0.5, dtype=torch.bfloat16)
    images[0, 0, 1, 1] = value
    images = images.contiguous(memory_format=torch.channels_last).requires_grad_()
    found = rectified_pool(images, POOL)
    assert found.item() == max(0.5, images[0, 0, 1, 1].item())
