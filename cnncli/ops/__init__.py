"""Filters and pooling on arrays, in NumPy alone: arrays in, arrays out, no files, no printing."""

from cnncli.ops.borders import Border
from cnncli.ops.correlate import convolve1d, convolve2d, correlate1d, correlate2d, filter_image
from cnncli.ops.kernels import FILTERS, Kernel, get_filter
from cnncli.ops.pixels import to_pixels
from cnncli.ops.pool import average_pool2d, max_pool2d, pool2d

__all__ = [
    "FILTERS",
    "Border",
    "Kernel",
    "average_pool2d",
    "convolve1d",
    "convolve2d",
    "correlate1d",
    "correlate2d",
    "filter_image",
    "get_filter",
    "max_pool2d",
    "pool2d",
    "to_pixels",
]
