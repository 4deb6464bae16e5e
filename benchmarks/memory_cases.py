"""Filters and pooling of arrays in memory, ours and others', same border, same result type."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import cv2
import numpy as np
import scipy.ndimage
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from cnncli import ops

Array = NDArray[Any]
Functions = dict[str, Callable[[], object]]


class Filter(NamedTuple):
    """A kernel: whole weights over a divisor, or floats, and OpenCV's own function for it."""

    weights: Array
    divisor: int
    special: str = ""


def gaussian(size: int, sigma: float) -> Array:
    """Return a normalised row of Gaussian weights."""
    x = np.arange(size) - size // 2
    row = np.exp(-x * x / (2 * sigma * sigma))
    return row / row.sum()


def _dense(size: int) -> Array:
    weights = np.random.default_rng(7).random((size, size))
    return weights / weights.sum()


FILTERS = {
    "edge 3x3": Filter(np.array([[-1, 0, 1]] * 3), 1, "sepFilter2D"),
    "sharpen 3x3": Filter(ops.get_filter("sharpen").weights, 1),
    "laplacian 3x3": Filter(ops.get_filter("laplacian").weights, 1),
    "laplacian8 3x3": Filter(ops.get_filter("laplacian8").weights, 1),
    "box 3x3": Filter(np.ones((3, 3), int), 9, "blur"),
    "binomial 5x5": Filter(ops.get_filter("gaussian5").weights, 256, "GaussianBlur"),
    "gaussian 5x5 float": Filter(np.outer(gaussian(5, 1), gaussian(5, 1)), 1, "GaussianBlur 1"),
    "gaussian 15x15 float": Filter(
        np.outer(gaussian(15, 2.6), gaussian(15, 2.6)), 1, "GaussianBlur 2.6"
    ),
    "box 15x15": Filter(np.ones((15, 15), int), 225, "blur"),
    "random 31x31": Filter(_dense(31), 1),
}


def picture(height: int, width: int, channels: int, dtype: str = "uint8") -> Array:
    """Return gradients, shapes and noise: what filters meet, and no constant to be lucky with."""
    rng = np.random.default_rng(11)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    base = 90 * np.sin(x / 37) * np.cos(y / 53) + 110 + 60 * ((x // 97 + y // 71) % 2)
    out = np.empty((height, width, channels), dtype)
    for c in range(channels):
        noise = rng.integers(-20, 21, (height, width), np.int8)
        out[..., c] = np.clip(base + 9 * c + noise, 0, 255)
    return np.ascontiguousarray(out[..., 0] if channels == 1 else out)


def filter_contenders(image: Array, case: Filter, threads: int, *, many: bool) -> Functions:
    """Return ours first, then the others, each with its output already allocated.

    Parameters
    ----------
    image
        uint8 or float32.
    case
        What to filter with.
    threads
        For those that can use several.
    many
        Include the slow ones (SciPy, scikit-image's kind, torch, Pillow).
    """
    out, theirs = np.empty_like(image), np.empty_like(image)
    kernel = (case.weights / case.divisor).astype(np.float32)
    made = ops.Kernel.of(case.weights)  # once for all images, as theirs
    functions: Functions = {
        "cnncli": lambda: ops.filter_image(
            image, made, scale=case.divisor, range="clip", threads=threads, out=out
        ),
        "cv2.filter2D": lambda: cv2.filter2D(image, -1, kernel, dst=theirs),
    }
    functions |= _special(image, case, kernel, theirs)
    if many:
        functions |= _others(image, case, kernel, threads)
    return functions


def _special(image: Array, case: Filter, kernel: Array, out: Array) -> Functions:
    name, _, sigma = case.special.partition(" ")
    size = kernel.shape[::-1]
    if name == "blur":
        return {"cv2.blur": lambda: cv2.blur(image, size, dst=out)}
    if name == "GaussianBlur":
        return {
            "cv2.GaussianBlur": lambda: cv2.GaussianBlur(image, size, float(sigma or 0), dst=out)
        }
    if name == "sepFilter2D":
        row, column = kernel[0], np.ones(3, np.float32)
        return {"cv2.sepFilter2D": lambda: cv2.sepFilter2D(image, -1, row, column, dst=out)}
    return {}


def _others(image: Array, case: Filter, kernel: Array, threads: int) -> Functions:
    import torch
    import torch.nn.functional

    torch.set_num_threads(threads)
    planes = torch.from_numpy(np.atleast_3d(image)).permute(2, 0, 1)[:, None].float()
    weights = torch.from_numpy(kernel)[None, None]
    pad = [kernel.shape[1] // 2] * 2 + [kernel.shape[0] // 2] * 2

    def by_torch() -> object:
        around = torch.nn.functional.pad(planes, pad, "reflect")
        return torch.nn.functional.conv2d(around, weights).add_(0.5).clamp_(0, 255).byte()

    deep = kernel if image.ndim == 2 else kernel[..., None]
    functions: Functions = {
        "scipy.ndimage": lambda: scipy.ndimage.correlate(image, deep, np.float32, "mirror"),
        "torch": by_torch,
    }
    if case.weights.shape in ((3, 3), (5, 5)) and image.dtype == np.uint8:
        pillow = Image.fromarray(image)
        filters = ImageFilter.Kernel(
            kernel.shape, case.weights.astype(float).ravel().tolist(), case.divisor
        )
        functions["Pillow"] = lambda: pillow.filter(filters)
    return functions


def pool_cases(image: Array, threads: int, *, many: bool) -> Iterator[tuple[str, Functions]]:
    """Yield the pooling races: ours, OpenCV, and torch."""
    import torch
    import torch.nn.functional

    torch.set_num_threads(threads)
    tensor = torch.from_numpy(np.atleast_3d(image)).permute(2, 0, 1)[None].contiguous()
    for size, stride in ((2, 2), (3, 2)):
        window = np.ones((size, size), np.uint8)
        yield (
            f"max {size}x{size}/{stride}",
            {
                "cnncli": lambda k=size, s=stride: ops.pool2d(image, k, stride=s, threads=threads),
                "cv2.dilate": lambda w=window, s=stride: np.ascontiguousarray(
                    cv2.dilate(image, w)[::s, ::s]
                ),
            }
            | (
                {"torch": lambda k=size, s=stride: torch.nn.functional.max_pool2d(tensor, k, s)}
                if many
                else {}
            ),
        )
    half = (image.shape[1] // 2, image.shape[0] // 2)
    yield (
        "mean 2x2/2",
        {
            "cnncli": lambda: ops.pool2d(image, 2, mode="avg", dtype=image.dtype, threads=threads),
            "cv2 INTER_AREA": lambda: cv2.resize(image, half, interpolation=cv2.INTER_AREA),
        },
    )
