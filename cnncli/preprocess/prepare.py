"""The one path from a decoded picture to a network's input."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from cnncli.config import Preprocessing
from cnncli.errors import ShapeError
from cnncli.images import Picture
from cnncli.limits import DIGIT_PIXELS
from cnncli.preprocess.colours import to_channels, to_colours
from cnncli.preprocess.digit import read_digit
from cnncli.preprocess.number import Number, read_number
from cnncli.preprocess.prepared import Prepared
from cnncli.preprocess.resize import resize_and_crop


def pixels_needed(preprocessing: Preprocessing, how: str = "auto") -> int | None:
    """Return how many pixels of a picture's shorter side are enough to prepare it, None: all.

    Parameters
    ----------
    preprocessing, how
        As of :func:`prepare`.
    """
    kind = preprocessing.kind if how == "auto" else how
    if kind == "digit":
        return DIGIT_PIXELS
    # Twice as many as are shown: what is left to scale is still scaled with antialiasing.
    return 2 * max(preprocessing.height, preprocessing.width) if kind == "resize" else None


def prepare(picture: Picture, preprocessing: Preprocessing, how: str = "auto") -> Prepared:
    """Turn a picture into what a network was trained on: the first of :func:`prepare_all`."""
    return next(prepare_all(picture, preprocessing, how))


def prepare_all(
    picture: Picture, preprocessing: Preprocessing, how: str = "auto"
) -> Iterator[Prepared]:
    """Turn a picture into what a network was trained on, in all ways that may be right.

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
    iterator of Prepared
        uint8 pixels of the checkpoint's size, the likeliest first. Only a digit that has to be
        found may be more than one; each is made when it is asked for.

    Raises
    ------
    ShapeError
        If the picture is to be taken as it is and has another size.
    """
    kind = preprocessing.kind if how == "auto" else how
    colours = to_colours(picture)
    height, width = preprocessing.height, preprocessing.width
    if kind == "digit":
        found = read_digit(colours, height, width)
        return map(partial(_finished, channels=preprocessing.channels, scale=picture.scale), found)
    plain = to_channels(colours, preprocessing.channels)
    if kind == "resize":
        return iter([Prepared(resize_and_crop(plain, height, width))])
    if plain.shape[:2] != (height, width):
        size = f"{plain.shape[1]}x{plain.shape[0]}"
        raise ShapeError(
            f"the picture has {size} pixels and the network takes {width}x{height}; "
            "use --preprocess resize"
        )
    return iter([Prepared(plain)])


def prepare_number(picture: Picture, preprocessing: Preprocessing) -> Number:
    """Split a picture of a number into its digits, from left to right; at least one.

    Parameters
    ----------
    picture
        As decoded, upright.
    preprocessing
        Size and channels of the results.
    """
    number = read_number(to_colours(picture), preprocessing.height, preprocessing.width)
    pieces = {
        ends: _finished(one, preprocessing.channels, picture.scale)
        for ends, one in number.pieces.items()
    }
    return Number(pieces, tuple((place * picture.scale, mark) for place, mark in number.marks))


def _finished(found: Prepared, channels: int, scale: int) -> Prepared:
    """Return a digit with the network's channels, its box in pixels of the file."""
    box = found.box
    if box is not None:
        box = box[0] * scale, box[1] * scale, box[2] * scale, box[3] * scale
    return replace(found, pixels=to_channels(found.pixels, channels), box=box)


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
