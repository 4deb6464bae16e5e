"""What each output format can hold, and the settings it is written with."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from cnncli.config import JPEG_QUALITY
from cnncli.errors import ImageWriteError
from cnncli.images.picture import Picture

_Settings = Callable[[Picture], dict[str, Any]]


class OutputFormat(NamedTuple):
    """What a format is called, holds, and is written with.

    Parameters
    ----------
    suffixes
        The usual one first.
    kinds
        Kinds of picture (Picture.kind) that survive in it. JPEG and WebP lose detail, as everyone
        expects of them; a GIF would lose colours, a BMP its transparency: those are refused.
    carries
        Metadata of Picture.info that Pillow writes along.
    settings
        Pillow's further keyword arguments for a picture.
    longest
        Pixels a side, as far as the encoder goes.
    """

    suffixes: tuple[str, ...]
    kinds: tuple[str, ...] | None
    carries: tuple[str, ...] = ()
    settings: _Settings = lambda _: {}
    longest: float = math.inf


def _lossy(_: Picture) -> dict[str, Any]:
    return {"quality": JPEG_QUALITY}


def _tiff_compression(picture: Picture) -> dict[str, Any]:
    # The file's own compression, where it loses nothing.
    compression = picture.info.get("compression")
    known = compression in ("tiff_lzw", "tiff_adobe_deflate", "packbits")
    return {"compression": compression if known else None}


def _png_text(picture: Picture) -> dict[str, Any]:
    text = picture.info.get("text")
    if not text:
        return {}
    from PIL.PngImagePlugin import PngInfo

    chunks = PngInfo()
    for key, value in text.items():
        chunks.add_text(key, value)
    return {"pnginfo": chunks}


_ALPHA = ("L", "LA", "RGB", "RGBA")
_FLOATS = tuple(f"float32*{channels}" for channels in (2, 3, 4, 5))
_PROFILE = ("icc_profile", "dpi", "exif")

# By Pillow's name; an output format is a row here, and no other line elsewhere.
FORMATS = {
    "PNG": OutputFormat((".png",), (*_ALPHA, "I;16"), _PROFILE, _png_text),
    "JPEG": OutputFormat(
        (".jpg", ".jpeg", ".jpe", ".jfif"),
        ("L", "RGB", "CMYK"),
        (*_PROFILE, "comment"),
        _lossy,
        65_500,
    ),
    "TIFF": OutputFormat(
        (".tif", ".tiff"),
        (*_ALPHA, "CMYK", "I;16", "I", "F", *_FLOATS),
        _PROFILE,
        _tiff_compression,
    ),
    "WEBP": OutputFormat((".webp",), _ALPHA, ("icc_profile", "exif"), _lossy, 16_383),
    "BMP": OutputFormat((".bmp",), ("L", "RGB"), ("dpi",)),
    "GIF": OutputFormat((".gif",), ("L",), ("comment",)),
    "PPM": OutputFormat((".pgm", ".ppm", ".pnm"), ("L", "RGB", "I;16", "uint16*3")),
    "PFM": OutputFormat((".pfm",), ("F", "float32*3")),
    "TGA": OutputFormat((".tga",), _ALPHA),
    "JPEG2000": OutputFormat((".jp2",), _ALPHA),
    "NPY": OutputFormat((".npy",), None),
}
_BY_SUFFIX = {suffix: name for name, row in FORMATS.items() for suffix in row.suffixes}

# PNM suffixes say what is inside; the other formats look at their contents.
_PNM_CHANNELS = {".pgm": 2, ".ppm": 3}

# Picture.kind -> Pillow's mode and raw mode of the bytes.
PILLOW_MODES = {
    "L": ("L", "L"),
    "LA": ("LA", "LA"),
    "RGB": ("RGB", "RGB"),
    "RGBA": ("RGBA", "RGBA"),
    "CMYK": ("CMYK", "CMYK"),
    "I;16": ("I;16", "I;16N"),
    "I": ("I", "I;32NS"),
    "F": ("F", "F;32NF"),
}


def format_of(path: Path) -> str:
    """Return the format that a file's suffix names.

    Raises
    ------
    ImageWriteError
        If the suffix is missing or unknown.
    """
    name = _BY_SUFFIX.get(path.suffix.lower())
    if name is None:
        raise ImageWriteError(
            f"{path}: the suffix {path.suffix or '(none)'} names no format that can be written; "
            f"use one of {' '.join(_BY_SUFFIX)}"
        )
    return name


def names_format(path: Path, name: str | None = None) -> bool:
    """Say whether a file's suffix names the format `name`, or any at all."""
    found = _BY_SUFFIX.get(path.suffix.lower())
    return found is not None and name in (None, found)


def holds(name: str, kind: str) -> bool:
    """Say whether the format `name` can hold a picture of this kind."""
    row = FORMATS.get(name)
    return row is not None and (row.kinds is None or kind in row.kinds)


def require_holds(name: str, kind: str, target: str) -> None:
    """Refuse a format that cannot hold the picture, naming those that can.

    Raises
    ------
    ImageWriteError
        With the suffixes that would do.
    """
    if holds(name, kind) and suffix_fits(Path(target).suffix, kind):
        return
    able = [suffix_of(other, kind) for other in FORMATS if holds(other, kind)]
    raise ImageWriteError(
        f"{target}: {name} cannot hold {describe(kind)}; write {' or '.join(able)} instead"
    )


def require_room(name: str, height: int, width: int, target: str) -> None:
    """Refuse a format whose sides are too short for the picture.

    Raises
    ------
    ImageWriteError
        With the longest side and a format that has none.
    """
    longest = FORMATS[name].longest
    if max(height, width) > longest:
        raise ImageWriteError(
            f"{target}: {name} holds at most {longest} pixels a side, and this is "
            f"{width}x{height}; write .png instead"
        )


def describe(kind: str) -> str:
    """Return a picture's kind in words.

    >>> describe("RGBA"), describe("float32*3")
    ('RGBA pixels (colour with transparency)', 'float32*3 pixels (real numbers)')
    """
    words = {
        "L": "grey",
        "LA": "grey with transparency",
        "RGB": "colour",
        "RGBA": "colour with transparency",
        "CMYK": "inks",
        "I;16": "16-bit grey",
        "I": "32-bit whole numbers",
        "F": "real numbers",
    }
    return f"{kind} pixels ({words.get(kind) or ('real numbers' if 'float' in kind else 'deep')})"


def suffix_fits(suffix: str, kind: str) -> bool:
    """Say whether a suffix that promises grey or colour promises what the picture is."""
    channels = 3 if kind in ("RGB", "uint16*3") else 2
    return _PNM_CHANNELS.get(suffix.lower(), channels) == channels


def suffix_of(name: str, kind: str) -> str:
    """Return the usual suffix of a format for this kind of picture.

    >>> suffix_of("PPM", "L"), suffix_of("JPEG", "L")
    ('.pgm', '.jpg')
    """
    if name == "PPM":
        return ".ppm" if kind in ("RGB", "uint16*3") else ".pgm"
    return FORMATS[name].suffixes[0]


def save_options(name: str, picture: Picture) -> dict[str, Any]:
    """Return Pillow's keyword arguments: settings of the format, and the metadata it carries."""
    row = FORMATS[name]
    carried = {key: picture.info[key] for key in row.carries if key in picture.info}
    return row.settings(picture) | carried
