"""A PNG writer for 8-bit pictures: row filters in NumPy, deflate in strips on all cores.

Pillow's encoder tries five filters on every row and searches matches even in camera noise. Here
one filter serves a strip, chosen on some of its rows; where matches would save nothing, bytes are
Huffman-coded only (:mod:`cnncli.images.literals`), else zlib compresses the strip. What is chosen
for one strip depends on no other, so that a picture need not be whole to be written.

Reference: PNG specification, third edition, sections 5 (chunks), 9 (filters) and 10 (deflate).
"""

import struct
import zlib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cnncli.images.literals import LiteralCoder
from cnncli.images.strips import Strips
from cnncli.rows import Rows

Bytes = NDArray[np.uint8]
_COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}  # by the number of channels: grey, grey + alpha, …
# Bytes for a thread. Twice as many take 0.96 of the time for 12 MP (median of 21 pairs, two Zen 4
# cores) and 9 MB more, with which a grey picture of 100 MP needs more than 64 MB beside itself.
_STRIP = 1 << 20
_PIECE = 1 << 18  # of a strip, filtered and packed at once
_SAMPLE = 1 << 14  # bytes by which filter and coder are chosen
_LEVEL = 6  # of zlib, where matches pay
_NO_MATCHES = 1.01  # Huffman codes alone, if zlib's result is larger than theirs by this factor
_ADLER = 65521


class Method(NamedTuple):
    """How the rows of a strip are compressed.

    Parameters
    ----------
    kind
        PNG's row filter: 0 none, 1 sub, 2 up, 3 average, 4 Paeth.
    coder
        For Huffman codes alone, or None for zlib.
    """

    kind: int
    coder: LiteralCoder | None = None


def png_strips(pixels: Bytes | Rows, chunks: bytes = b"", method: Method | None = None) -> Strips:
    """Return how 8-bit pixels become a PNG file.

    Parameters
    ----------
    pixels
        ``(H, W)`` or ``(H, W, C)``: grey, grey with alpha, RGB or RGBA.
    chunks
        Ready-made chunks that go before the pixels (see :func:`metadata_chunks`).
    method
        For all strips; by default :func:`choose_method` is asked for each.
    """
    height, width = pixels.shape[:2]
    bpp = pixels.shape[2] if pixels.ndim == 3 else 1
    tall, step = (max(1, size // (width * bpp)) for size in (_STRIP, _PIECE))
    header = struct.pack(">IIBBBBB", width, height, 8, _COLOUR_TYPES[bpp], 0, 0, 0)
    # What comes first in the file and in its stream, whose two bytes say deflate and 32 KB.
    head, prefix = b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + chunks, b"\x78\x9c"
    checksum, done = 1, 0

    def encode(start: int) -> tuple[list[bytes], int, int]:
        above = min(start, 1)  # most filters look at the row above
        rows = pixels[start - above : start + tall]
        rows = np.ascontiguousarray(rows).reshape(len(rows), -1)
        kind, coder = method or choose_method(rows[above:], bpp)
        deflate: Any = None if coder else _deflate()
        parts, checksum, size = [], 1, 0
        for first in range(above, len(rows), step):  # in pieces that stay in the cache
            last = min(first + step, len(rows))
            data = filtered_rows(rows, first, last, bpp, kind).ravel()
            final = last == len(rows) and start + tall >= height
            parts.append(coder.block(data, final=final) if coder else deflate.compress(data.data))
            checksum, size = zlib.adler32(data.data, checksum), size + data.size
        if deflate:
            parts.append(deflate.flush(zlib.Z_FINISH if final else zlib.Z_SYNC_FLUSH))
        return parts, checksum, size

    def join(part: tuple[list[bytes], int, int]) -> bytes:
        nonlocal head, prefix, checksum, done
        checksum, done = _joined_adler(checksum, *part[1:]), done + tall
        ending = struct.pack(">I", checksum) if done >= height else b""
        data = head + _chunk(b"IDAT", prefix, *part[0], ending)
        head = prefix = b""
        return data + (_chunk(b"IEND", b"") if ending else b"")

    return Strips(range(0, height, tall), encode, join)


def choose_method(rows: Bytes, bpp: int) -> Method:
    """Return the method that does best on sampled rows ``(H, W * C)``.

    Huffman codes alone are chosen only where zlib at its usual level gives a larger result on the
    sample: so the file is never much larger than one that was searched for matches.
    """
    samples = [_sampled(rows, bpp, kind, 2) for kind in range(len(_FILTERS))]
    counts = [np.bincount(sample, minlength=256) for sample in samples]
    kind = int(np.argmin([_entropy(count) for count in counts]))
    coder = LiteralCoder(counts[kind].tolist())
    literals = coder.bits_for(counts[kind].tolist()) / 8
    # Where matches pay, they pay on unfiltered rows (text, drawings) or on the best-filtered.
    if min(_deflated_size(samples[each]) for each in {0, kind}) > _NO_MATCHES * literals:
        return Method(kind, coder)
    sizes = [_deflated_size(_sampled(rows, bpp, each, 8)) for each in range(len(_FILTERS))]
    return Method(int(np.argmin(sizes)))


def _sampled(rows: Bytes, bpp: int, kind: int, places: int) -> Bytes:
    """Return filtered rows from some places, or parts of wide ones, or all of a few rows."""
    wide = min(rows.shape[1], _SAMPLE // places)
    count = _SAMPLE // places // wide
    if len(rows) <= places * count:
        return filtered_rows(rows, 0, len(rows), bpp, kind).ravel()
    blocks = []
    for part in np.linspace(0, 1, places):
        start, left = int((len(rows) - count) * part), int((rows.shape[1] - wide) * part)
        shown = rows[:, left // bpp * bpp :][:, :wide]
        blocks.append(filtered_rows(shown, start, start + count, bpp, kind))
    return np.concatenate(blocks).ravel()


def _chunk(name: bytes, *parts: bytes) -> bytes:
    checksum = 0
    for part in (name, *parts):  # one after the other: large ones are copied once
        checksum = zlib.crc32(part, checksum)
    size, ending = struct.pack(">I", sum(map(len, parts))), struct.pack(">I", checksum)
    return b"".join([size, name, *parts, ending])


def _joined_adler(first: int, second: int, size: int) -> int:
    """Return the Adler-32 checksum of two parts in a row, from theirs and the second's size."""
    low = (first & 0xFFFF) + (second & 0xFFFF) - 1
    high = (first >> 16) + (second >> 16) + size * ((first & 0xFFFF) - 1)
    return (high % _ADLER) << 16 | low % _ADLER


def _deflate() -> Any:
    return zlib.compressobj(_LEVEL, zlib.DEFLATED, -15, 9)


def _deflated_size(data: Bytes) -> int:
    packer = _deflate()
    return len(packer.compress(data.data)) + len(packer.flush())


def filtered_rows(rows: Bytes, start: int, stop: int, bpp: int, kind: int) -> Bytes:
    """Return rows with PNG's filter byte in front and what the filter leaves of them.

    Parameters
    ----------
    rows
        All rows of the picture, ``(H, W * C)``.
    start, stop
        Which rows.
    bpp
        Bytes per pixel: how far to the left the neighbour lies.
    kind
        0 none, 1 sub (left), 2 up, 3 average, 4 Paeth.
    """
    out = np.empty((stop - start, rows.shape[1] + 1), np.uint8)
    out[:, 0] = kind
    above = rows[max(start - 1, 0) : stop - 1]
    if start == 0:
        above = np.concatenate([np.zeros_like(rows[:1]), above])
    _FILTERS[kind](rows[start:stop], above, bpp, out[:, 1:])
    return out


def _none(rows: Bytes, above: Bytes, bpp: int, out: Bytes) -> None:  # noqa: ARG001 (one signature)
    np.copyto(out, rows)


def _sub(rows: Bytes, above: Bytes, bpp: int, out: Bytes) -> None:  # noqa: ARG001 (one signature)
    out[:, :bpp] = rows[:, :bpp]
    np.subtract(rows[:, bpp:], rows[:, :-bpp], out=out[:, bpp:])


def _up(rows: Bytes, above: Bytes, bpp: int, out: Bytes) -> None:  # noqa: ARG001 (one signature)
    np.subtract(rows, above, out=out)


def _average(rows: Bytes, above: Bytes, bpp: int, out: Bytes) -> None:
    left, up = rows[:, :-bpp], above[:, bpp:]
    mean = left ^ up  # (a + b) // 2 without a ninth bit: a & b plus half of the bits that differ
    mean >>= 1
    mean += left & up
    np.subtract(rows[:, :bpp], above[:, :bpp] >> 1, out=out[:, :bpp])
    np.subtract(rows[:, bpp:], mean, out=out[:, bpp:])


def _paeth(rows: Bytes, above: Bytes, bpp: int, out: Bytes) -> None:
    left, up = rows[:, :-bpp].astype(np.int16), above[:, bpp:].astype(np.int16)
    corner = above[:, :-bpp].astype(np.int16)
    to_left, to_up = up - corner, left - corner  # of the estimate left + up - corner
    to_corner = np.abs(to_left + to_up)
    to_left, to_up = np.abs(to_left), np.abs(to_up)
    nearest = np.where(to_up <= to_corner, up, corner)
    nearest = np.where((to_left <= to_up) & (to_left <= to_corner), left, nearest)
    np.subtract(rows[:, :bpp], above[:, :bpp], out=out[:, :bpp])
    np.subtract(rows[:, bpp:], nearest.astype(np.uint8), out=out[:, bpp:])


_FILTERS: tuple[Callable[[Bytes, Bytes, int, Bytes], None], ...] = (
    _none,
    _sub,
    _up,
    _average,
    _paeth,
)


def _entropy(counts: NDArray[Any]) -> float:
    share = counts[counts > 0] / counts.sum()
    return float(-(share * np.log2(share)).sum())


def metadata_chunks(info: Mapping[str, Any]) -> bytes:
    """Return the chunks for a picture's colour profile, resolution, EXIF fields and texts.

    Parameters
    ----------
    info
        ``icc_profile``, ``exif`` (bytes), ``dpi`` (two numbers) and ``text`` (a mapping); others
        are left out.
    """
    chunks = b""
    if profile := info.get("icc_profile"):
        chunks += _chunk(b"iCCP", b"ICC Profile\0\0" + zlib.compress(profile))
    if dpi := info.get("dpi"):
        per_metre = [int(float(number) / 0.0254 + 0.5) for number in dpi]
        chunks += _chunk(b"pHYs", struct.pack(">IIB", *per_metre, 1))
    for key, text in (info.get("text") or {}).items():
        name = key.encode("latin-1", "replace")[:79]
        # International text, uncompressed, with no language given.
        chunks += _chunk(b"iTXt", name + b"\0\0\0\0\0" + text.encode("utf-8", "replace"))
    if exif := info.get("exif"):
        chunks += _chunk(b"eXIf", exif.removeprefix(b"Exif\0\0"))
    return chunks
