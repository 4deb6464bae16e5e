"""A PNG writer for 8-bit pictures: row filters in NumPy, deflate in strips on all cores.

Pillow's encoder tries five filters on every row and searches matches even in camera noise. Here
one filter serves a whole picture, chosen on sampled rows; where matches would save nothing, bytes
are Huffman-coded only (:mod:`cnncli.images.literals`), else zlib compresses strip after strip,
each with the end of the one before as its dictionary. Small pictures that zlib shrinks well are
left to Pillow, whose filter for each row makes them a little smaller.

Reference: PNG specification, third edition, sections 5 (chunks), 9 (filters) and 10 (deflate).
"""

import struct
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from cnncli.images.literals import LiteralCoder
from cnncli.pipeline import core_count, ordered_map

Bytes = NDArray[np.uint8]
_COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}  # by the number of channels: grey, grey + alpha, …
_STRIP = 1 << 20  # bytes that one thread filters and compresses at a time
_SAMPLE = 1 << 17  # bytes on which filter and coder are chosen
_WINDOW = 1 << 15  # how far back a match of deflate may lie
_LEVEL = 6  # of zlib, where matches pay
_NO_MATCHES = 1.01  # Huffman codes alone, if zlib's result is larger than theirs by this factor
_SMALLEST_ZLIB = 1 << 22  # bytes; where matches pay, Pillow is as good for smaller pictures
_ADLER = 65521


@dataclass(frozen=True, slots=True)
class Method:
    """How rows are compressed.

    Parameters
    ----------
    kind
        PNG's row filter: 0 none, 1 sub, 2 up, 3 average, 4 Paeth.
    coder
        For Huffman codes alone, or None for zlib.
    """

    kind: int
    coder: LiteralCoder | None = None


def write_png(
    file: BinaryIO,
    pixels: Bytes,
    method: Method,
    chunks: bytes = b"",
    *,
    threads: int | None = None,
) -> None:
    """Write 8-bit pixels as PNG.

    Parameters
    ----------
    file
        Where to write.
    pixels
        ``(H, W)`` or ``(H, W, C)``: grey, grey with alpha, RGB or RGBA.
    method
        From :func:`choose_method`; any gives a right file.
    chunks
        Ready-made chunks that go before the pixels (see :func:`metadata_chunks`).
    threads
        At most so many; all processors by default. The file is the same for every number.
    """
    height, width = pixels.shape[:2]
    rows, bpp = _as_rows(pixels)
    per_strip = max(1, min(_STRIP, max(rows.size // 8, _SAMPLE)) // rows.shape[1])
    starts = range(0, height, per_strip)

    def strip(start: int) -> tuple[bytes, int, int]:
        return _strip(rows, start, min(height, start + per_strip), bpp, method)

    header = struct.pack(">IIBBBBB", width, height, 8, _COLOUR_TYPES[bpp], 0, 0, 0)
    file.write(b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + chunks)
    checksum, prefix = 1, b"\x78\x9c"  # zlib's two bytes: deflate, window of 32 KB
    results = ordered_map(strip, starts, threads or core_count())
    for start, (body, part, size) in zip(starts, results, strict=True):
        checksum = _joined_adler(checksum, part, size)
        ending = struct.pack(">I", checksum) if start + per_strip >= height else b""
        file.write(_chunk(b"IDAT", prefix + body + ending))
        prefix = b""
    file.write(_chunk(b"IEND", b""))


def choose_method(pixels: Bytes) -> Method | None:
    """Return the method that does best on sampled rows, or None where Pillow's encoder is as good.

    Huffman codes alone are chosen only where zlib at its usual level gives a larger result on the
    sample: so the file is never much larger than one that was searched for matches.
    """
    rows, bpp = _as_rows(pixels)
    samples = list(map(partial(_sampled, rows, bpp), range(len(_FILTERS))))
    counts = [np.bincount(sample, minlength=256) for sample in samples]
    kind = int(np.argmin([_entropy(count) for count in counts]))
    coder = LiteralCoder(counts[kind].tolist())
    literals = coder.bits_for(counts[kind].tolist()) / 8
    # Where matches pay, they pay on unfiltered rows (text, drawings) or on the best-filtered.
    sizes = {each: len(_deflated(samples[each], final=True)) for each in {0, kind}}
    if min(sizes.values()) > _NO_MATCHES * literals:
        return Method(kind, coder)
    if pixels.size < _SMALLEST_ZLIB:
        return None
    return Method(int(np.argmin([len(_deflated(sample, final=True)) for sample in samples])))


def _as_rows(pixels: Bytes) -> tuple[Bytes, int]:
    """Return ``(H, W * C)`` and the number of channels."""
    rows = np.ascontiguousarray(pixels).reshape(pixels.shape[0], -1)
    return rows, rows.shape[1] // pixels.shape[1]


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _joined_adler(first: int, second: int, size: int) -> int:
    """Return the Adler-32 checksum of two parts in a row, from theirs and the second's size."""
    low = (first & 0xFFFF) + (second & 0xFFFF) - 1
    high = (first >> 16) + (second >> 16) + size * ((first & 0xFFFF) - 1)
    return (high % _ADLER) << 16 | low % _ADLER


def _strip(rows: Bytes, start: int, stop: int, bpp: int, method: Method) -> tuple[bytes, int, int]:
    """Return the compressed rows, their Adler-32 checksum and their size."""
    final = stop == len(rows)
    data = filtered_rows(rows, start, stop, bpp, method.kind).ravel()
    if method.coder is not None:
        body = method.coder.block(data, final=final)
    else:
        back = max(0, start - -(-_WINDOW // (rows.shape[1] + 1)))
        before = filtered_rows(rows, back, start, bpp, method.kind).tobytes()[-_WINDOW:]
        body = _deflated(data, final=final, dictionary=before)
    return body, zlib.adler32(data.data), data.size


def _deflated(data: Bytes, *, final: bool, dictionary: bytes = b"") -> bytes:
    options = (_LEVEL, zlib.DEFLATED, -15, 9, zlib.Z_DEFAULT_STRATEGY)
    packer = zlib.compressobj(*options, dictionary) if dictionary else zlib.compressobj(*options)
    return packer.compress(data.data) + packer.flush(zlib.Z_FINISH if final else zlib.Z_SYNC_FLUSH)


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
    step = max(1, (1 << 18) // rows.shape[1])  # rows at a time, so that they stay in the cache
    for first in range(start, stop, step):
        last = min(stop, first + step)
        above = rows[max(first - 1, 0) : last - 1]
        if first == 0:
            above = np.concatenate([np.zeros_like(rows[:1]), above])
        _FILTERS[kind](rows[first:last], above, bpp, out[first - start : last - start, 1:])
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


def _sampled(rows: Bytes, bpp: int, kind: int) -> Bytes:
    """Return filtered rows from eight places, or all rows of a small picture."""
    height = len(rows)
    count = max(2, _SAMPLE // rows.shape[1] // 8)
    if height <= 8 * count:
        return filtered_rows(rows, 0, height, bpp, kind).ravel()
    starts = [(height - count) * place // 7 for place in range(8)]
    blocks = [filtered_rows(rows, start, start + count, bpp, kind) for start in starts]
    return np.concatenate(blocks).ravel()


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
