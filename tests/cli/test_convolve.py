"""``cnncli convolve``, run as a user runs it."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnncli.resources import sample_image, shipped_weights
from tests.cli.conftest import RunHere, pixels
from tests.conftest import CliRunner

RNG = np.random.default_rng(2)
PIXELS = RNG.integers(0, 256, (12, 16, 3), np.uint8)


def test_the_result_lands_beside_the_input(cli: CliRunner, photo: Path) -> None:
    run = cli("convolve", photo, "--filter", "vertical_edge")
    assert run.returncode == 0
    target = photo.with_name("photo_vertical_edge.png")
    assert run.stdout == f"{target}\n"
    assert "16x12 RGB -> 16x12 RGB; range abs: the kernel sums to 0" in run.stderr
    padded = np.pad(PIXELS.astype(int), ((1, 1), (1, 1), (0, 0)), mode="reflect")
    slope = padded[:, 2:] - padded[:, :-2]
    expected = np.abs(slope[:-2] + slope[1:-1] + slope[2:]).clip(0, 255)
    assert (pixels(target) == expected).all()


def test_the_lesson_in_one_dimension(cli: CliRunner) -> None:
    run = cli("convolve", "--signal", "1,0,2,3,1,0,1", "--kernel", "1,0,-1")
    assert (run.returncode, run.stdout, run.stderr) == (0, "[-1, -3, 1, 3, 0]\n", "")
    run = cli("convolve", "--signal", "1 2 3", "-k", "1 1", "--op", "convolve", "--json")
    assert json.loads(run.stdout) == {"result": [3, 5]}


def test_options_reach_the_engine(cli: CliRunner, photo: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.npy"
    options = ["--border", "valid", "--stride", "2x3", "--dilation", "2", "--op", "convolve"]
    run = cli(
        *("convolve", photo, "-k", "1 2; 3 4; 5 6", *options, "--scale", "2", "--bias", "-5"),
        *("--range", "raw", "-o", out, "-q"),
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, f"{out}\n", "")
    kernel = np.array([[6, 5], [4, 3], [2, 1]])
    wide = PIXELS.astype(int)
    full = sum(
        kernel[i, j] * wide[2 * i : 2 * i + 8, 2 * j : 2 * j + 14]
        for i in range(3)
        for j in range(2)
    )
    assert (np.load(out) == (full / 2 - 5)[::2, ::3]).all()


def test_filters_in_a_row_and_the_plan(cli: CliRunner, photo: Path) -> None:
    run = cli("convolve", photo, "-f", "gaussian3", "-f", "sobel", "-v")
    assert run.stdout == f"{photo.with_name('photo_gaussian3_sobel.png')}\n"
    plans = [line.split(":")[0] for line in run.stderr.splitlines()]
    assert plans[:2] == ["gaussian3", "sobel"]


def test_kernel_file(cli: CliRunner, photo: Path, tmp_path: Path) -> None:
    (tmp_path / "shift.txt").write_text("0 0 1\n")
    run = cli("convolve", photo, "--kernel-file", "shift.txt", "-q")
    expected = np.concatenate([PIXELS[:, 1:], PIXELS[:, -2:-1]], axis=1)
    assert (pixels(Path(run.stdout.strip())) == expected).all()


def test_json(cli: CliRunner, photo: Path) -> None:
    run = cli("convolve", photo, "-f", "blur", "-o", "b.png", "--json", "-q")
    record = json.loads(run.stdout)
    assert record.pop("seconds") > 0
    assert record == {
        "path": str(photo),
        "output": "b.png",
        "width": 16,
        "height": 12,
        "mode": "RGB",
        "filters": ["blur"],
        "range": "clip",
        "error": None,
    }


def test_stdin_to_stdout(cli: CliRunner, photo: Path, tmp_path: Path) -> None:
    run = cli(*("convolve", "-", "-f", "identity", "-o", "-"), stdin=photo.read_bytes(), text=False)
    assert run.returncode == 0
    (tmp_path / "piped.png").write_bytes(run.stdout)  # type: ignore[arg-type]
    assert (pixels(tmp_path / "piped.png") == PIXELS).all()


def test_stdin_without_output_is_written_here(cli: CliRunner, photo: Path, tmp_path: Path) -> None:
    run = cli("convolve", "-", "-f", "blur", "-q", stdin=photo.read_bytes(), text=False)
    assert run.stdout == b"stdin_blur.png\n"
    assert pixels(tmp_path / "stdin_blur.png").shape == PIXELS.shape


def test_a_folder_into_a_folder(cli: CliRunner, tmp_path: Path) -> None:
    pictures = tmp_path / "in"
    pictures.mkdir()
    for number in (1, 2, 10):
        Image.fromarray(PIXELS[:, :, 0] // number).save(pictures / f"p{number}.png")
    run = cli("convolve", "in", "-f", "identity", "-o", "out/deep", "--jobs", "2")
    names = ["p1_identity.png", "p2_identity.png", "p10_identity.png"]
    assert run.stdout.split() == [str(Path("out", "deep", name)) for name in names]
    assert (pixels(tmp_path / "out/deep/p10_identity.png") == PIXELS[:, :, 0] // 10).all()
    assert "filtering: 3 of 3 (100 %)" in run.stderr


@pytest.mark.parametrize("named", ["in", "in/*.png"])
def test_a_folder_of_one_picture_is_a_batch_too(
    named: str, photo: Path, tmp_path: Path, run_here: RunHere
) -> None:
    (tmp_path / "in").mkdir()
    photo.rename(tmp_path / "in/photo.png")
    assert run_here("convolve", named, "-f", "blur", "-o", "out") == 0
    assert (tmp_path / "out/photo_blur.png").is_file()
    assert run_here("pool", named, "-o", "pooled") == 0
    assert (tmp_path / "pooled/photo_max_pool.png").is_file()
    assert run_here("convolve", named, "-f", "blur", "-o", "one.png") == 0
    assert (tmp_path / "one.png").is_file()
    assert run_here("convolve", "in/photo.png", "-f", "blur", "-o", "odd") == 1  # one file: no type


def test_some_inputs_of_a_batch_fail(cli: CliRunner, photo: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(photo.read_bytes()[:100])
    run = cli("convolve", "broken.png", photo, "none.png", "-f", "blur", "-o", "out/", "--json")
    assert run.returncode == 3
    records = [json.loads(line) for line in run.stdout.splitlines()]
    assert [record["error"] is None for record in records] == [False, True, False]
    assert records[0]["output"] is None
    errors = [line for line in run.stderr.splitlines() if line.startswith("error: ")]
    assert errors[0].startswith("error: broken.png is ")
    assert errors[1].startswith("error: none.png: no such file")
    assert errors[2] == "error: 2 of 3 pictures failed; the lines above say why"
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["photo_blur.png"]


def test_all_inputs_of_a_batch_fail(cli: CliRunner) -> None:
    run = cli("convolve", "a.png", "b.png", "-f", "blur")
    assert run.returncode == 1
    assert run.stderr.splitlines()[-1].startswith("error: all 2 pictures failed")


BAD_INPUTS = [
    (["none.png", "-f", "blur"], 1, "none.png: no such file or folder"),
    (["text.png", "-f", "blur"], 1, "text.png is not a picture that can be read"),
    (["cut.png", "-f", "blur"], 1, "cut.png is damaged or cut off"),
    (["empty", "-f", "blur"], 1, "empty holds no pictures"),
    (["photo.png", "-f", "blurr"], 1, "did you mean blur? known filters: identity, vertical_edge"),
    (["photo.png", "-k", "1 2; 3"], 1, "kernel rows have different lengths [2, 1]"),
    (["photo.png", "-k", "1 x"], 1, "'x' in the kernel is not a number"),
    (["photo.png", "--kernel-file", "none.txt"], 1, "none.txt: No such file"),
    (["photo.png", "-f", "blur", "--stride", "0"], 2, "stride is '0'; give one whole number"),
    (["photo.png", "-f", "blur", "--stride", "9" * 30], 2, "give whole numbers from 1 to 1000000"),
    (["photo.png", "-f", "blur", "--dilation", "1x9999"], 1, "the width is 16; use at most 2048"),
    (["photo.png", "-f", "blur", "--border", "mirror"], 2, "here it is called reflect"),
    (["photo.png", "-f", "blur", "--range", "wrap"], 2, "'--range': 'wrap' is not one of 'auto'"),
    (["photo.png", "-f", "blur", "--op", "add"], 2, "'--op': 'add' is not one of 'correlate'"),
    (["photo.png", "-f", "sobel_x", "--scale", "sum"], 2, "cannot be scaled by its sum"),
    (["photo.png", "-f", "blur", "--bias", "x"], 2, "'--bias': Input should be a valid number"),
    (["photo.png", "-f", "blur", "--bias", "nan"], 2, "bias is nan; give a finite number"),
    (["photo.png", "-f", "blur", "--scale", "inf"], 2, "scale is inf"),
    (["photo.png", "-f", "blur", "--scale", "1e-320"], 2, "give a number from 1e-30 to 1e+30"),
    (["photo.png", "-f", "blur", "--bias", "1e99"], 2, "bias is 1e+99; give a number up to 1e+30"),
    (["photo.png", "-k", "1e99 1e99"], 1, "has the size 1e+99; use numbers up to 1e+30"),
    (["photo.png", "-k", "1 " * 40, "--border", "valid"], 1, "does not fit the width of 16"),
    (["clear.png", "-f", "blur", "-o", "a.jpg"], 1, "cannot hold RGBA pixels (colour with trans"),
    (["photo.png", "-f", "blur", "--range", "raw", "-o", "a.png"], 1, "write .tif or .pfm or .npy"),
    (["photo.png", "-f", "blur", "-o", "a.xyz"], 1, "the suffix .xyz names no format"),
    (["photo.png", "-f", "blur", "-o", "photo.png"], 1, "photo.png is an input; name another"),
    (["photo.png", "clear.png", "-f", "blur", "-o", "a.png"], 2, "one file and there are 2 inputs"),
    (["photo.png", "clear.png", "-f", "blur", "-o", "-"], 2, "takes one picture and there are 2"),
    (["photo.png", "sub/photo.png", "-f", "blur", "-o", "x/"], 2, "would both become"),
    (["photo.png"], 2, "give one of --filter NAME"),
    (["photo.png", "-f", "blur", "-k", "1"], 2, "give one of --filter NAME"),
    (["-f", "blur"], 2, "no picture is named"),
    (["photo.png", "-f", "blur", "--explain", "3"], 2, "--explain '3' is no place"),
    (["photo.png", "-f", "blur", "--explain", "99,0"], 2, "lies outside the result of 16x12"),
    (["--signal", "1 2 3", "-f", "blur"], 1, "a signal needs one row"),
    (["photo.png", "-f", "w.safetensors:conv1:3"], 1, "w.safetensors"),
]


@pytest.mark.parametrize(("arguments", "code", "words"), BAD_INPUTS, ids=lambda v: str(v)[:40])
def test_bad_input_is_one_clear_line(
    arguments: list[str],
    code: int,
    words: str,
    photo: Path,
    tmp_path: Path,
    run_here: RunHere,
    capfd: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "text.png").write_text("no picture\n" * 9)
    (tmp_path / "cut.png").write_bytes(photo.read_bytes()[:200])
    (tmp_path / "empty").mkdir()
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/photo.png").write_bytes(photo.read_bytes())
    Image.fromarray(np.dstack([PIXELS, PIXELS[..., 0]])).save(tmp_path / "clear.png")
    before = sorted(tmp_path.rglob("*"))
    ended = run_here("convolve", *arguments)
    out, err = capfd.readouterr()
    assert ended == code, err
    assert out == ""
    lines = err.splitlines()
    assert len(lines) == 1, err
    assert lines[0].startswith("error: ")
    assert words in lines[0]
    assert sorted(tmp_path.rglob("*")) == before
    assert photo.read_bytes() == (tmp_path / "sub/photo.png").read_bytes()


def test_a_real_process_fails_the_same_way(cli: CliRunner, tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no picture\n")
    run = cli("convolve", "text.png", "-f", "blur")
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr.startswith("error: text.png is not a picture")
    assert "Traceback" not in run.stderr


def test_an_input_is_safe_behind_a_link(cli: CliRunner, photo: Path, tmp_path: Path) -> None:
    before = photo.read_bytes()
    (tmp_path / "link.png").symlink_to(photo)
    run = cli("convolve", photo, "-f", "blur", "-o", "link.png")
    assert run.returncode == 1
    assert "link.png is an input" in run.stderr
    assert photo.read_bytes() == before


@pytest.mark.parametrize(
    ("name", "suffix"),
    [("a.gif", ".png"), ("a.jpg", ".jpg"), ("a.bmp", ".bmp"), ("a.webp", ".webp")],
)
def test_the_format_is_kept_where_it_holds_the_result(
    name: str, suffix: str, tmp_path: Path, run_here: RunHere
) -> None:
    Image.fromarray(PIXELS).save(tmp_path / name)
    assert run_here("convolve", name, "-f", "blur", "-q") == 0
    assert pixels(tmp_path / f"a_blur{suffix}").shape == PIXELS.shape


def test_explain(cli: CliRunner, photo: Path) -> None:
    run = cli("convolve", photo, "-f", "sobel_x", "--explain", "0,5")
    assert run.returncode == 0
    lines = run.stdout.splitlines()
    assert lines[0].startswith(
        "sobel_x at column 0, row 5 of the result (correlate, border reflect"
    )
    assert f"[{PIXELS[4, 1, 0]:3}] {PIXELS[4, 0, 0]:3}  {PIXELS[4, 1, 0]:3} " in run.stdout
    assert sum(line.startswith(" sum = ") for line in lines) == 3
    assert lines[-1].endswith("-> pixel 0")  # mirrored neighbours cancel
    assert not list(photo.parent.glob("*sobel*"))


def test_explain_json_follows_by_hand(cli: CliRunner, photo: Path) -> None:
    run = cli("convolve", photo, "-f", "vertical_edge", "--explain", "3,4", "--json")
    explained = json.loads(run.stdout)
    green = explained["channels"][1]
    window = np.array(green["sums"][0]["window"])
    assert (window == PIXELS[3:6, 2:5, 1]).all()
    total = int((window * np.array(green["sums"][0]["kernel"])).sum())
    assert green["sums"][0]["sum"] == total
    assert green["pixel"] == min(abs(total), 255)


def test_show_draws_on_a_pipe_only_when_asked(cli: CliRunner, photo: Path) -> None:
    assert "before" not in cli("convolve", photo, "-f", "blur", "-o", "a.png").stdout
    shown = cli("convolve", photo, "-f", "blur", "-o", "a.png", "--show").stdout
    assert shown.splitlines()[0] == "a.png"
    assert "before 16x12 RGB" in shown
    assert "after 16x12 RGB" in shown


def test_nothing_is_loaded_that_is_not_used(photo: Path, tmp_path: Path) -> None:
    import subprocess
    import sys

    code = (
        "import sys\nfrom cnncli.cli import main\n"
        "try:\n    main(sys.argv[1:])\nfinally:\n"
        "    print([m for m in ('rich', 'torch', 'scipy', 'concurrent.futures', 'pydantic')"
        " if m in sys.modules])"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, "convolve", photo, "-f", "blur", "-o", tmp_path / "o.png"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.splitlines()[-1] == "[]"


def test_the_sample_scene_in_every_named_filter(
    tmp_path: Path, run_here: RunHere, capsys: pytest.CaptureFixture[str]
) -> None:
    from cnncli.ops import FILTERS

    small = tmp_path / "s.png"
    with Image.open(sample_image("scene.png")) as scene:
        scene.resize((64, 48)).save(small)
    for name in FILTERS:
        assert run_here("convolve", str(small), "-f", name, "-q") == 0
        result = pixels(Path(capsys.readouterr().out.strip()))
        assert result.shape == (48, 64, 3)
        assert np.ptp(result) > 0


def test_a_learned_kernel_is_a_filter(cli: CliRunner, photo: Path, tmp_path: Path) -> None:
    from cnncli.kernel_files import convolution_layers

    kernel = convolution_layers(shipped_weights())["conv1"][3, 0]
    name = f"{shipped_weights()}:conv1:3"
    run = cli("convolve", photo, "-f", name, "--range", "raw", "-o", "a.npy", "-q")
    assert run.returncode == 0, run.stderr
    padded = np.pad(PIXELS.astype(float), ((1, 1), (1, 1), (0, 0)), mode="reflect")
    expected = sum(
        kernel[i, j] * padded[i : i + 12, j : j + 16] for i in range(3) for j in range(3)
    )
    np.testing.assert_allclose(np.load(tmp_path / "a.npy"), expected, atol=1e-3)


def test_a_learned_layer_becomes_a_sheet(cli: CliRunner, photo: Path) -> None:
    run = cli("convolve", photo, "-f", f"{shipped_weights()}:conv1", "--json", "-q")
    record = json.loads(run.stdout)
    assert record["output"] == str(photo.with_name("photo_conv1.png"))
    assert record["filters"] == [f"conv1:{i}" for i in range(16)]
    sheet = pixels(Path(record["output"]))
    assert sheet.shape == (record["height"], record["width"], 3)
    assert (sheet == PIXELS[0, 0]).all(axis=2).any()  # the picture itself comes first


def test_a_learned_kernel_reads_its_file_once(photo: Path, tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
opened = []
sys.addaudithook(lambda event, args: opened.append(str(args[0])) if event == "open" else None)
import safetensors  # opens files beside Python
safe_open = safetensors.safe_open
safetensors.safe_open = lambda path, kind: opened.append(str(path)) or safe_open(path, kind)
from cnncli.cli import main
try:
    main(sys.argv[2:])
except SystemExit as end:
    assert not end.code
print(sum(Path(path).name == Path(sys.argv[1]).name for path in opened))
"""
    weights = str(shipped_weights())
    command = ["convolve", str(photo), "-f", f"{weights}:conv1:3", "-o", str(tmp_path / "o.png")]
    run = subprocess.run(
        [sys.executable, "-c", code, weights, *command], capture_output=True, text=True, check=True
    )
    assert run.stdout.splitlines()[-1] == "1"
