"""What each format keeps, what it refuses, and that a file is whole or absent."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnncli.errors import ImageWriteError
from cnncli.images import Picture, read_picture, write_picture
from cnncli.images.formats import format_of

RNG = np.random.default_rng(7)
GREY = RNG.integers(0, 256, (5, 7), np.uint8)
COLOUR = RNG.integers(0, 256, (5, 7, 3), np.uint8)
ALPHA = RNG.integers(0, 256, (5, 7), np.uint8)
PICTURES = {
    "L": Picture(GREY),
    "LA": Picture(GREY, ALPHA),
    "RGB": Picture(COLOUR),
    "RGBA": Picture(COLOUR, ALPHA),
    "CMYK": Picture(np.dstack([COLOUR, GREY])),
    "I;16": Picture(GREY.astype(np.uint16) * 200),
    "I": Picture(GREY.astype(np.int32) * -70000),
    "F": Picture(GREY.astype(np.float32) - 0.25),
    "float32*3": Picture(COLOUR.astype(np.float32) - 0.25),
    "float32*4": Picture(COLOUR / np.float32(3), ALPHA / np.float32(255)),
}
KEPT = [
    *[(kind, ".png") for kind in ("L", "LA", "RGB", "RGBA", "I;16")],
    *[(kind, ".tif") for kind in ("L", "LA", "RGB", "RGBA", "CMYK", "I;16", "I", "F")],
    *[("L", s) for s in (".bmp", ".gif", ".pgm", ".tga", ".jp2")],
    *[("RGB", s) for s in (".bmp", ".ppm", ".pnm", ".tga", ".jp2")],
    ("I;16", ".pgm"),
    ("RGBA", ".tga"),
    ("F", ".pfm"),
]


@pytest.mark.parametrize("kind", PICTURES)
def test_kind(kind: str) -> None:
    assert PICTURES[kind].kind == kind


@pytest.mark.parametrize(("kind", "suffix"), KEPT)
def test_lossless_formats_give_back_every_number(kind: str, suffix: str, tmp_path: Path) -> None:
    picture, path = PICTURES[kind], tmp_path / f"a{suffix}"
    write_picture(path, picture)
    back = read_picture(path)
    assert back.pixels.dtype == picture.pixels.dtype
    assert (back.pixels == picture.pixels).all()
    if picture.alpha is not None:
        assert back.alpha is not None
        assert (back.alpha == picture.alpha).all()


@pytest.mark.parametrize("suffix", [".jpg", ".webp"])
@pytest.mark.parametrize("kind", ["L", "RGB"])
def test_lossy_formats_come_near(kind: str, suffix: str, tmp_path: Path) -> None:
    smooth = np.add.outer(np.arange(64), np.arange(64)).astype(np.uint8)
    pixels = smooth if kind == "L" else np.dstack([smooth, smooth // 2, 128 - smooth // 2])
    write_picture(tmp_path / f"a{suffix}", Picture(pixels))
    back = np.asarray(Image.open(tmp_path / f"a{suffix}").convert(kind)).astype(int)
    assert np.abs(back - pixels).mean() < 3


@pytest.mark.parametrize("kind", PICTURES)
def test_npy_holds_everything(kind: str, tmp_path: Path) -> None:
    picture = PICTURES[kind]
    write_picture(tmp_path / "a.npy", picture)
    back = np.load(tmp_path / "a.npy")
    assert back.dtype == picture.pixels.dtype
    if picture.alpha is None:
        assert (back == picture.pixels).all()
    else:
        assert (back[..., -1] == picture.alpha).all()


@pytest.mark.parametrize("kind", ["float32*3", "float32*4"])
def test_float_tiff_is_read_by_opencv(kind: str, tmp_path: Path) -> None:
    cv2 = pytest.importorskip("cv2", reason="OpenCV comes with the bench extra")
    picture, path = PICTURES[kind], tmp_path / "a.tif"
    write_picture(path, picture)
    back = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert back is not None
    expected = (
        picture.pixels if picture.alpha is None else np.dstack([picture.pixels, picture.alpha])
    )
    order = [2, 1, 0, 3][: expected.shape[2]]  # OpenCV keeps blue first
    assert (back[..., order] == expected).all()


@pytest.mark.parametrize(
    ("kind", "name", "words"),
    [
        ("RGBA", "a.jpg", "JPEG cannot hold RGBA pixels .colour with transparency.; write .png or"),
        ("CMYK", "a.png", "PNG cannot hold CMYK pixels .inks.; write .jpg or .tif"),
        ("F", "a.png", "PNG cannot hold F pixels .real numbers.; write .tif or .pfm or .npy"),
        ("RGB", "a.gif", "GIF cannot hold RGB"),
        ("float32*3", "a.webp", "WEBP cannot hold float32.3 .*write .tif or .pfm or .npy"),
        ("RGB", "a.pgm", "PPM cannot hold RGB .*.ppm"),
        ("L", "a.ppm", "PPM cannot hold L .*.pgm"),
        ("L", "a.docx", "the suffix .docx names no format"),
        ("L", "a", "the suffix .none. names no format"),
    ],
)
def test_refusals_name_what_would_do(kind: str, name: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(ImageWriteError, match=words):
        write_picture(tmp_path / name, PICTURES[kind])
    assert list(tmp_path.iterdir()) == []


def test_no_such_folder(tmp_path: Path) -> None:
    with pytest.raises(ImageWriteError, match="No such file or directory"):
        write_picture(tmp_path / "none" / "a.png", PICTURES["L"])


def test_a_failed_encoder_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"old")
    long = {"comment": b"x" * 70_000}  # a segment of a JPEG file ends at 65,535 bytes
    with pytest.raises(ImageWriteError, match="JPEG cannot hold this"):
        write_picture(path, Picture(GREY, info=long))
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.jpg"]


def test_metadata_survives(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010F] = "a camera"
    source = tmp_path / "a.jpg"
    Image.fromarray(COLOUR).save(source, dpi=(300, 300), icc_profile=b"p" * 200, exif=exif)
    picture = read_picture(source)
    for suffix in (".jpg", ".png", ".tif", ".webp"):
        write_picture(tmp_path / f"b{suffix}", picture)
        with Image.open(tmp_path / f"b{suffix}") as back:
            assert back.info["icc_profile"] == b"p" * 200
            assert back.getexif()[0x010F] == "a camera"
            if suffix != ".webp":
                assert back.info["dpi"] == pytest.approx((300, 300), abs=0.1)


def test_png_text_survives(tmp_path: Path) -> None:
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_text("Author", "someone")
    Image.fromarray(GREY).save(tmp_path / "a.png", pnginfo=info)
    write_picture(tmp_path / "b.png", read_picture(tmp_path / "a.png"))
    with Image.open(tmp_path / "b.png") as back:
        assert back.text == {"Author": "someone"}  # type: ignore[attr-defined]


def test_a_lossless_tiff_compression_is_kept(tmp_path: Path) -> None:
    Image.fromarray(GREY).save(tmp_path / "a.tif", compression="tiff_lzw")
    write_picture(tmp_path / "b.tif", read_picture(tmp_path / "a.tif"))
    with Image.open(tmp_path / "b.tif") as back:
        assert back.info["compression"] == "tiff_lzw"


def test_format_of() -> None:
    assert format_of(Path("x/Photo.JPEG")) == "JPEG"


@pytest.mark.parametrize(("suffix", "longest"), [(".jpg", 65_500), (".webp", 16_383)])
def test_sides_beyond_what_a_format_holds(suffix: str, longest: int, tmp_path: Path) -> None:
    path = tmp_path / f"long{suffix}"
    with pytest.raises(ImageWriteError, match=rf"{longest} pixels a side.* 1x{longest + 1}; .*png"):
        write_picture(path, Picture(np.zeros((longest + 1, 1), np.uint8)))
    assert list(tmp_path.iterdir()) == []
    write_picture(path, Picture(np.zeros((2, longest, 3), np.uint8)))
    assert read_picture(path).pixels.shape == (2, longest, 3)
