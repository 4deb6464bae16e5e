"""Pictures whose rows are made when they are asked for: the same as those made at once."""

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from cnncli.errors import ImageReadError
from cnncli.images import Picture, begin_picture, read_picture, write_picture
from cnncli.ops import FILTERS, filter_image, pool2d
from cnncli.rows import Rows

RNG = np.random.default_rng(4)


def in_rows(pixels):
    return Rows(pixels.shape, pixels.dtype, lambda start, stop: pixels[start:stop])


def in_parts(rows, step):
    height = rows.shape[0]
    parts = [rows[start : min(start + step, height)] for start in range(0, height, step)]
    return np.concatenate(parts)


@settings(max_examples=200, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 30), st.integers(1, 20), st.sampled_from([1, 3])),
    kernel=st.sampled_from(["vertical_edge", "gaussian5", "sobel", "log", "roberts_x"]),
    border=st.sampled_from(["reflect", "symmetric", "edge", "constant:7", "wrap"]),
    stride=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    dilation=st.tuples(st.integers(1, 3), st.integers(1, 2)),
    dtype=st.sampled_from([np.uint8, np.uint16]),
    step=st.integers(1, 9),
)
def test_filtered_in_parts(shape, kernel, border, stride, dilation, dtype, step):
    pixels = RNG.integers(0, 256, shape).astype(dtype)
    windows = {"border": border, "stride": stride, "dilation": dilation}
    whole, _ = filter_image(pixels, FILTERS[kernel], **windows)
    rows, _ = filter_image(in_rows(pixels), FILTERS[kernel], **windows)
    assert isinstance(rows, Rows)
    assert rows.dtype == whole.dtype
    assert (in_parts(rows, step) == whole).all()
    assert (np.asarray(rows) == whole).all()


@settings(max_examples=200, deadline=None)
@given(
    shape=st.tuples(st.integers(5, 30), st.integers(5, 20), st.sampled_from([1, 3])),
    size=st.integers(1, 5),
    stride=st.integers(1, 6),
    mode=st.sampled_from(["max", "min", "avg", "sum", "l2"]),
    edge=st.sampled_from(["partial", "drop", "pad"]),
    step=st.integers(1, 9),
)
def test_pooled_in_parts(shape, size, stride, mode, edge, step):
    pixels = RNG.integers(0, 256, shape, np.uint8)
    options = {"size": size, "stride": stride, "mode": mode, "edge": edge}
    options |= {"padding": size // 2} if edge == "pad" else {}
    whole, rows = pool2d(pixels, **options), pool2d(in_rows(pixels), **options)
    assert rows.dtype == whole.dtype
    assert (in_parts(rows, step) == whole).all()


def photograph(channels):
    """Return noise that begins and ends in black, with black columns in the middle of some rows."""
    pixels = RNG.integers(0, 256, (1300, 900, channels), np.uint8)
    pixels[:200] = pixels[1100:] = pixels[400:600, 300:700] = 0
    return pixels[..., 0] if channels == 1 else pixels


@pytest.mark.parametrize("suffix", ["png", "jpg", "ppm", "bmp"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("threads", [1, 2])
def test_decoded_while_rows_are_used(suffix, channels, threads, tmp_path: Path):
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(photograph(channels)).save(path)
    with Image.open(path) as image:
        expected = np.asarray(image)
    picture = begin_picture(path, threads=threads)
    assert picture.pixels.shape == expected.shape
    for start in (0, 7, 1250, 630, 90):
        assert (picture.pixels[start : start + 50] == expected[start : start + 50]).all()
    assert (picture.whole().pixels == expected).all()


def with_text(pixels, *, after):
    chunks, buffer = PngImagePlugin.PngInfo(), io.BytesIO()
    chunks.add(b"tEXt", b"Author\0somebody", after_idat=after)
    Image.fromarray(pixels).save(buffer, "PNG", pnginfo=chunks)
    return buffer.getvalue()


@pytest.mark.parametrize("after", [False, True])
def test_texts_before_and_after_the_pixels_are_kept(after, tmp_path: Path):
    pixels = photograph(3)
    (tmp_path / "a.png").write_bytes(with_text(pixels, after=after))
    picture = begin_picture(tmp_path / "a.png", threads=2)
    assert picture.info["text"] == {"Author": "somebody"}
    write_picture(tmp_path / "b.png", picture)
    assert read_picture(tmp_path / "b.png").info["text"] == {"Author": "somebody"}
    assert (read_picture(tmp_path / "b.png").pixels == pixels).all()


@pytest.mark.parametrize("threads", [1, 2])
def test_damage_is_found_where_rows_are_asked_for_and_leaves_no_file(threads, tmp_path: Path):
    data = bytearray(with_text(photograph(3), after=False))
    data[len(data) // 2 : len(data) // 2 + 4000] = bytes(4000)
    (tmp_path / "a.png").write_bytes(data)
    picture = begin_picture(tmp_path / "a.png", threads=threads)
    pixels, _ = filter_image(picture.pixels, FILTERS["blur"])
    with pytest.raises(ImageReadError, match=r"a\.png is damaged or cut off"):
        write_picture(tmp_path / "b.png", Picture(pixels), threads=threads)
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_a_raw_picture_that_ends_early(tmp_path: Path):
    (tmp_path / "a.pgm").write_bytes(b"P5 40 50 255\n" + bytes(1999))
    with pytest.raises(ImageReadError, match="it ends before its 2000 bytes of pixels"):
        begin_picture(tmp_path / "a.pgm")
