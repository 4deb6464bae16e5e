"""Hostile pictures: every damage is one line, every size is checked before memory is asked for."""

import gzip
import io
import struct
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from cnncli.errors import CnncliError, ImageReadError
from cnncli.filtering.chain import apply_filters
from cnncli.filtering.pooling import PoolSettings, pool_picture
from cnncli.filtering.settings import Settings
from cnncli.images import read_picture, write_picture
from cnncli.limits import MAX_PIXELS
from cnncli.ops import get_filter
from cnncli.ops.borders import parse_border
from tests.conftest import CliRunner
from tests.reliability.hostile import damaged, encoded, every_format, ico_with, image_of, png

BLUR = (get_filter("blur"),)
FILES = dict(every_format())


def filtered(path: Path, target: Path) -> None:
    """Read, filter, pool and write, as the commands do."""
    picture = read_picture(path)
    pool_picture(picture, PoolSettings())
    done = apply_filters(picture, BLUR, Settings()).picture
    write_picture(target, done, "NPY")


def refusal(work: Callable[[], Any]) -> str:
    """Return the line of the expected error that some work ends with; "" if it does not."""
    try:
        work()
    except CnncliError as error:
        return str(error)
    return ""


@pytest.fixture
def small_limit(monkeypatch: pytest.MonkeyPatch) -> int:
    """Allow one megapixel, so that a bomb that goes off is noticed and harmless."""
    monkeypatch.setenv("CNNCLI_MAX_PIXELS", "1000000")
    return 1_000_000


def test_every_format_and_mode_is_tried() -> None:
    assert len(FILES) == 57


@pytest.mark.parametrize("name", FILES)
@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")
@pytest.mark.usefixtures("small_limit")
def test_whole_files_are_filtered_and_broken_ones_refused(name: str, tmp_path: Path) -> None:
    path, target = tmp_path / "picture", tmp_path / "out.npy"
    path.write_bytes(FILES[name])
    filtered(path, target)
    assert target.exists()
    refused = 0
    cuts = [FILES[name][: len(FILES[name]) * part // 8] for part in range(8)]
    for broken in [*cuts, *(damaged(FILES[name], seed) for seed in range(12))]:
        path.write_bytes(broken)
        line = refusal(lambda: filtered(path, target))
        refused += bool(line)
        assert "\n" not in line
        assert not line or str(path) in line or "picture" in line
    assert refused >= 3


@pytest.mark.parametrize("command", ["convolve", "pool", "predict", "features", "why"])
def test_a_bomb_of_66_bytes_is_refused_by_every_command(
    command: str, cli: CliRunner, tmp_path: Path
) -> None:
    (tmp_path / "bomb.png").write_bytes(png(60_000, 60_000))
    assert (tmp_path / "bomb.png").stat().st_size < 100
    options = ["-f", "blur"] if command == "convolve" else []
    run = cli(command, "bomb.png", *options)
    assert run.returncode == 1
    assert run.stdout == ""
    assert run.stderr.splitlines()[-1].startswith("error: bomb.png has 60000x60000 pixels")
    assert str(MAX_PIXELS) in run.stderr
    assert "--max-pixels" in run.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["bomb.png"]


def test_the_limit_can_be_set_and_is_exact(cli: CliRunner, tmp_path: Path) -> None:
    image_of("L", 40, 30).save(tmp_path / "a.png")
    assert cli("pool", "a.png", "--max-pixels", "1200").returncode == 0
    run = cli("pool", "a.png", "--max-pixels", "1199")
    assert run.returncode == 1
    assert "a.png has 40x30 pixels and the limit is 1199" in run.stderr
    run = cli("pool", "a.png", env={"CNNCLI_MAX_PIXELS": "a few"})
    assert run.returncode == 2
    assert "CNNCLI_MAX_PIXELS" in run.stderr


BOMBS: dict[str, bytes] = {
    "PNG": png(30_000, 30_000),
    "PNG of one row": png(2**31 - 1, 1),
    "PNG of one column": png(1, 2**31 - 1),
    "PNG that keeps its word": png(1100, 1000, rows=bytes(1000 * 1101)),
    "PNG in an ICO that says 16x16": ico_with(png(2000, 2000, colour=6, rows=bytes(2000 * 8001))),
    "PGM": b"P5 50000 50000 255\n",
    "PPM of 16 bits": b"P6 50000 50000 65535\n",
    "plain PGM": b"P2 50000 50000 255\n0 0 0",
    "PBM": b"P4 90000 90000\n",
    "PFM": b"Pf\n50000 50000\n-1.0\n",
    "PGM of a thousand digits": b"P5 " + b"9" * 1000 + b" " + b"9" * 1000 + b" 255\n",
    "BMP": FILES["BMP RGB"][:18] + struct.pack("<ii", 60_000, 60_000) + FILES["BMP RGB"][26:],
    "GIF": FILES["GIF P"][:6] + struct.pack("<HH", 65_535, 65_535) + FILES["GIF P"][10:],
    "TGA": FILES["TGA RGB"][:12] + struct.pack("<HH", 65_535, 65_535) + FILES["TGA RGB"][16:],
    "QOI": FILES["QOI RGB"][:4] + struct.pack(">II", 60_000, 60_000) + FILES["QOI RGB"][12:],
}


@pytest.mark.usefixtures("small_limit")
@pytest.mark.parametrize("name", BOMBS)
def test_bombs_of_every_make_are_refused(name: str, tmp_path: Path) -> None:
    import tracemalloc

    path = tmp_path / "bomb"
    path.write_bytes(BOMBS[name])
    tracemalloc.start()
    try:
        with pytest.raises(ImageReadError, match="the limit is 1000000; raise it with --max-pixel"):
            read_picture(path)
        assert tracemalloc.get_traced_memory()[1] < 24 << 20
    finally:
        tracemalloc.stop()


def test_a_picture_cut_off_after_its_header_is_not_allocated(tmp_path: Path) -> None:
    # 200 million pixels are allowed; a file of 18 bytes does not have them.
    path = tmp_path / "a.pgm"
    path.write_bytes(b"P5 20000 10000 255\n")
    with pytest.raises(ImageReadError, match="damaged or cut off"):
        read_picture(path)


@pytest.mark.parametrize("kind", ["zTXt", "iTXt", "iCCP", "tEXt"])
def test_text_bombs_in_a_png_are_refused_or_left_out(kind: str, tmp_path: Path) -> None:
    packed = zlib.compress(bytes(80 << 20), 9)
    body = {
        "zTXt": b"Comment\0\0" + packed,
        "iTXt": b"Comment\0\1\0\0\0" + packed,
        "iCCP": b"profile\0\0" + packed,
        "tEXt": b"Comment\0" + b"x" * (2 << 20),
    }[kind]
    path = tmp_path / "a.png"
    path.write_bytes(png(2, 2, rows=bytes(6), **{kind: body}))
    line = refusal(lambda: read_picture(path))
    assert not line or "damaged" in line
    if not line:
        assert all(len(str(value)) < 4 << 20 for value in read_picture(path).info.values())


@pytest.mark.parametrize("name", ["a.eps", "a.png"])
def test_what_could_run_a_program_is_no_picture(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import subprocess

    def forbidden(*_: Any, **__: Any) -> None:
        pytest.fail("a program was started for a picture")

    monkeypatch.setattr(subprocess, "Popen", forbidden)
    path = tmp_path / name
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n")
    with pytest.raises(ImageReadError, match="is not a picture that can be read"):
        read_picture(path)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (2, 2)])
@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "I", "F"])
def test_tiny_pictures_of_every_mode_pass(size: tuple[int, int], mode: str, tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    image_of(mode, *size).save(path)
    for filters in (BLUR, (get_filter("gaussian7"),)):
        for border in ("reflect", "symmetric", "edge", "wrap", "constant:3"):
            done = apply_filters(
                read_picture(path), filters, Settings(border=parse_border(border))
            ).picture
            assert done.pixels.shape[:2] == size[::-1]
    pooled = pool_picture(read_picture(path), PoolSettings())
    assert pooled.pixels.shape[:2] == tuple((n + 1) // 2 for n in size[::-1])


def test_a_picture_smaller_than_the_kernel_fails_by_its_name(
    cli: CliRunner, tmp_path: Path
) -> None:
    image_of("L", 2, 2).save(tmp_path / "tiny.png")
    image_of("L", 9, 9).save(tmp_path / "good.png")
    run = cli("convolve", "tiny.png", "good.png", "-f", "blur", "--border", "valid")
    assert run.returncode == 3
    assert run.stdout == "good_blur.png\n"
    assert "error: tiny.png" in run.stderr


@pytest.mark.parametrize(
    "data",
    [
        png(0, 5),
        png(5, 0),
        b"P5 0 0 255\n",
        b"P6 0 7 255\n",
        b"P5 7 0 65535\n",
        b"P2 0 0 255\n",
        FILES["BMP RGB"][:18] + bytes(8) + FILES["BMP RGB"][26:],
    ],
)
def test_pictures_without_pixels_are_refused(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(data)
    with pytest.raises(ImageReadError):
        read_picture(path)
    if data.startswith((b"P5", b"P6")):
        with pytest.raises(ImageReadError, match="give a picture that has some"):
            read_picture(path)


@pytest.mark.parametrize(("depth", "values"), [(1, 2), (2, 4), (4, 16)])
def test_grey_png_of_few_bits_has_its_levels(depth: int, values: int, tmp_path: Path) -> None:
    # Eight pixels in a row, written by hand: 0, 1, 2, … modulo the number of levels.
    row, bits = [n % values for n in range(8)], 0
    for value in row:
        bits = bits << depth | value
    path = tmp_path / "a.png"
    path.write_bytes(png(8, 1, depth, rows=b"\0" + bits.to_bytes(depth, "big")))
    picture = read_picture(path)
    assert picture.pixels.tolist() == [[value * 255 // (values - 1) for value in row]]


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_palette_png_of_few_bits_with_transparency(depth: int, tmp_path: Path) -> None:
    row = [0, 1, 1, 0] * (8 // 4)
    bits = 0
    for value in row:
        bits = bits << depth | value
    path = tmp_path / "a.png"
    data = png(
        8,
        1,
        depth,
        3,
        b"\0" + bits.to_bytes(depth, "big"),
        PLTE=bytes([200, 10, 20, 1, 2, 3]),
        tRNS=bytes([255, 0]),
    )
    path.write_bytes(data)
    picture = read_picture(path)
    assert picture.pixels[0, :2].tolist() == [[200, 10, 20], [1, 2, 3]]
    assert picture.alpha is not None
    assert picture.alpha[0].tolist() == [255 * (1 - value) for value in row]


@pytest.mark.parametrize("colour", [2, 4, 6])
def test_colour_png_of_16_bits_is_read_or_refused(colour: int, tmp_path: Path) -> None:
    samples = {2: 3, 4: 2, 6: 4}[colour]
    rows = (b"\0" + bytes(range(2 * samples)) * 3) * 2
    path = tmp_path / "a.png"
    path.write_bytes(png(3, 2, 16, colour, rows))
    picture = read_picture(path)
    assert picture.pixels.shape[:2] == (2, 3)


@pytest.mark.parametrize(
    "array",
    [
        np.array([[np.nan, np.inf], [-np.inf, 1.0]], np.float32),
        np.array([[3e38, -3e38], [3e38, 3e38]], np.float32),
        np.array([[2**31 - 1, -(2**31)], [0, 1]], np.int32),
    ],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # the command line does not show them
def test_extreme_numbers_in_deep_tiffs_do_not_crash(array: np.ndarray, tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    Image.fromarray(array).save(path)
    picture = read_picture(path)
    line = refusal(lambda: apply_filters(picture, BLUR, Settings()))
    assert not line or ";" in line
    if not line:
        write_picture(tmp_path / "out.tif", apply_filters(picture, BLUR, Settings()).picture)


def test_metadata_that_no_format_can_hold_does_not_stop_the_picture(tmp_path: Path) -> None:
    for dpi in ((0, 0), (1e30, 1e30), (float("nan"), 1)):
        picture = read_picture(_saved(tmp_path))
        info = {**picture.info, "dpi": dpi}
        for suffix in (".png", ".jpg", ".tif", ".bmp"):
            out = tmp_path / f"out{suffix}"
            out.unlink(missing_ok=True)
            odd = type(picture)(picture.pixels, None, "L", info)
            line = refusal(partial(write_picture, out, odd))
            assert str(out) in line or not line
            assert out.exists() == (not line)


def test_a_resolution_of_nothing_is_left_out(tmp_path: Path) -> None:
    image = image_of("L")
    image.save(tmp_path / "a.tif", dpi=(72, 72))
    data = (tmp_path / "a.tif").read_bytes()
    broken = data.replace(struct.pack("<II", 72, 1), struct.pack("<II", 72, 0))
    assert broken != data
    (tmp_path / "a.tif").write_bytes(broken)
    for suffix in (".png", ".jpg", ".tif", ".bmp"):
        write_picture(tmp_path / f"out{suffix}", read_picture(tmp_path / "a.tif"))


def _saved(folder: Path) -> Path:
    image_of("L").save(folder / "plain.png")
    return folder / "plain.png"


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_exif_of_any_kind_is_read_or_left_out(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    for value in (0, 9, 70000, "up", (1, 2), b"\xff", 1.5):
        exif = Image.Exif()
        exif[0x0112] = value
        try:
            image_of("RGB").save(path, exif=exif)
        except (struct.error, TypeError, ValueError, OverflowError):
            continue  # Pillow cannot write this one
        assert read_picture(path).pixels.shape == (30, 40, 3)
    image_of("RGB").save(path, exif=b"Exif\0\0MM\0*" + b"\xff" * 60)
    line = refusal(lambda: read_picture(path))
    assert not line or "damaged" in line


def test_a_png_with_odd_text_keeps_or_drops_it(tmp_path: Path) -> None:
    chunks = PngImagePlugin.PngInfo()
    chunks.add_text("k" * 79, "\0\n\x1b[31m")
    chunks.add_itxt("Title", "gr\u00fc\u00df \U0001f600 \u0663")
    image_of("L").save(tmp_path / "a.png", pnginfo=chunks)
    picture = read_picture(tmp_path / "a.png")
    write_picture(tmp_path / "b.png", picture)
    assert (read_picture(tmp_path / "b.png").pixels == picture.pixels).all()


def test_gzip_and_others_are_no_pictures(tmp_path: Path) -> None:
    for data in (gzip.compress(bytes(1 << 20)), b"", b"\0", b"P5", b"\x89PNG\r\n\x1a\n", b"%PDF-1"):
        path = tmp_path / "a.png"
        path.write_bytes(data)
        with pytest.raises(ImageReadError):
            read_picture(path)


def test_stdin_longer_than_any_picture_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    class Endless(io.RawIOBase):
        taken = 0

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            assert self.taken < 200 << 20, "an endless stream is read without end"
            self.taken += len(buffer)
            return len(buffer)

    class Stdin:
        buffer = io.BufferedReader(Endless())

    monkeypatch.setenv("CNNCLI_MAX_PIXELS", "1000")
    monkeypatch.setattr(sys, "stdin", Stdin())
    with pytest.raises(ImageReadError, match="stdin sends more than"):
        read_picture("-")


def test_animations_and_pages_give_the_first_frame_and_say_so(tmp_path: Path) -> None:
    for name in ("GIF", "PNG", "TIFF", "WEBP"):
        path = tmp_path / "a"
        path.write_bytes(FILES[f"{name} frames"])
        picture = read_picture(path)
        assert any("first one is used" in text for text in picture.info["notices"]), name
        first = np.asarray(image_of("RGB")).astype(int)
        shown = picture.pixels if picture.pixels.ndim == 3 else picture.pixels[..., None]
        if name in ("PNG", "TIFF"):
            assert (shown == first).all()


def test_encoded_writes_what_it_says() -> None:
    assert Image.open(io.BytesIO(encoded(image_of("CMYK"), "JPEG"))).mode == "CMYK"
