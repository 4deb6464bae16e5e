"""Muon against singular values, torch's own where it has one, and by hand."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from cnncli.config import RECIPES
from cnncli.nn.muon import A, B, C, muon, muon_turn, orthogonal
from cnncli.nn.optimizers import Optimizer

CONFIG = replace(RECIPES["fast"], optimizer="muon", weight_decay=0.05)


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("shape", [(16, 27), (32, 144), (16, 9), (8, 8), (1, 5), (5, 1)])
@pytest.mark.parametrize("size", [1e-6, 1.0, 1e4])
def test_singular_values_become_about_one_and_directions_stay(
    shape: tuple[int, int], size: float
) -> None:
    matrix = noise(*shape) * size
    found = orthogonal(matrix)
    left, _, right = torch.linalg.svd(matrix, full_matrices=False)
    core = left.T @ found @ right.T  # diagonal, where the directions are the same
    values = core.diagonal()
    assert values.min() > 0.3
    assert values.max() < 1.25
    torch.testing.assert_close(core, values.diag(), atol=1e-4, rtol=0)


def test_nothing_to_learn_moves_nothing() -> None:
    assert not orthogonal(torch.zeros(3, 5)).any()


def test_one_weight_by_hand() -> None:
    """A 1x1 matrix is its sign; five times the polynomial makes 0.70 of it."""
    kernel, buffer = torch.full((1, 1, 1, 1), 2.0), torch.zeros(1, 1, 1, 1)
    muon([kernel], [torch.full_like(kernel, -7.0)], [buffer], 0.01, 0.1)
    x = 1.0
    for _ in range(5):
        x = A * x + B * x**3 + C * x**5
    assert buffer.item() == pytest.approx(-7 * 0.05)
    assert kernel.item() == pytest.approx(2 * (1 - 0.001) + 0.01 * 0.2 * x, abs=1e-6)


def test_one_turn_by_hand() -> None:
    """A 1x1 matrix is set to 1 before it goes eight rates against the gradient's sign."""
    kernel, buffer = torch.full((1, 1, 1, 1), 2.0), torch.full((1, 1, 1, 1), 5.0)
    muon_turn([kernel], [torch.full_like(kernel, -7.0)], [buffer], 0.01)
    x = 1.0
    for _ in range(5):
        x = A * x + B * x**3 + C * x**5
    assert buffer.item() == pytest.approx(0.6 * 5 - 7)
    assert kernel.item() == pytest.approx(1 + 0.01 * 8 * x, abs=1e-6)


def test_a_kernels_length_changes_nothing() -> None:
    one, gradient = noise(8, 4, 3, 3), noise(8, 4, 3, 3, seed=1)
    other = 3 * one
    for kernel in (one, other):
        muon_turn([kernel], [gradient], [torch.zeros_like(kernel)], 0.03)
    torch.testing.assert_close(one, other)


@pytest.mark.parametrize("shape", [(32, 16, 3, 3), (16, 1, 3, 3)])
def test_the_steps_are_torchs(shape: tuple[int, ...]) -> None:
    kind = getattr(torch.optim, "Muon", None)
    if kind is None:
        pytest.skip(f"torch {torch.__version__} has no Muon to compare with")
    ours = nn.Parameter(noise(*shape).contiguous(memory_format=torch.channels_last))
    theirs = nn.Parameter(ours.detach().flatten(1).clone())
    other = kind([theirs], 0.1, weight_decay=0.05, adjust_lr_fn="match_rms_adamw")
    optimizer = Optimizer([ours], CONFIG)
    start = theirs.detach().clone()
    for seed, rate in enumerate((0.1, 0.03, 0.01), start=1):
        other.param_groups[0]["lr"] = rate
        gradient = noise(*shape, seed=seed)
        theirs.grad = gradient.flatten(1).clone()
        ours.grad = torch.empty_like(ours).copy_(gradient)
        optimizer.step(rate)
        other.step()
    moved, expected = ours.detach().flatten(1) - start, theirs.detach() - start
    # Theirs iterates in bfloat16, which has 8 bits.
    assert (moved - expected).norm() < 0.02 * expected.norm()


def test_what_is_no_convolution_is_adamws() -> None:
    def parameters() -> list[nn.Parameter]:
        return [nn.Parameter(noise(*s)) for s in ((4, 3, 3, 3), (4,), (5, 4), (5,))]

    ours, theirs = parameters(), parameters()
    for i, pair in enumerate(zip(ours, theirs, strict=True)):
        for p in pair:
            p.grad = noise(*p.shape, seed=i)
    Optimizer(ours, CONFIG).step(0.01)
    Optimizer(theirs, replace(CONFIG, optimizer="adamw")).step(0.01)
    same = [torch.equal(a, b) for a, b in zip(ours, theirs, strict=True)]
    assert same == [False, True, True, True]
    assert all(p.grad is None for p in ours)
