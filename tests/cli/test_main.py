"""The frame of the command line: help, versions, and the one line of every error."""

import re
import subprocess
import sys

import pytest

from tests.conftest import CliRunner


def test_help_names_the_commands_and_exits_0(cli: CliRunner) -> None:
    run = cli("--help")
    assert run.returncode == 0
    for command in ("convolve", "pool", "filters", "train", "predict", "evaluate", "doctor"):
        assert re.search(rf"\b{command}\b", run.stdout)


def test_no_arguments_show_the_help_as_a_usage_error(cli: CliRunner) -> None:
    run = cli()
    assert run.returncode == 2
    assert "Usage" in run.stdout
    assert run.stderr == ""


def test_version_names_what_matters_for_a_bug_report(cli: CliRunner) -> None:
    run = cli("--version")
    assert run.returncode == 0
    for word in ("cnncli", "python", "torch", "torchvision", "device", "data"):
        assert re.search(rf"^{word} \S", run.stdout, re.MULTILINE)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["convolv"], ["convolv", "cnncli --help"]),
        (["convolve", "--no-such-option"], ["--no-such-option", "cnncli convolve --help"]),
        (["train", "--epochs", "many"], ["many", "cnncli train --help"]),
    ],
)
def test_a_wrong_command_line_is_one_line_and_exit_2(
    cli: CliRunner, arguments: list[str], words: list[str]
) -> None:
    run = cli(*arguments)
    assert run.returncode == 2
    assert run.stdout == ""
    assert run.stderr.startswith("error: ")
    assert run.stderr.count("\n") == 1
    assert all(word in run.stderr for word in words)


def test_debug_shows_the_traceback_wherever_it_stands(cli: CliRunner) -> None:
    for arguments in (
        ["--debug", "convolve", "missing.png", "-f", "blur"],
        ["convolve", "missing.png", "-f", "blur", "--debug"],
    ):
        run = cli(*arguments)
        assert run.returncode == 1
        assert "Traceback" in run.stderr
        assert "missing.png" in run.stderr.splitlines()[-1]
    assert "Traceback" not in cli("convolve", "missing.png", "-f", "blur").stderr


def test_doctor_reports_each_part(cli: CliRunner) -> None:
    run = cli("doctor")
    assert run.returncode == 0
    for part in ("torch works: yes", "torchvision works: yes", "weights", "terminal pictures: "):
        assert part in run.stdout


def test_garbage_is_collected_while_a_command_runs() -> None:
    lines = ["import gc", "from cnncli.__main__ import main", "print(gc.isenabled())"]
    lines += ["try: main(['filters'])", "finally: print(gc.isenabled())"]
    run = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=False
    )
    words = run.stdout.split()
    assert (words[0], words[-1]) == ("False", "True")
