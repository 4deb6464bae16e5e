"""``--extra drawn``: drawn signs beside the pictures that a network learns from."""

from dataclasses import replace

import torch

from cnncli.config import Preprocessing
from cnncli.errors import UsageError
from cnncli.nn.datasets import DataSet
from cnncli.nn.drawn.signs import VERSION, draw_digits, draw_others
from cnncli.nn.splits import Split

DIGITS, OTHERS = 0.4, 0.08  # of the number of training pictures
HELD_OUT = 2000  # digits to measure by, and as many signs that are none


def with_drawn(data: DataSet, seed: int) -> DataSet:
    """Add drawn digits, and signs that are none, to a training part.

    Parameters
    ----------
    data
        With ten digits of 28x28 pixels as classes.
    seed
        Decides what is drawn; the validation part stays as it is.

    Returns
    -------
    DataSet
        Its `drawn` and `others` are other drawings, to measure by.

    Raises
    ------
    UsageError
        If the classes or the pictures are others.
    """
    if data.classes != tuple("0123456789") or data.preprocessing != Preprocessing():
        raise UsageError(
            f"--extra drawn has the digits 0 to 9 in 28x28 pixels, {data.name} has other classes "
            "or pictures; leave --extra out"
        )
    count, others = (round(part * len(data.train)) for part in (DIGITS, OTHERS))
    digits, none = torch.arange(count) % 10, torch.full((others,), len(data.classes))
    images = [data.train.images, draw_digits(digits, 2 * seed), draw_others(others, 2 * seed)]
    held_out = torch.arange(HELD_OUT) % 10
    return replace(
        data,
        train=Split(torch.cat(images), torch.cat([data.train.labels, digits, none])),
        extra=f"{count:,} digits and {others:,} other signs, drawn by version {VERSION}",
        drawn=Split(draw_digits(held_out, 2 * seed + 1), held_out),
        others=draw_others(HELD_OUT, 2 * seed + 1),
    )
