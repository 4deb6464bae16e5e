"""HEIC, which phones write: pillow-heif reads it, loaded with the first such file."""

from typing import BinaryIO

from cnncli.errors import ImageReadError

# The first brand of a file; "mif1" is any still picture in HEIF's container, AVIF among them.
_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")


def is_heif(file: BinaryIO, name: str) -> bool:
    """Tell whether a file is HEIC; Pillow can read it from then on.

    Parameters
    ----------
    file
        At its start, where it is left.
    name
        For the message.

    Raises
    ------
    ImageReadError
        If it is, and pillow-heif is not installed.
    """
    start = file.read(32)
    file.seek(0)
    if start[4:8] != b"ftyp" or start[8:12] not in _BRANDS or b"avif" in start[12:]:
        return False
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        raise ImageReadError(
            f"{name} is a HEIC picture, and their reader is not installed; "
            "run: pip install 'cnncli[photos]'"
        ) from None
    register_heif_opener(thumbnails=False)
    return True
