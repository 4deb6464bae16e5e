"""From any picture of one digit to what a network reads: found, judged, cut out and normalised."""

from collections.abc import Iterator
from dataclasses import replace
from math import ceil, inf

import numpy as np
from numpy.typing import NDArray

from cnncli.images.scaling import reduce
from cnncli.preprocess.locate import Candidate, locate, search_grid
from cnncli.preprocess.normalise import already_normal, ink_coverage, place
from cnncli.preprocess.prepared import Prepared

WORKING_SIDE = 300  # pixels, to twice as many: what a larger picture is averaged down to
PALEST = 0.25  # in logarithms of colour: fainter ink is worth a warning
CLEAR_OF_NOISE = 8  # times the noise of the background
ROOM = 0.06  # of the picture: a digit that has it on one side and none on another is cut off


def read_digit(colours: NDArray[np.uint8], height: int, width: int) -> Iterator[Prepared]:
    """Find a digit in a picture and normalise it as MNIST was made.

    Parameters
    ----------
    colours
        uint8 ``(H, W, C)``, opaque.
    height, width
        Size of the result.

    Returns
    -------
    iterator of Prepared
        What may be the digit, the likeliest first; at least one. Each is normalised when it is
        asked for. A picture that is normalised already is taken as it is, the other way round if it
        is dark on light.
    """
    if (normal := already_normal(colours, height, width)) is not None:
        return iter([Prepared(normal[:, :, np.newaxis])])
    image = working_image(colours)
    found = locate(search_grid(image))
    if not found:
        blank = ("blank: no stroke stands out from the background",)
        return iter([Prepared(np.zeros((height, width, 1), np.uint8), blank)])
    sizes = colours.shape[:2], (height, width)
    evidence = [*(one.evidence for one in found[1:]), -inf]
    return (
        replace(prepared(image, one, *sizes), runner_up=after)
        for one, after in zip(found, evidence, strict=True)
    )


def working_image(colours: NDArray[np.uint8], longest: int = WORKING_SIDE) -> NDArray[np.uint8]:
    """Return a picture averaged down to a handy size, with one channel if it is grey."""
    image = reduce(colours, max(colours.shape[:2]) // longest)
    some = image[::8, ::8]  # tells most pictures in colour: 0.1 ms for 600x450, not 1.9
    grey = (some == some[:, :, :1]).all() and (image == image[:, :, :1]).all()
    return np.ascontiguousarray(image[:, :, :1]) if grey else image


def prepared(
    image: NDArray[np.uint8], found: Candidate, full: tuple[int, ...], size: tuple[int, int]
) -> Prepared:
    """Return a digit that was found, normalised to `size`, with what is doubtful about it.

    Parameters
    ----------
    image
        As :func:`working_image` returns it.
    found
        Where the digit is.
    full
        Height and width of the picture itself.
    size
        Height and width of the result.
    """
    pixels = place(ink_coverage(image, found), *size)
    rows, columns = full[0] / found.objects.shape[0], full[1] / found.objects.shape[1]
    top, left, bottom, right = found.box
    box = int(left * columns), int(top * rows), ceil(right * columns), ceil(bottom * rows)
    return Prepared(
        pixels[:, :, np.newaxis], tuple(_doubts(found)), box, found.evidence, found.clear
    )


def _doubts(found: Candidate) -> Iterator[str]:
    top, left, bottom, right = found.box
    height, width = found.objects.shape
    rooms = np.array([top / height, left / width, 1 - bottom / height, 1 - right / width])
    if rooms.min() == 0 and rooms.max() > ROOM:
        yield "cut off: the object reaches the edge of the picture"
    if others := found.others():
        yield f"several objects: {others + 1} of about one size; one of them was read"
    elif (beside := found.beside()) > 1:
        yield f"several objects: {beside} beside each other; they were read as one"
    if found.level < max(PALEST, CLEAR_OF_NOISE * found.reading.noise):
        yield "low contrast: the ink is hardly stronger than the background's noise"
    if max(bottom - top, right - left) > 12 * min(bottom - top, right - left):
        yield "elongated: the object is more of a line than of a digit"
