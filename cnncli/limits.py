"""How large a picture may be, and how well it is kept.

Apart from :mod:`cnncli.config`, whose records take 3 % of the time of filtering a small picture.
"""

import os

JPEG_QUALITY = 90  # of filtered pictures; Pillow's own default, 75, shows blocks around edges
DIGIT_PIXELS = 360  # of a picture's shorter side: more do not help to find and read a digit
MAX_PIXELS = 2**28  # 268 megapixels, 0.8 GB of RGB: more is a mistake or a bomb


def max_pixels() -> int:
    """Return the largest picture that is decoded: ``CNNCLI_MAX_PIXELS``, else the default."""
    named = os.environ.get("CNNCLI_MAX_PIXELS", "")
    return int(named) if named.isdecimal() else MAX_PIXELS
