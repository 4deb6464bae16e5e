"""``cnncli filters``: the list, one filter, and its picture."""

import json

import pytest

from cnncli.ops import FILTERS
from tests.conftest import CliRunner


def shown(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    from cnncli.cli import main

    with pytest.raises(SystemExit) as exit_info:
        main(["filters", *arguments])
    out, err = capsys.readouterr()
    return int(exit_info.value.code or 0), out, err


def test_the_list_names_every_filter_on_a_line_of_its_own(cli: CliRunner) -> None:
    run = cli("filters")
    assert run.returncode == 0
    rows = [line.split() for line in run.stdout.splitlines()[3:] if line.strip()]
    assert [row[0] for row in rows] == list(FILTERS)
    assert "edges that run up and down" in run.stdout


def test_json_has_the_numbers(cli: CliRunner) -> None:
    records = [json.loads(line) for line in cli("filters", "--json").stdout.splitlines()]
    by_name = {record["name"]: record for record in records}
    assert by_name["vertical_edge"]["kernels"] == [{"weights": [[-1, 0, 1]] * 3, "scale": 1}]
    assert by_name["horizontal_edge"]["kernels"][0]["weights"] == [[-1] * 3, [0] * 3, [1] * 3]
    assert by_name["blur"]["kernels"] == [{"weights": [[1] * 3] * 3, "scale": 9}]
    assert by_name["sobel"]["combine"] == "magnitude"
    assert len(by_name["kirsch"]["kernels"]) == 8


def test_one_filter_with_its_matrix(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = shown(["gaussian3"], capsys)
    assert code == 0
    assert " 1  2  1 \n 2  4  2 \n 1  2  1 \n" in out
    assert "scale 16, sum 16: plain areas keep their brightness" in out


def test_a_magnitude_shows_all_its_kernels(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = shown(["sobel"], capsys)
    assert "the root of the sum of squares of 2 responses" in out
    assert " -2   0   2 \n" in out
    assert " -1  -2  -1 \n" in out


def test_show_draws_before_and_after(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = shown(["sobel", "--show"], capsys)
    assert code == 0
    assert "before" in out
    drawing = out.split("before")[1].splitlines()[1:]
    assert len(drawing) > 5
    assert any("@" in line or "#" in line for line in drawing)


def test_unknown(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = shown(["sobell"], capsys)
    assert (code, out) == (1, "")
    assert err.startswith("error: filter 'sobell' is unknown; did you mean sobel")
    assert "motion_blur" in err
