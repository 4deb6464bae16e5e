"""The table of layers at several widths."""

import io

import pytest
from rich.console import Console

from cnncli.config import ModelConfig
from cnncli.show.summary import comparison, show_summary
from cnncli.show.text import printable
from tests.networks import describe


def _screen(width: int, *, terminal: bool = True) -> list[str]:
    console = Console(
        file=io.StringIO(),
        width=width,
        force_terminal=terminal,
        color_system=None,
        legacy_windows=False,
    )
    config = ModelConfig()
    show_summary(console, config, describe(config), {"file": "w.safetensors"}, {"seed": 0})
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


@pytest.mark.parametrize("width", [80, 110, 160])
def test_one_line_a_layer_within_the_width(width: int) -> None:
    lines = _screen(width)
    assert max(map(len, lines)) <= width
    for start in ("input", "conv1", "conv2", "fc1", "fc2", "total"):
        assert sum(line.strip("\x1b[0m1 ").startswith(start) for line in lines) in (1, 2)
    assert any("1,218,048" in line for line in lines)
    assert any("━" in line for line in lines) == (width >= 110)


def test_a_pipe_is_never_wrapped() -> None:
    lines = _screen(40, terminal=False)
    assert any("784 x 128 = 100,352 weights." in line for line in lines)
    assert lines[0].split("  ")[0] == "layer"
    assert "weights" in lines


def test_the_comparison_counts_what_sharing_saves() -> None:
    config = ModelConfig(in_channels=3, height=8, width=8, num_classes=2)
    dense, shared, outputs = comparison(config, describe(config))
    assert "192 x 128 = 24,576" in dense
    assert "16x3x3x3 = 432" in shared
    assert "57 times fewer" in shared  # 24,576 / 432 = 56.9
    assert "192 x 1,024 = 196,608" in outputs


def test_printable_spells_out_what_moves_a_cursor() -> None:
    assert printable("\x9b2J é \u202e") == "\\x9b2J é \\u202e"
    assert printable("x" * 400) == "x" * 299 + "…"
