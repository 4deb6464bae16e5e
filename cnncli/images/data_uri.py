"""Small pictures inside a page: no file beside it, nothing to fetch."""

import base64
import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

LOSSLESS = 64 * 64  # pixels: beyond, a photograph as JPEG is a tenth of the size, and looks alike


def data_uri(pixels: NDArray[np.uint8]) -> str:
    """Return a picture as the ``data:`` address of a PNG, or of a JPEG if it is large.

    Parameters
    ----------
    pixels
        uint8 ``(H, W, 1 or 3)``.

    Examples
    --------
    >>> data_uri(np.zeros((8, 8, 1), np.uint8))[:22]
    'data:image/png;base64,'
    """
    image = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    large = pixels.shape[0] * pixels.shape[1] > LOSSLESS
    kind, options = ("jpeg", {"quality": 88}) if large else ("png", {"optimize": True})
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"
