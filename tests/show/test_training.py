"""What is shown of a training run."""

import io

import pytest
from rich.console import Console

from cnncli.config import ModelConfig
from cnncli.show.curves import draw_curves
from cnncli.show.training import EpochTable, epoch_line, show_network
from tests.networks import describe

REPORT = {
    "epoch": 3,
    "train_loss": 0.51234,
    "train_accuracy": 0.98765,
    "val_loss": 0.1,
    "val_accuracy": 0.99,
    "lr": 0.00123,
    "images_per_second": 12345.6,
    "seconds": 4.44,
}


def test_the_network_as_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    console = Console(file=out, width=100)
    monkeypatch.setattr("cnncli.show.training.stderr_console", lambda: console)
    show_network(ModelConfig(), describe(ModelConfig()), "simple on mnist")
    text = out.getvalue()
    for piece in ("simple on mnist", "conv1", "16x28x28", "3x3", "200,832", "206,922", "1,218,048"):
        assert piece in text


def test_an_epoch_as_a_line() -> None:
    assert epoch_line(REPORT, 10) == (
        "epoch 3/10, train loss 0.5123, train acc 98.77%, val loss 0.1000, val acc 99.00%, "
        "rate 0.0012, images/s 12,346, seconds 4.4"
    )


def test_without_a_terminal_one_plain_line_an_epoch(capsys: pytest.CaptureFixture[str]) -> None:
    with EpochTable(10) as table:
        table.step(3, 1, 2)
        table.add(REPORT)
    assert capsys.readouterr().err == epoch_line(REPORT, 10) + "\n"


def test_quiet_is_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    with EpochTable(10, quiet=True) as table:
        table.add(REPORT)
    assert capsys.readouterr().err == ""


def test_on_a_terminal_the_table_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=100)
    monkeypatch.setattr("cnncli.show.training.stderr_console", lambda: console)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with EpochTable(10, [REPORT | {"epoch": 2}]) as table:
        table.step(3, 1, 2)
        table.add(REPORT)
    text = out.getvalue()
    assert "2/10" in text
    assert "3/10" in text
    assert "12,346" in text


def test_curves_are_a_png_of_every_epoch() -> None:
    reports = [REPORT | {"epoch": epoch} for epoch in (1, 2, 3)]
    assert draw_curves(reports, "simple on mnist").startswith(b"\x89PNG")
