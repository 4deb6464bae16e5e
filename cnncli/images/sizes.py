"""How large a picture is, without decoding it."""

from pathlib import Path

from cnncli.images.heif import is_heif
from cnncli.images.opening import readable


def picture_size(path: Path) -> tuple[int, int]:
    """Return width and height of a file that :func:`cnncli.images.read_picture` can read.

    Raises
    ------
    ImageReadError
        If it cannot be read any more.
    """
    from PIL import Image

    with readable(str(path)), path.open("rb") as file:
        is_heif(file, str(path))
        with Image.open(file) as image:
            return image.size
