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
    ".tga": "TGA",
    ".jp2": "JPEG2000",
    ".npy": "NPY",
}

# Kinds of picture (Picture.kind) that survive in each format. JPEG and WebP lose detail, as
# everyone expects of them; a GIF would lose colours, a BMP its transparency: those are refused.
_HOLDS = {
    "PNG": ("L", "LA", "RGB", "RGBA", "I;16"),
    "JPEG": ("L", "RGB", "CMYK"),
    "TIFF": ("L", "LA", "RGB", "RGBA", "CMYK", "I;16", "I", "F"),
    "WEBP": ("L", "LA", "RGB", "RGBA"),
    "BMP": ("L", "RGB"),
    "GIF": ("L",),
    "PPM": ("L", "RGB", "I;16"),
    "TGA": ("L", "LA", "RGB", "RGBA"),
    "JPEG2000": ("L", "LA", "RGB", "RGBA"),
}
_USUAL_SUFFIX = {name: suffix for suffix, name in reversed(_SUFFIXES.items())} | {"PPM": ".ppm"}

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
    if not holds(name, kind):
        able = [_USUAL_SUFFIX[other] for other in (*_HOLDS, "NPY") if holds(other, kind)]
        raise ImageWriteError(f"{target}: {name} cannot hold {kind} pixels; use {' '.join(able)}")


def save_options(name: str, picture: Picture) -> dict[str, Any]:
    """Return Pillow's keyword arguments: settings of the format, and the metadata it carries."""
    options: dict[str, Any] = {}
    for key in ("icc_profile", "dpi", "exif"):
        if key in picture.info:
            options[key] = picture.info[key]
    if name == "JPEG":
        options["quality"] = JPEG_QUALITY
    return options
