"""Learning rates by step."""

import pytest
import torch

from cnncli.nn.schedule import learning_rate


def test_one_cycle_follows_torchs() -> None:
    peak, total = 0.02, 1000
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], lr=peak)
    theirs = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, peak, total_steps=total, cycle_momentum=False, final_div_factor=400
    )
    for step in range(total):
        expected = optimizer.param_groups[0]["lr"]
        # torch turns at 0.3 * total - 1, ours at 0.3 * (total - 1): less than one step apart.
        found = learning_rate("one-cycle", step, total, peak)
        assert found == pytest.approx(expected, abs=peak * 0.005)
        optimizer.step()
        if step < total - 1:
            theirs.step()


@pytest.mark.parametrize("total", [2, 7, 100])
def test_one_cycle_starts_and_ends_low(total: int) -> None:
    assert learning_rate("one-cycle", 0, total, 0.5) == pytest.approx(0.5 / 25)
    assert learning_rate("one-cycle", total - 1, total, 0.5) == pytest.approx(0.5e-4)


def test_it_rises_then_falls() -> None:
    rates = [learning_rate("one-cycle", step, 101, 1.0) for step in range(101)]
    assert rates[:31] == sorted(rates[:31])
    assert rates[30:] == sorted(rates[30:], reverse=True)
    assert rates[30] == pytest.approx(1.0)


def test_linear_falls() -> None:
    rates = [learning_rate("linear", step, 4, 0.8) for step in range(4)]
    assert rates == pytest.approx([0.8, 0.6, 0.4, 0.2])


def test_constant_stays_and_one_step_works() -> None:
    assert {learning_rate("constant", step, 9, 0.001) for step in range(9)} == {0.001}
    assert learning_rate("one-cycle", 0, 1, 1.0) == pytest.approx(1 / 25)
