"""What each output format can hold, and the settings it is written with."""

from pathlib import Path
from typing import Any

from cnncli.config import JPEG_QUALITY
from cnncli.errors import ImageWriteError
from cnncli.images.picture import Picture

_SUFFIXES = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".jpe": "JPEG",
    ".jfif": "JPEG",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".webp": "WEBP",
    ".bmp": "BMP",
    ".gif": "GIF",
    ".pgm": "PPM",
    ".ppm": "PPM",
    ".pnm": "PPM",
    ".pfm": "PFM",
    ".tga": "TGA",
    ".jp2": "JPEG2000",
    ".npy": "NPY",
}

_FLOATS = tuple(f"float32*{channels}" for channels in (2, 3, 4, 5))

# Pixels a side, as far as the encoders go.
LONGEST_SIDE = {"JPEG": 65_500, "WEBP": 16_383}

# Kinds of picture (Picture.kind) that survive in each format. JPEG and WebP lose detail, as
# everyone expects of them; a GIF would lose colours, a BMP its transparency: those are refused.
_HOLDS = {
    "PNG": ("L", "LA", "RGB", "RGBA", "I;16"),
    "JPEG": ("L", "RGB", "CMYK"),
    "TIFF": ("L", "LA", "RGB", "RGBA", "CMYK", "I;16", "I", "F", *_FLOATS),
    "WEBP": ("L", "LA", "RGB", "RGBA"),
    "BMP": ("L", "RGB"),
    "GIF": ("L",),
    "PPM": ("L", "RGB", "I;16", "uint16*3"),
    "PFM": ("F", "float32*3"),
    "TGA": ("L", "LA", "RGB", "RGBA"),
    "JPEG2000": ("L", "LA", "RGB", "RGBA"),
}
_USUAL_SUFFIX = {name: suffix for suffix, name in reversed(_SUFFIXES.items())}

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
    name = _SUFFIXES.get(path.suffix.lower())
    if name is None:
        raise ImageWriteError(
            f"{path}: the suffix {path.suffix or '(none)'} names no format that can be written; "
            f"use one of {' '.join(_SUFFIXES)}"
        )
    return name


def names_format(path: Path, name: str | None = None) -> bool:
    """Say whether a file's suffix names the format `name`, or any at all."""
    found = _SUFFIXES.get(path.suffix.lower())
    return found is not None and name in (None, found)


def holds(name: str, kind: str) -> bool:
    """Say whether the format `name` can hold a picture of this kind."""
    return name == "NPY" or kind in _HOLDS.get(name, ())


def require_holds(name: str, kind: str, target: str) -> None:
    """Refuse a format that cannot hold the picture, naming those that can.

    Raises
    ------
    ImageWriteError
        With the suffixes that would do.
    """
    if holds(name, kind) and suffix_fits(Path(target).suffix, kind):
        return
    able = [suffix_of(other, kind) for other in (*_HOLDS, "NPY") if holds(other, kind)]
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
    longest = LONGEST_SIDE.get(name)
    if longest is not None and max(height, width) > longest:
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
    return _USUAL_SUFFIX[name]


def save_options(name: str, picture: Picture) -> dict[str, Any]:
    """Return Pillow's keyword arguments: settings of the format, and the metadata it carries."""
    settings: dict[str, dict[str, Any]] = {
        "JPEG": {"quality": JPEG_QUALITY},
        "WEBP": {"quality": JPEG_QUALITY},
        "TIFF": {"compression": _tiff_compression(picture)},
        "PNG": {"pnginfo": _png_text(picture)},
    }
    carried = {
        "PNG": ("icc_profile", "dpi", "exif"),
        "JPEG": ("icc_profile", "dpi", "exif", "comment"),
        "TIFF": ("icc_profile", "dpi", "exif"),
        "WEBP": ("icc_profile", "exif"),
        "BMP": ("dpi",),
        "GIF": ("comment",),
    }
    kept = {key: picture.info[key] for key in carried.get(name, ()) if key in picture.info}
    return settings.get(name, {}) | kept


def _tiff_compression(picture: Picture) -> str | None:
    # The file's own compression, where it loses nothing.
    compression = picture.info.get("compression")
    return compression if compression in ("tiff_lzw", "tiff_adobe_deflate", "packbits") else None


def _png_text(picture: Picture) -> Any:
    text = picture.info.get("text")
    if not text:
        return None
    from PIL.PngImagePlugin import PngInfo

    chunks = PngInfo()
    for key, value in text.items():
        chunks.add_text(key, value)
    return chunks
