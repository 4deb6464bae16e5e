"""``cnncli demo``: every step runs what it prints, and nothing waits where nobody can answer."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import torch

from cnncli.commands.demo import STEPS, shift_changes
from cnncli.images import read_picture, to_uint8_grey
from cnncli.resources import sample_image
from tests.conftest import CliRunner


def test_the_whole_lesson_in_a_pipe(cli: CliRunner, tmp_path: Path) -> None:
    run = cli("demo", "-o", "my demo")
    assert run.returncode == 0, run.stderr
    assert "Enter goes on" not in run.stderr
    commands = [line[2:] for line in run.stdout.splitlines() if line.startswith("$ cnncli ")]
    assert len(commands) == len(STEPS)
    assert "[-1, -3, 1, 3, 0]" in run.stdout
    assert "784 x 128 = 100,352" in run.stdout
    for name in ("edges.png", "pooled.png", "features.png", "why.png", "scene.png"):
        assert (tmp_path / "my demo" / name).exists()
    assert "\x1b" not in run.stdout
    # A printed command runs alone, and does what it did.
    edges = next(command for command in commands if "vertical_edge" in command)
    before = read_picture(tmp_path / "my demo" / "edges.png").pixels
    (tmp_path / "my demo" / "edges.png").unlink()
    assert cli(*shlex.split(edges)[1:]).returncode == 0
    np.testing.assert_array_equal(read_picture(tmp_path / "my demo" / "edges.png").pixels, before)


def test_it_waits_between_steps_when_asked(cli: CliRunner) -> None:
    run = cli("demo", "--pause", stdin=b"\n" * 20)
    assert run.returncode == 0, run.stderr
    assert run.stderr.count("Enter goes on, Ctrl-C leaves.") == len(STEPS) - 1


def test_the_told_shift_is_what_torch_measures(cli: CliRunner) -> None:
    grey = to_uint8_grey(read_picture(sample_image("scene.png"))).astype(np.float64)
    kernel = torch.tensor([[-1.0, 0, 1]] * 3, dtype=torch.float64)
    edges = torch.conv2d(torch.from_numpy(grey)[None, None], kernel[None, None]).abs()
    expected = []
    for size in (1, 2, 4):
        still = torch.max_pool2d(edges[..., 1:], size)
        moved = torch.max_pool2d(edges[..., :-1], size)
        expected.append(float((still - moved).abs().sum() / still.sum()))
    assert shift_changes(grey, kernel.numpy(), (1, 2, 4)) == pytest.approx(expected)
    assert expected[0] > expected[1] > expected[2]
    text = cli("demo", "--no-pause").stdout
    told = re.search(r"change by\s(\d+)%;.*?2x2\sby\s(\d+)%,.*?4x4\sby\s(\d+)%", text, re.DOTALL)
    assert told is not None
    assert [int(n) for n in told.groups()] == [round(100 * e) for e in expected]
