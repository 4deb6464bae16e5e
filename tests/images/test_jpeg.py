"""JPEG files joined from strips: the pixels of one encoder's file, in every decoder."""

import io
import tempfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from cnncli.errors import ImageWriteError
from cnncli.images import Picture, jpeg, read_picture, write_picture, writing
from cnncli.pipeline import ordered_map


def photograph(height, width, channels, seed=3):
    """Return smooth waves with some noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    waves = [90 * np.sin(x / (31 + 7 * c)) * np.cos(y / (23 + 5 * c)) for c in range(channels)]
    noisy = 128 + np.stack(waves, axis=-1) + rng.normal(0, 6, (height, width, channels))
    pixels = noisy.clip(0, 255).astype(np.uint8)
    return pixels[..., 0] if channels == 1 else pixels


def in_strips(pixels, threads=2, **options):
    strips = jpeg.jpeg_strips(pixels, {"quality": 90} | options)
    return b"".join(map(strips.join, ordered_map(strips.encode, strips.starts, threads)))


def at_once(pixels, **options):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", **{"quality": 90} | options)
    return buffer.getvalue()


def decoded(data):
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image)


@settings(max_examples=60, deadline=None)
@given(
    height=st.integers(1, 200),
    width=st.integers(1, 90),
    channels=st.sampled_from([1, 3]),
    quality=st.sampled_from([1, 50, 90, 100]),
    strip=st.integers(1, 3000),
)
def test_decodes_to_the_pixels_of_one_encoder(height, width, channels, quality, strip):
    pixels = photograph(height, width, channels)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jpeg, "STRIP", strip)
        data = in_strips(pixels, quality=quality)
    assert (decoded(data) == decoded(at_once(pixels, quality=quality))).all()


def test_opencv_decodes_it_alike(monkeypatch):
    cv2 = pytest.importorskip("cv2")
    monkeypatch.setattr(jpeg, "STRIP", 2000)
    pixels = photograph(300, 130, 3)
    ours, theirs = (
        cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        for data in (in_strips(pixels), at_once(pixels))
    )
    assert (ours == theirs).all()


def test_strips_and_their_markers(monkeypatch):
    monkeypatch.setattr(jpeg, "STRIP", 64 * 16)
    data = in_strips(photograph(16 * 11 + 5, 64, 3))  # 4 groups of blocks in each of 12 strips
    assert data.count(b"\xff\xdd\x00\x04\x00\x04") == 1
    markers = [each for each in range(8) for _ in range(data.count(bytes([0xFF, 0xD0 + each])))]
    assert markers == [0, 0, 1, 1, 2, 2, 3, 4, 5, 6, 7]


def test_a_file_is_the_same_for_every_number_of_threads(monkeypatch):
    monkeypatch.setattr(jpeg, "STRIP", 5000)
    pixels = photograph(400, 120, 3)
    files = {in_strips(pixels, threads=threads) for threads in (1, 2, 5)}
    assert len(files) == 1


def test_the_first_strip_carries_the_metadata(tmp_path, monkeypatch):
    monkeypatch.setattr(jpeg, "STRIP", 200_000)
    monkeypatch.setattr(writing, "_LARGE", 400_000)
    info = {"dpi": (300, 300), "icc_profile": b"profile" * 20_000, "comment": b"a note"}
    path = tmp_path / "large.jpg"
    write_picture(path, Picture(photograph(700, 600, 3), None, "RGB", info))
    with Image.open(path) as image:
        assert image.size == (600, 700)
        assert image.info["dpi"] == (300, 300)
        assert image.info["icc_profile"] == info["icc_profile"]
        assert image.info["comment"] == b"a note"
    data = path.read_bytes()
    assert data.count(b"\xff\xd0") == 1
    assert data.count(b"a note") == 1


def test_small_pictures_and_other_modes_have_no_strips(tmp_path, monkeypatch):
    monkeypatch.setattr(jpeg, "STRIP", 200_000)
    monkeypatch.setattr(writing, "_LARGE", 400_000)
    cmyk = np.zeros((800, 600, 4), np.uint8)
    small = Picture(photograph(300, 300, 3), None, "RGB", {})
    for picture in (Picture(cmyk, None, "CMYK", {}), small):
        path = tmp_path / f"{picture.mode}.jpg"
        write_picture(path, picture)
        assert b"\xff\xdd" not in path.read_bytes()
        assert read_picture(path).pixels.shape == picture.pixels.shape


def test_without_room_for_files_strips_are_encoded_in_memory(monkeypatch):
    def full():
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(jpeg, "STRIP", 5000)
    pixels = photograph(200, 120, 1)
    expected = in_strips(pixels)
    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    assert in_strips(pixels) == expected


def test_metadata_that_does_not_fit_is_refused_and_nothing_is_left(tmp_path, monkeypatch):
    monkeypatch.setattr(jpeg, "STRIP", 200_000)
    monkeypatch.setattr(writing, "_LARGE", 400_000)
    picture = Picture(photograph(700, 600, 3), None, "RGB", {"comment": b"x" * 70_000})
    with pytest.raises(ImageWriteError, match=r"large\.jpg: JPEG cannot hold this"):
        write_picture(tmp_path / "large.jpg", picture)
    assert list(tmp_path.iterdir()) == []
