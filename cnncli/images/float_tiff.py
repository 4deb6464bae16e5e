"""Real numbers with several channels as an uncompressed TIFF, which Pillow cannot write.

Reference: TIFF revision 6.0, sections 2 and 8 (image file directory) and 19 (sample format).
"""

from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

_BIG = 2**32 - 2**16  # offsets have 32 bits


def write_float_tiff(file: BinaryIO, pixels: NDArray[np.float32], *, alpha: bool = False) -> None:
    """Write float32 ``(H, W, C)`` as one uncompressed strip, interleaved.

    Parameters
    ----------
    file
        A binary file at its start.
    pixels
        The samples; three colours make an RGB TIFF, any other number a grey one with extra
        samples.
    alpha
        Whether the last channel is opacity.

    Raises
    ------
    OSError
        If the picture is larger than the 4 GB that a TIFF holds.
    """
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

    height, width, channels = pixels.shape
    if pixels.nbytes > _BIG:
        raise OSError("a TIFF holds up to 4 GB; write .npy instead")
    colours = 3 if channels - alpha >= 3 else 1
    directory = ImageFileDirectory_v2()  # little-endian
    directory[256], directory[257] = width, height
    directory[258] = (32,) * channels  # bits per sample
    directory[259] = 1  # compression: none
    directory[262] = 2 if colours == 3 else 1  # photometric: RGB, or black is zero
    directory[273], directory[279] = 0, pixels.nbytes  # the strip's place behind this, and length
    directory[277] = channels  # samples per pixel
    directory[278] = height  # rows per strip
    if channels > colours:  # extra samples; 2 is unassociated alpha
        directory[338] = (*(0,) * (channels - colours - 1), 2 if alpha else 0)
    directory[339] = (3,) * channels  # sample format: IEEE floating point
    directory.save(file)
    file.write(np.ascontiguousarray(pixels, dtype="<f4").data)
