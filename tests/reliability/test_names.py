"""Names that scripts trip over, and things that are called like pictures and are none."""

import json
import os
import sys
import threading
from pathlib import Path

import pytest

from cnncli.batch.inputs import Inputs, expand_inputs
from cnncli.errors import ImageReadError
from cnncli.images import read_picture
from tests.conftest import CliRunner
from tests.reliability.hostile import encoded, image_of

POSIX = os.name == "posix"
NAMES = [
    "with space.png",
    "two  spaces .png",
    "new\nline.png",
    "tab\t.png",
    "-dash.png",
    "--debug.png",
    "~nobody-of-that-name.png",
    "star*.png",
    "[1].png",
    "quote'\".png",
    "gr\u00fc\u00df.png",
    "\u65e5\u672c.png",
    "\U0001f600.png",
    "e\u0301.png",
    "\x1b[31mred.png",
    "\u202egnp.exe.png",
    "dots...png",
    "UPPER.PNG",
    "#percent%20.png",
    "x" * 240 + ".png",
]


@pytest.mark.skipif(not POSIX, reason="these names are legal on POSIX systems only")
def test_odd_names_in_one_batch(cli: CliRunner, tmp_path: Path) -> None:
    for name in NAMES:
        image_of("L", 5, 4).save(tmp_path / name, "PNG")
    not_utf8 = os.fsdecode(b"caf\xe9.png")
    try:
        (tmp_path / not_utf8).write_bytes(encoded(image_of("L", 5, 4), "PNG"))
        names = [*NAMES, not_utf8]
    except OSError:  # macOS refuses such names
        names = NAMES
    before = {name: (tmp_path / name).read_bytes() for name in names}
    run = cli("convolve", "-f", "blur", "-o", "out", "--json", "--", *names, text=False)
    assert run.returncode == 0, run.stderr
    records = [json.loads(line) for line in run.stdout.splitlines()]  # type: ignore[arg-type]
    assert [record["path"] for record in records] == names
    for record in records:
        assert (tmp_path / record["output"]).stat().st_size
    assert {name: (tmp_path / name).read_bytes() for name in names} == before


def test_no_name_reaches_the_terminal_as_an_escape_sequence(cli: CliRunner, tmp_path: Path) -> None:
    (tmp_path / "\x1b]0;title\x07\x1b[31m.png").write_bytes(b"no picture")
    (tmp_path / "\u202ered\n.png").write_bytes(b"no picture")
    run = cli("convolve", *sorted(path.name for path in tmp_path.iterdir()), "-f", "blur")
    assert run.returncode == 1
    assert "\x1b" not in run.stderr
    assert "\x07" not in run.stderr
    assert "\u202e" not in run.stderr
    assert r"\x1b]0;title\x07" in run.stderr
    assert all(line.startswith(("error: ", "filtering: ")) for line in run.stderr.splitlines())


def test_a_file_called_dash_is_not_stdin(cli: CliRunner, tmp_path: Path) -> None:
    image_of("L", 5, 4).save(tmp_path / "-", "PNG")
    run = cli("pool", "./-", "-o", "out.png", stdin=b"")
    assert run.returncode == 0, run.stderr


@pytest.mark.skipif(not POSIX, reason="expanduser fails on POSIX only")
def test_a_tilde_without_a_user_is_a_letter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("~nobody-of-that-name").write_bytes(b"x")
    assert expand_inputs(["~nobody-of-that-name"]).names == ["~nobody-of-that-name"]
    with pytest.raises(ImageReadError, match="matches no file"):
        expand_inputs(["~nobody-of-that-name/*.png"])


def test_a_name_that_is_too_long_fails_alone(cli: CliRunner, tmp_path: Path) -> None:
    image_of("L", 5, 4).save(tmp_path / "good.png")
    long = "x" * 5000 + ".png"
    with pytest.raises(ImageReadError, match="too long"):
        expand_inputs([long])
    run = cli("pool", long, "good.png")
    assert run.returncode == 3
    assert run.stdout == "good_max_pool.png\n"


def test_folders_called_like_pictures(cli: CliRunner, tmp_path: Path) -> None:
    (tmp_path / "album.png").mkdir()
    image_of("L", 5, 4).save(tmp_path / "good.png")
    run = cli("pool", "album.png", "-o", "x.png")
    assert run.returncode == 1
    assert run.stderr.startswith("error: album.png holds no pictures")
    with pytest.raises(ImageReadError, match="is a folder"):
        read_picture(tmp_path / "album.png")
    run = cli("pool", ".", "-o", "out/")
    assert run.returncode == 0
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["good_max_pool.png"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_named_pipe_is_read_to_its_end(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    data = encoded(image_of("RGB"), "TIFF")  # a TIFF is not read in one direction
    writer = threading.Thread(target=(tmp_path / "pipe.png").write_bytes, args=(data,))
    writer.start()
    picture = read_picture(tmp_path / "pipe.png")
    writer.join()
    assert picture.pixels.shape == (30, 40, 3)


@pytest.mark.skipif(sys.platform != "linux", reason="devices differ")
@pytest.mark.parametrize("device", ["/dev/null", "/dev/zero", "/proc/self/mem"])
def test_devices_are_no_pictures(device: str) -> None:
    with pytest.raises(ImageReadError):
        read_picture(device)


def test_links_are_followed_and_broken_ones_named(tmp_path: Path) -> None:
    image_of("L", 5, 4).save(tmp_path / "real.png")
    (tmp_path / "link.png").symlink_to("real.png")
    (tmp_path / "broken.png").symlink_to("nowhere.png")
    (tmp_path / "loop.png").symlink_to("loop.png")
    assert read_picture(tmp_path / "link.png").pixels.shape == (4, 5)
    with pytest.raises(ImageReadError, match="no such file"):
        read_picture(tmp_path / "broken.png")
    with pytest.raises(ImageReadError, match=r"loop\.png"):
        read_picture(tmp_path / "loop.png")
    with pytest.raises(ImageReadError):
        expand_inputs([str(tmp_path / "loop.png")])


def test_a_picture_that_vanishes_or_changes_fails_alone(tmp_path: Path) -> None:
    """The batch has listed its files; one goes and one is cut before their turn comes."""
    from cnncli.batch.outputs import OutputPaths
    from cnncli.batch.report import BatchOptions
    from cnncli.batch.run import Result, run_pictures
    from cnncli.errors import BatchError
    from cnncli.images import Picture

    paths = [tmp_path / f"{n}.png" for n in range(4)]
    for path in paths:
        image_of("L", 50, 40).save(path)

    def change(picture: Picture, _: int) -> Result:
        paths[2].unlink(missing_ok=True)
        paths[3].write_bytes(paths[3].read_bytes()[:100])
        return Result(picture)

    inputs = Inputs([str(path) for path in paths])
    outputs = OutputPaths(inputs, str(tmp_path / "out"), "x")
    with pytest.raises(BatchError, match="2 of 4 pictures failed"):
        run_pictures(inputs, outputs, change, BatchOptions("x", 1, quiet=True))
    written = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert written == ["0_x.png", "1_x.png"]


def test_a_fault_in_one_picture_does_not_end_the_batch(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from cnncli.batch.outputs import OutputPaths
    from cnncli.batch.report import BatchOptions
    from cnncli.batch.run import Result, run_pictures
    from cnncli.errors import BatchError
    from cnncli.images import Picture

    paths = [tmp_path / f"{n}.png" for n in range(3)]
    for n, path in enumerate(paths):
        image_of("L", 5 + n, 4).save(path)

    def change(picture: Picture, _: int) -> Result:
        if picture.pixels.shape[1] == 5:
            raise KeyError("nobody foresaw this")
        if picture.pixels.shape[1] == 6:
            raise MemoryError
        return Result(picture)

    inputs = Inputs([str(path) for path in paths])
    outputs = OutputPaths(inputs, str(tmp_path / "out"), "x")
    with pytest.raises(BatchError, match="2 of 3"):
        run_pictures(inputs, outputs, change, BatchOptions("x", 1, quiet=True))
    lines = capsys.readouterr().err.splitlines()
    assert "0.png: KeyError: 'nobody foresaw this'; this is a fault of cnncli" in lines[0]
    assert "1.png needs more memory than there is" in lines[1]
