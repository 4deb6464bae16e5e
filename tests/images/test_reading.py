"""Every mode and depth that goes in, EXIF orientation, and what cannot be read."""

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cnncli.errors import ImageReadError
from cnncli.images import read_picture

GREY = np.array([[0, 50, 100], [150, 200, 250]], np.uint8)
COLOUR = np.dstack([GREY, 255 - GREY, GREY // 2])
ALPHA = np.array([[0, 128, 255], [255, 1, 254]], np.uint8)


def saved(folder: Path, image: Image.Image, name: str = "a.png", **options: Any) -> Path:
    path = folder / name
    image.save(path, **options)
    return path


def test_bilevel_becomes_black_and_white(tmp_path: Path) -> None:
    picture = read_picture(saved(tmp_path, Image.fromarray(GREY > 120)))
    assert (picture.mode, picture.kind) == ("1", "L")
    assert picture.pixels.tolist() == [[0, 0, 0], [255, 255, 255]]


@pytest.mark.parametrize(
    ("mode", "array"),
    [("L", GREY), ("RGB", COLOUR), ("LA", np.dstack([GREY, ALPHA]))],
)
def test_plain_modes_come_as_they_are(mode: str, array: np.ndarray, tmp_path: Path) -> None:
    picture = read_picture(saved(tmp_path, Image.fromarray(array, mode=None)))
    assert picture.mode == picture.kind == mode
    assert (picture.pixels == (array[..., 0] if mode == "LA" else array)).all()
    assert picture.pixels.flags.c_contiguous


def test_alpha_is_kept_apart(tmp_path: Path) -> None:
    picture = read_picture(saved(tmp_path, Image.fromarray(np.dstack([COLOUR, ALPHA]))))
    assert picture.kind == "RGBA"
    assert (picture.pixels == COLOUR).all()
    assert picture.alpha is not None
    assert (picture.alpha == ALPHA).all()


def test_a_palette_becomes_its_colours(tmp_path: Path) -> None:
    image = Image.fromarray(np.array([[0, 1], [2, 1]], np.uint8)).convert("L")
    indexed = Image.new("P", (2, 2))
    indexed.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    indexed.putdata(list(image.get_flattened_data()))
    picture = read_picture(saved(tmp_path, indexed))
    assert (picture.mode, picture.kind) == ("P", "RGB")
    assert picture.pixels[0].tolist() == [[255, 0, 0], [0, 255, 0]]


def test_a_palette_of_greys_becomes_grey(tmp_path: Path) -> None:
    indexed = Image.new("P", (2, 1))
    indexed.putpalette([7, 7, 7, 200, 200, 200])
    indexed.putdata([1, 0])
    picture = read_picture(saved(tmp_path, indexed))
    assert picture.kind == "L"
    assert picture.pixels.tolist() == [[200, 7]]


def test_a_palette_with_transparency_becomes_rgba(tmp_path: Path) -> None:
    indexed = Image.new("P", (2, 1))
    indexed.putpalette([255, 0, 0, 0, 255, 0])
    indexed.putdata([0, 1])
    picture = read_picture(saved(tmp_path, indexed, transparency=0))
    assert picture.kind == "RGBA"
    assert picture.alpha is not None
    assert picture.alpha.tolist() == [[0, 255]]


def test_a_transparent_colour_becomes_alpha(tmp_path: Path) -> None:
    path = saved(tmp_path, Image.fromarray(GREY), transparency=100)
    picture = read_picture(path)
    assert picture.kind == "LA"
    assert picture.alpha is not None
    assert picture.alpha.tolist() == [[255, 255, 0], [255, 255, 255]]


@pytest.mark.parametrize(
    ("array", "kind"),
    [
        (GREY.astype(np.uint16) * 257, "I;16"),
        (GREY.astype(np.int32) * -1000, "I"),
        (GREY.astype(np.float32) / 3, "F"),
        (np.dstack([COLOUR, GREY]), "CMYK"),
    ],
)
def test_deep_and_cmyk_tiffs_keep_their_numbers(
    array: np.ndarray, kind: str, tmp_path: Path
) -> None:
    mode = "CMYK" if kind == "CMYK" else None
    image = Image.new("CMYK", (3, 2)) if mode else Image.fromarray(array)
    if mode:
        image.frombytes(array.tobytes())
    picture = read_picture(saved(tmp_path, image, "a.tif"))
    assert picture.kind == kind
    assert picture.pixels.dtype == array.dtype
    assert (picture.pixels == array).all()


def test_sixteen_bit_png(tmp_path: Path) -> None:
    array = GREY.astype(np.uint16) * 257
    picture = read_picture(saved(tmp_path, Image.fromarray(array)))
    assert picture.kind == "I;16"
    assert (picture.pixels == array).all()


def test_sixteen_bit_colour_is_read_as_eight_and_says_so(tmp_path: Path) -> None:
    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    header = struct.pack(">IIBBBBB", 1, 1, 16, 2, 0, 0, 0)
    body = zlib.compress(b"\0" + struct.pack(">HHH", 0x1234, 0xFF00, 0x00FF))
    path = tmp_path / "deep.png"
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
    )
    picture = read_picture(path)
    assert picture.pixels.tolist() == [[[0x12, 0xFF, 0x00]]]
    assert picture.info["notices"] == ("has 16 bits a channel; they are read as 8",)


def upright(array: np.ndarray, orientation: int) -> np.ndarray:
    """The picture as stored, for one that looks like `array` once it is turned upright."""
    return {
        1: array,
        2: array[:, ::-1],
        3: np.rot90(array, 2),
        4: array[::-1],
        5: array.swapaxes(0, 1),
        6: np.rot90(array, 1),
        7: np.rot90(array, 2).swapaxes(0, 1),
        8: np.rot90(array, -1),
    }[orientation]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied_and_forgotten(orientation: int, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "a camera"
    stored = Image.fromarray(np.ascontiguousarray(upright(COLOUR, orientation)))
    picture = read_picture(saved(tmp_path, stored, exif=exif))
    assert (picture.pixels == COLOUR).all()
    kept = Image.Exif()
    kept.load(picture.info["exif"])
    assert 0x0112 not in kept
    assert kept[0x010F] == "a camera"


def test_of_an_animation_the_first_frame_is_used(tmp_path: Path) -> None:
    frames = [Image.fromarray(np.full((4, 4), v, np.uint8)) for v in (10, 200)]
    path = saved(tmp_path, frames[0], "a.gif", save_all=True, append_images=frames[1:])
    picture = read_picture(path)
    assert (picture.pixels == 10).all()
    assert picture.info["notices"] == ("has several frames; the first one is used",)


@pytest.mark.parametrize(
    ("header", "body", "expected"),
    [
        (b"P5\n3 2\n255\n", bytes(range(6)), [[0, 1, 2], [3, 4, 5]]),
        (b"P5 # a remark\n#another\n2 1\n65535\n", b"\1\0\0\1", [[256, 1]]),
        (b"P6 1 1 255 ", b"\1\2\3", [[[1, 2, 3]]]),
        (b"P2\n2 1\n255\n", b"7 8", [[7, 8]]),  # text: Pillow reads it
        (b"P5\n2 1\n100\n", b"\0\x64", [[0, 255]]),  # scaled to white: Pillow again
    ],
)
def test_pnm(header: bytes, body: bytes, expected: list[Any], tmp_path: Path) -> None:
    path = tmp_path / "a.pnm"
    path.write_bytes(header + body)
    assert read_picture(path).pixels.tolist() == expected


def test_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    buffer = io.BytesIO()
    Image.fromarray(GREY).save(buffer, "PNG")
    buffer.seek(0)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(buffer))
    assert (read_picture("-").pixels == GREY).all()


def damaged(folder: Path, what: str) -> Path:
    path = folder / f"{what}.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)).save(path)
    data = path.read_bytes()
    contents = {
        "text": b"this is no picture\n" * 20,
        "empty": b"",
        "truncated": data[:1500],
        "header": data[:20],
        "flipped": data[:200] + bytes(200) + data[400:],
        "pnm": b"P5\n9 9\n255\nshort",
    }
    path.write_bytes(contents[what])
    return path


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("text", "is not a picture that can be read"),
        ("empty", "is not a picture that can be read"),
        ("truncated", "is damaged or cut off"),
        ("header", "is damaged or cut off|is not a picture"),
        ("flipped", "is damaged or cut off"),
        ("pnm", "it ends before its 81 bytes of pixels"),
    ],
)
def test_what_cannot_be_read_is_one_line(what: str, words: str, tmp_path: Path) -> None:
    path = damaged(tmp_path, what)
    with pytest.raises(ImageReadError, match=words) as caught:
        read_picture(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_and_folder(tmp_path: Path) -> None:
    with pytest.raises(ImageReadError, match="no such file"):
        read_picture(tmp_path / "none.png")
    with pytest.raises(ImageReadError, match="is a folder"):
        read_picture(tmp_path)


def test_more_pixels_than_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CNNCLI_MAX_PIXELS", "5")
    for name in ("a.png", "a.pgm"):
        with pytest.raises(ImageReadError, match="3x2 pixels and the limit is 5; raise"):
            read_picture(saved(tmp_path, Image.fromarray(GREY), name))
