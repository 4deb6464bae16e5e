"""The output formats: one row each says what it can hold and how it is written."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from cnncli.errors import ImageWriteError
from cnncli.images.picture import Picture
from cnncli.limits import JPEG_QUALITY

_COLOUR = ("RGB", "uint16*3", "float32*3")  # what .ppm promises, where .pgm promises grey
_FLOATS = tuple(f"float32*{channels}" for channels in (2, 3, 4, 5))
_META = ("icc_profile", "dpi", "exif")

# Picture.kind -> Pillow's mode and raw mode of the bytes.
PILLOW_MODES = {
    **{kind: (kind, kind) for kind in ("L", "LA", "RGB", "RGBA", "CMYK")},
    "I;16": ("I;16", "I;16N"),
    "I": ("I", "I;32NS"),
    "F": ("F", "F;32NF"),
}


class Format(NamedTuple):
    """An output format.

    Parameters
    ----------
    name
        Pillow's name, or that of a writer in :mod:`cnncli.images.writing`.
    suffixes
        Of files; the first is the usual one.
    kinds
        Kinds of picture (:attr:`Picture.kind <cnncli.images.picture.Picture.kind>`) that survive
        in it; None for all. JPEG and WebP lose detail, as everyone expects of them; a GIF would
        lose colours, a BMP its transparency: those are refused.
    carried
        Metadata that goes along.
    options
        Pillow's keyword arguments.
    longest
        Pixels a side, where there is a limit.
    """

    name: str
    suffixes: tuple[str, ...]
    kinds: tuple[str, ...] | None
    carried: tuple[str, ...] = ()
    options: Mapping[str, Any] = {}
    longest: int | None = None


_ROWS = (
    Format("PNG", (".png",), ("L", "LA", "RGB", "RGBA", "I;16"), _META),
    Format(
        "JPEG",
        (".jpg", ".jpeg", ".jpe", ".jfif"),
        ("L", "RGB", "CMYK"),
        (*_META, "comment"),
        {"quality": JPEG_QUALITY},
        65_500,
    ),
    Format("TIFF", (".tif", ".tiff"), (*PILLOW_MODES, *_FLOATS), _META),
    Format(
        "WEBP",
        (".webp",),
        ("L", "LA", "RGB", "RGBA"),
        ("icc_profile", "exif"),
        {"quality": JPEG_QUALITY},
        16_383,
    ),
    Format("BMP", (".bmp",), ("L", "RGB"), ("dpi",)),
    Format("GIF", (".gif",), ("L",), ("comment",)),
    Format("PPM", (".pgm", ".ppm", ".pnm"), ("L", "RGB", "I;16", "uint16*3")),
    Format("PFM", (".pfm",), ("F", "float32*3")),
    Format("TGA", (".tga",), ("L", "LA", "RGB", "RGBA")),
    Format("JPEG2000", (".jp2",), ("L", "LA", "RGB", "RGBA")),
    Format("NPY", (".npy",), None),
)
FORMATS = {row.name: row for row in _ROWS}
_BY_SUFFIX = {suffix: row.name for row in _ROWS for suffix in row.suffixes}


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


def names_format(path: Path) -> bool:
    """Say whether a file's suffix names a format."""
    return path.suffix.lower() in _BY_SUFFIX


def holds(name: str, kind: str) -> bool:
    """Say whether the format `name` can hold a picture of this kind."""
    kinds = FORMATS[name].kinds if name in FORMATS else ()
    return kinds is None or kind in kinds


def require_fit(name: str, picture: Picture, target: str) -> None:
    """Refuse a format that cannot hold the picture, naming those that can.

    Raises
    ------
    ImageWriteError
        With the suffixes that would do, or the longest side.
    """
    kind, (height, width) = picture.kind, picture.pixels.shape[:2]
    if not (holds(name, kind) and suffix_fits(Path(target).suffix, kind)):
        able = [suffix_of(other, kind) for other in FORMATS if holds(other, kind)]
        raise ImageWriteError(
            f"{target}: {name} cannot hold {describe(kind)}; write {' or '.join(able)} instead"
        )
    longest = FORMATS[name].longest
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
    return suffix.lower() != (".pgm" if kind in _COLOUR else ".ppm")


def suffix_of(name: str, kind: str) -> str:
    """Return the usual suffix of a format for this kind of picture.

    >>> suffix_of("PPM", "L"), suffix_of("PPM", "RGB"), suffix_of("JPEG", "L")
    ('.pgm', '.ppm', '.jpg')
    """
    return next(suffix for suffix in FORMATS[name].suffixes if suffix_fits(suffix, kind))


def save_options(name: str, picture: Picture) -> dict[str, Any]:
    """Return Pillow's keyword arguments: settings of the format, and the metadata it carries."""
    row = FORMATS[name]
    options = {**row.options, **{k: picture.info[k] for k in row.carried if k in picture.info}}
    # A TIFF's own compression, where it loses nothing.
    compression = picture.info.get("compression")
    if name == "TIFF" and compression in ("tiff_lzw", "tiff_adobe_deflate", "packbits"):
        options["compression"] = compression
    if name == "PNG" and picture.info.get("text"):
        from PIL.PngImagePlugin import PngInfo

        options["pnginfo"] = PngInfo()
        for key, value in picture.info["text"].items():
            options["pnginfo"].add_text(key, value)
    return options
