"""``cnncli filters``: the list, one filter, and its picture."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnncli.ops import FILTERS, Kernel, get_filter
from cnncli.resources import shipped_weights
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
    edge = by_name["vertical_edge"]["kernels"][0]
    assert (edge["weights"], edge["scale"]) == ([[-1, 0, 1]] * 3, 1)
    assert edge["gain"]["down"] == [0.0] * 6  # stripes that run across give no response
    # Three rows of -1 0 1: the gain of a wave of 4 pixels is 3 * |2 sin(2 pi / 4)| = 6.
    assert edge["gain"]["across"][4] == 6.0
    assert by_name["horizontal_edge"]["kernels"][0]["weights"] == [[-1] * 3, [0] * 3, [1] * 3]
    blur = by_name["blur"]["kernels"][0]
    assert (blur["weights"], blur["scale"]) == ([[1] * 3] * 3, 9)
    assert blur["gain"]["across"][0] == 1.0
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
    assert "gain by frequency" in out
    drawing = out.split("before")[1].splitlines()[1:]
    assert len(drawing) > 5
    assert any("@" in line or "#" in line for line in drawing)


def test_unknown(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = shown(["sobell"], capsys)
    assert (code, out) == (1, "")
    assert err.startswith("error: filter 'sobell' is unknown; did you mean sobel")
    assert "motion_blur" in err


def test_a_sheet_of_all_filters_on_a_picture(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    red = np.full((20, 30, 3), (200, 30, 20), np.uint8)
    Image.fromarray(red).save(tmp_path / "red.png")
    sheet = tmp_path / "sheet.png"
    code, out, _ = shown(["--on", str(tmp_path / "red.png"), "-o", str(sheet)], capsys)
    assert (code, out) == (0, f"{sheet}\n")
    with Image.open(sheet) as image:
        pixels = np.asarray(image)
    # A tile of 8 times its size for the picture and each filter that keeps plain colours.
    tile = 20 * 30 * 8 * 8
    kept = sum(1 for each in FILTERS.values() if keeps_brightness(each))
    assert (pixels == red[0, 0]).all(axis=2).sum() == (1 + kept) * tile


def keeps_brightness(each: Kernel) -> bool:
    return not each.partners and each.weights.sum() == each.scale


def test_learned_kernels_beside_the_named_ones(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = shown(["--weights", str(shipped_weights()), "--json"], capsys)
    assert code == 0
    records = [json.loads(line) for line in out.splitlines()]
    assert len(records) == 16 + 32 * 16
    first = [record for record in records if record["kernel"].startswith("conv1:")]
    edges = [record for record in first if record["edge"] and record["similarity"] > 0.8]
    assert edges, "no kernel of the first layer is an edge filter; the docs say that some are"
    for record in edges:
        named = np.rot90(get_filter(record["like"]).weights, record["turned"] // 90)  # type: ignore[union-attr]
        kernel = np.array(record["weights"]) * (-1 if record["negated"] else 1)
        cosine = (kernel * named).sum() / np.linalg.norm(kernel) / np.linalg.norm(named)
        assert cosine == pytest.approx(record["similarity"], abs=1e-3)


def test_the_learned_list_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = shown(["--weights", str(shipped_weights())], capsys)
    assert "16 kernels" in out
    assert "resemble an edge filter (similarity above 0.8)" in out
    assert "conv2" in out


def test_weights_go_with_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = shown(["sobel", "--weights", "w.safetensors"], capsys)
    assert (code, out) == (2, "")
    assert err.startswith("error: --weights lists kernels; leave NAME")
