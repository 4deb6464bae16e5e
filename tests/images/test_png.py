"""The project's own PNG encoder, read back by Pillow's decoder and by OpenCV's libpng."""

import io
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from cnncli.images import Picture, read_picture, write_picture
from cnncli.images.literals import MAX_BITS, LiteralCoder, code_lengths
from cnncli.images.png import Method, choose_method, filtered_rows, png_strips
from cnncli.pipeline import ordered_map
from cnncli.resources import sample_image

RNG = np.random.default_rng(9)


def encoded(pixels: np.ndarray, method: Method, threads: int = 2) -> bytes:
    strips = png_strips(pixels, method=method)
    return b"".join(map(strips.join, ordered_map(strips.encode, strips.starts, threads)))


def coder_for(pixels: np.ndarray) -> LiteralCoder:
    return LiteralCoder(np.bincount(pixels.ravel(), minlength=256).tolist())


def assert_same(data: bytes, pixels: np.ndarray) -> None:
    with Image.open(io.BytesIO(data)) as image:
        image.load()  # checks every checksum
        assert (np.asarray(image) == pixels).all()
    try:
        import cv2
    except ImportError:
        return
    back = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert back is not None
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    if channels == 2:  # OpenCV shows grey with alpha as colour with alpha
        assert (back[..., 0] == pixels[..., 0]).all()
        assert (back[..., 3] == pixels[..., 1]).all()
    else:
        order = {1: [0], 3: [2, 1, 0], 4: [2, 1, 0, 3]}[channels]
        assert (back.reshape(*back.shape[:2], -1)[..., order].reshape(pixels.shape) == pixels).all()


shapes = st.tuples(st.integers(1, 40), st.integers(1, 40), st.sampled_from([1, 2, 3, 4]))


@settings(deadline=None)
@given(shapes, st.integers(0, 4), st.booleans(), st.integers(0, 2**32 - 1))
def test_random_pictures(shape: tuple[int, int, int], kind: int, literal: bool, seed: int) -> None:
    channels = shape[2]
    spread = np.random.default_rng(seed).choice([2, 16, 256])
    pixels = np.random.default_rng(seed).integers(0, spread, shape, np.uint8)
    pixels = pixels[..., 0] if channels == 1 else pixels
    assert_same(encoded(pixels, Method(kind, coder_for(pixels) if literal else None)), pixels)


DEGENERATE = {
    "black": np.zeros((3, 5, 3), np.uint8),
    "one pixel": np.full((1, 1), 7, np.uint8),
    "one row": RNG.integers(0, 256, (1, 3000), np.uint8),
    "one column": RNG.integers(0, 256, (3000, 1, 3), np.uint8),
    "extremes": np.tile(np.array([[0, 255], [255, 0]], np.uint8), (50, 50)),
    "all bytes": np.arange(256, dtype=np.uint8).reshape(16, 16),
    "rising": np.add.outer(np.arange(300), np.arange(300)).astype(np.uint8),
}


@pytest.mark.parametrize("name", DEGENERATE)
@pytest.mark.parametrize("kind", range(5))
def test_degenerate_pictures(name: str, kind: int) -> None:
    pixels = DEGENERATE[name]
    assert_same(encoded(pixels, Method(kind)), pixels)
    assert_same(encoded(pixels, Method(kind, coder_for(pixels))), pixels)


def noise(height: int, width: int, channels: int = 3) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    wave = 120 + 60 * np.sin(x / 90) * np.cos(y / 70)
    levels = wave[..., np.newaxis] + RNG.normal(0, 6, (height, width, channels))
    return levels.clip(0, 255).astype(np.uint8).squeeze()


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("literal", [False, True])
def test_many_strips_and_any_number_of_threads(channels: int, literal: bool) -> None:
    pixels = noise(6000 // channels, 2000, channels)
    method = Method(1, coder_for(pixels) if literal else None)
    data = encoded(pixels, method, threads=1)
    assert data.count(b"IDAT") > 4
    assert_same(data, pixels)
    assert data == encoded(pixels, method, threads=3)


def test_filters_undone_by_hand() -> None:
    rows = RNG.integers(0, 256, (4, 9), np.uint8)
    for kind in range(5):
        out = filtered_rows(rows, 0, 4, 3, kind)
        assert (out[:, 0] == kind).all()
        for y in range(4):
            for x in range(9):
                left = int(rows[y, x - 3]) if x >= 3 else 0
                up = int(rows[y - 1, x]) if y else 0
                corner = int(rows[y - 1, x - 3]) if x >= 3 and y else 0
                estimate = left + up - corner
                near = min((left, up, corner), key=lambda v: abs(estimate - v))
                predictor = [0, left, up, (left + up) // 2, near][kind]
                assert out[y, x + 1] == (int(rows[y, x]) - predictor) % 256


def test_camera_noise_is_not_searched_for_matches() -> None:
    assert choose_method(noise(400, 500).reshape(400, -1), 3).coder is not None


def test_drawings_are_left_to_zlib() -> None:
    with Image.open(sample_image("scene.png")) as image:
        pixels = np.asarray(image)
    assert choose_method(pixels.reshape(len(pixels), -1), 3).coder is None


def test_each_strip_has_its_own_method(tmp_path: Path) -> None:
    """Half a sheet of noise below a drawing: neither costs what the other one would."""
    above, below = np.zeros((2200, 1000, 3), np.uint8), noise(2200, 1000)
    above[::50] = 255
    sizes = []
    for number, pixels in enumerate([above, below, np.concatenate([above, below])]):
        path = tmp_path / f"{number}.png"
        write_picture(path, Picture(pixels))
        assert (read_picture(path).pixels == pixels).all()
        sizes.append(path.stat().st_size)
    assert sizes[2] <= 1.05 * (sizes[0] + sizes[1])


def pillow_size(pixels: np.ndarray) -> int:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.tell()


def pictures() -> dict[str, Any]:
    with Image.open(sample_image("scene.png")) as image:
        scene = np.asarray(image)
        wide = np.asarray(image.resize((1600, 1200), Image.Resampling.LANCZOS))
    screen = np.full((1300, 1700, 3), 250, np.uint8)
    for y, x in RNG.integers(0, (1290, 1690), (4000, 2)):
        screen[y : y + 9, x : x + 6] = RNG.integers(0, 2, (9, 6, 1)) * 200
    photo = noise(700, 900)
    grain = (wide.astype(int) + RNG.normal(0, 3, wide.shape)).clip(0, 255).astype(np.uint8)
    return {"scene": scene, "large": wide, "screen": screen, "photo": photo, "grain": grain}


@pytest.mark.parametrize(("name", "pixels"), pictures().items(), ids=lambda v: str(v)[:9])
def test_no_file_is_much_larger_than_pillows(name: str, pixels: np.ndarray, tmp_path: Path) -> None:
    path = tmp_path / f"{name}.png"
    write_picture(path, Picture(pixels))
    assert path.stat().st_size <= 1.05 * pillow_size(pixels)
    assert (read_picture(path).pixels == pixels).all()


def test_metadata_goes_along(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010F] = "a camera"
    info = {
        "icc_profile": b"p" * 300,
        "dpi": (300, 150),
        "exif": exif.tobytes(),
        "text": {"Author": "Zoë 🙂"},
    }
    write_picture(tmp_path / "a.png", Picture(noise(400, 500), info=info))
    picture = read_picture(tmp_path / "a.png")
    assert picture.info["icc_profile"] == b"p" * 300
    assert picture.info["dpi"] == pytest.approx((300, 150), abs=0.02)
    assert picture.info["text"] == {"Author": "Zoë 🙂"}
    kept = Image.Exif()
    kept.load(picture.info["exif"])
    assert kept[0x010F] == "a camera"


# --- the Huffman coder ---


@settings(deadline=None)
@given(st.lists(st.integers(0, 10**6), min_size=2, max_size=300), st.integers(9, 15))
def test_code_lengths_make_a_complete_code(counts: list[int], limit: int) -> None:
    lengths = code_lengths(counts, limit)
    assert max(lengths) <= limit
    assert sum(2 ** (limit - bits) for bits in lengths) == 2**limit


def test_code_lengths_are_as_good_as_huffmans_where_the_limit_allows() -> None:
    assert code_lengths([44, 12, 15, 8, 4]) == [1, 3, 2, 4, 4]
    fibonacci = [0, 0, 1, 2, 4, 7, 12, 20, 33]  # plus one each: a tree like a ladder
    assert sorted(code_lengths(fibonacci)) == [1, 2, 3, 4, 5, 6, 7, 8, 8]
    assert max(code_lengths(fibonacci, 4)) == 4


@pytest.mark.parametrize("size", [0, 1, 3, 4, 5, 257, 4 * 65536 - 1, 4 * 65536, 8 * 65536 + 6])
@pytest.mark.parametrize("spread", [1, 3, 256])
def test_blocks_are_read_by_zlib(size: int, spread: int) -> None:
    data = RNG.integers(0, spread, size, np.uint8)
    coder = coder_for(data)
    stream = coder.block(data, final=False) + coder.block(data[::-1].copy(), final=True)
    assert zlib.decompress(stream, -15) == data.tobytes() + data[::-1].tobytes()


def test_a_coder_made_on_a_sample_codes_what_it_never_saw() -> None:
    coder = coder_for(np.zeros(1000, np.uint8))
    assert max(coder.lengths) <= MAX_BITS
    every = np.arange(256, dtype=np.uint8)
    assert zlib.decompress(coder.block(every, final=True), -15) == every.tobytes()
