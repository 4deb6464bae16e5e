"""Pictures that nobody should trust: every format and mode, and the ways in which they lie."""

import io
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from PIL import Image

# Every format that is read here, in the modes that Pillow writes.
FORMATS: dict[str, tuple[str, ...]] = {
    "AVIF": ("RGB", "RGBA"),
    "BMP": ("1", "L", "P", "RGB"),
    "DIB": ("RGB",),
    "GIF": ("L", "P"),
    "ICO": ("RGBA", "RGB"),
    "JPEG": ("L", "RGB", "CMYK", "YCbCr"),
    "JPEG2000": ("L", "RGB", "RGBA"),
    "PNG": ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"),
    "PPM": ("1", "L", "RGB", "I;16", "F"),
    "QOI": ("RGB", "RGBA"),
    "TGA": ("1", "L", "LA", "P", "RGB", "RGBA"),
    "TIFF": ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I;16", "I", "F"),
    "WEBP": ("RGB", "RGBA"),
}
_OPTIONS: dict[str, dict[str, Any]] = {"TIFF": {"compression": "tiff_lzw"}}


def image_of(mode: str, width: int = 40, height: int = 30) -> Image.Image:
    """Draw a small picture with some detail in any of Pillow's modes."""
    ys, xs = np.mgrid[0:height, 0:width]
    grey = ((xs * 5 + ys * 3) % 256).astype(np.uint8)
    if mode == "I;16":
        return Image.fromarray(grey.astype(np.uint16) * 257)
    if mode in ("I", "F"):
        kind = np.int32 if mode == "I" else np.float32
        return Image.fromarray(grey.astype(kind) * kind(3) - kind(50))
    colour = np.dstack([grey, 255 - grey, grey // 2, grey // 3 + 100])
    rgba = Image.fromarray(colour)
    return rgba.convert("RGB").convert(mode) if mode in ("CMYK", "YCbCr") else rgba.convert(mode)


def encoded(image: Image.Image, name: str, **options: Any) -> bytes:
    """Return the bytes of a picture file."""
    buffer = io.BytesIO()
    image.save(buffer, name, **(_OPTIONS.get(name, {}) | options))
    return buffer.getvalue()


def every_format() -> Iterator[tuple[str, bytes]]:
    """Yield ``"PNG RGB"`` and its bytes, for every format and mode."""
    for name, modes in FORMATS.items():
        for mode in modes:
            yield f"{name} {mode}", encoded(image_of(mode), name)
    frames = [image_of("RGB"), image_of("RGB").rotate(180)]
    for name in ("GIF", "PNG", "TIFF", "WEBP", "AVIF", "MPO"):
        yield f"{name} frames", encoded(frames[0], name, save_all=True, append_images=frames[1:])


def png_chunk(kind: bytes, data: bytes) -> bytes:
    """Return one chunk of a PNG, its checksum right."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(
    width: int, height: int, depth: int = 8, colour: int = 0, rows: bytes | None = None, **more: Any
) -> bytes:
    """Return a PNG written by hand; without `rows` it holds almost none of what it claims."""
    data = b"\0" * 10 if rows is None else rows
    chunks = b"".join(png_chunk(kind.encode(), body) for kind, body in more.items())
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", header)
        + chunks
        + png_chunk(b"IDAT", zlib.compress(data))
        + png_chunk(b"IEND", b"")
    )


def ico_with(inside: bytes) -> bytes:
    """Return an ICO whose directory says 16x16 and whose only picture is the PNG `inside`."""
    return (
        struct.pack("<HHH", 0, 1, 1)
        + struct.pack("<BBBBHHII", 16, 16, 0, 0, 1, 32, len(inside), 22)
        + inside
    )


def damaged(data: bytes, seed: int) -> bytes:
    """Return the bytes with a few faults: cut off, flipped, overwritten, repeated or taken out."""
    random = np.random.default_rng(seed)
    array = bytearray(data)
    for _ in range(int(random.integers(1, 5))):
        if not array:
            break
        # Headers are short and matter most: half of the faults go there.
        reach = len(array) if random.random() < 0.5 else min(len(array), 64)
        at = int(random.integers(reach))
        what = int(random.integers(6))
        if what == 0:
            del array[at:]
        elif what == 1:
            array[at] ^= 1 << int(random.integers(8))
        elif what == 2:
            array[at] = (0, 1, 127, 128, 255)[int(random.integers(5))]
        elif what == 3:
            array[at : at + 4] = (b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff")[
                int(random.integers(3))
            ]
        elif what == 4:
            array[at:at] = array[at : at + 16]
        else:
            del array[at : at + 8]
    return bytes(array)
