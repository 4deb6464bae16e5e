"""The one path from a decoded picture to a network's input."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cnncli.config import Preprocessing
from cnncli.errors import ShapeError
from cnncli.images import Picture
from cnncli.preprocess.colours import to_channels, to_colours
from cnncli.preprocess.digit import Reading, read_digit, read_number
from cnncli.preprocess.resize import resize_and_crop

Box = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A picture as a network is shown it.

    Parameters
    ----------
    pixels
        uint8 ``(height, width, channels)``.
    warnings
        What is doubtful about the picture itself, each ``<word>: <explanation>``.
    box
        Left, top, right, bottom of what was read, in pixels of the picture; None for all of it.
    """

    pixels: NDArray[np.uint8]
    warnings: tuple[str, ...] = ()
    box: Box | None = None

    @property
    def blank(self) -> bool:
        """Whether nothing was found in the picture."""
        return any(warning.startswith("blank:") for warning in self.warnings)


def prepare(picture: Picture, preprocessing: Preprocessing, how: str = "auto") -> Prepared:
    """Turn a picture into what a network was trained on.

    Parameters
    ----------
    picture
        As decoded, upright.
    preprocessing
        As stored in the checkpoint.
    how
        ``"auto"`` does what the checkpoint says; ``"digit"``, ``"resize"`` and ``"none"``
        overrule it.

    Returns
    -------
    Prepared
        uint8 pixels of the checkpoint's size.

    Raises
    ------
    ShapeError
        If the picture is to be taken as it is and has another size.
    """
    kind = preprocessing.kind if how == "auto" else how
    colours = to_colours(picture)
    height, width = preprocessing.height, preprocessing.width
    if kind == "digit":
        return _prepared(read_digit(colours, height, width), preprocessing)
    plain = to_channels(colours, preprocessing.channels)
    if kind == "resize":
        return Prepared(resize_and_crop(plain, height, width))
    if plain.shape[:2] != (height, width):
        found = f"{plain.shape[1]}x{plain.shape[0]}"
        raise ShapeError(
            f"the picture has {found} pixels and the network takes {width}x{height}; "
            "use --preprocess resize"
        )
    return Prepared(plain)


def prepare_number(picture: Picture, preprocessing: Preprocessing) -> list[Prepared]:
    """Split a picture of a number into its digits, from left to right; at least one.

    Parameters
    ----------
    picture
        As decoded, upright.
    preprocessing
        Size and channels of the results.
    """
    found = read_number(to_colours(picture), preprocessing.height, preprocessing.width)
    return [_prepared(reading, preprocessing) for reading in found]


def _prepared(reading: Reading, preprocessing: Preprocessing) -> Prepared:
    pixels, warnings, box = reading
    return Prepared(to_channels(pixels[:, :, np.newaxis], preprocessing.channels), warnings, box)


def to_network_input(
    pixels: NDArray[np.uint8], preprocessing: Preprocessing
) -> NDArray[np.float32]:
    """Return prepared pictures as a network takes them.

    Parameters
    ----------
    pixels
        uint8 ``(N, H, W, C)``.
    preprocessing
        Mean and standard deviation of each channel.

    Returns
    -------
    NDArray
        float32 ``(N, C, H, W)``: ``(pixels / 255 - mean) / std``.
    """
    mean, std = (np.array(values, np.float32) for values in (preprocessing.mean, preprocessing.std))
    scaled = (pixels.astype(np.float32) / np.float32(255) - mean) / std
    return np.ascontiguousarray(scaled.transpose(0, 3, 1, 2))
