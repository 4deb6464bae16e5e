"""Pictures from files to arrays and back: the only room that knows Pillow.

Pillow itself is imported by the functions that need it; PNM and ``.npy`` files never do.
"""

from cnncli.images.picture import Picture, to_uint8_grey, to_uint8_rgb
from cnncli.images.reading import read_picture
from cnncli.images.writing import write_picture

__all__ = ["Picture", "read_picture", "to_uint8_grey", "to_uint8_rgb", "write_picture"]
