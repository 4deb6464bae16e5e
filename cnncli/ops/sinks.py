"""Where finished tiles go: into an image, or into its bounds."""

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Place = tuple[int, int]


class Sink(Protocol):
    """Takes finished tiles."""

    def write(self, tile: Array, place: Place, channel: int | None) -> None:
        """Take a tile ``(rows, samples)`` whose first row and pixel are at `place`.

        The tile is one channel, or all of them interleaved where `channel` is None.
        """


class PixelSink:
    """Writes tiles into the output, keeping one row and column in `stride`.

    Parameters
    ----------
    out
        ``(OH, OW, C)``.
    stride
        Rows and columns between kept windows.
    """

    def __init__(self, out: Array, stride: tuple[int, int]) -> None:
        self.out, self.stride = out, stride
        self._rows = out.reshape(len(out), -1)

    def write(self, tile: Array, place: Place, channel: int | None) -> None:
        """Copy the tile to its place, converting; the tile's values fit the output's type."""
        if self.stride == (1, 1) and channel is None:
            np.copyto(self.area(place, tile.shape), tile, "unsafe")
            return
        (y, x), (sy, sx) = place, self.stride
        pixels = _kept(tile, self.out.shape[2] if channel is None else 1, self.stride)
        area = self.out[y // sy :, x // sx :][: len(pixels), : pixels.shape[1]]
        np.copyto(area if channel is None else area[..., channel : channel + 1], pixels, "unsafe")

    def area(self, place: Place, shape: tuple[int, ...]) -> Array:
        """Return where a tile ``(rows, samples)`` of all channels goes at stride 1."""
        y, x = place[0], place[1] * self.out.shape[2]
        return self._rows[y : y + shape[0], x : x + shape[1]]


class RangeSink:
    """Finds the smallest and the largest kept value, NaN aside.

    Parameters
    ----------
    channels
        Samples of a pixel where they come interleaved.
    stride
        Rows and columns between kept windows.
    """

    def __init__(self, channels: int, stride: tuple[int, int]) -> None:
        self._channels, self._stride = channels, stride
        self._lows: list[Any] = []
        self._highs: list[Any] = []

    def write(self, tile: Array, place: Place, channel: int | None) -> None:  # noqa: ARG002 (a place changes no bound)
        """Take a tile into account."""
        kept = _kept(tile, self._channels if channel is None else 1, self._stride)
        self._lows.append(np.fmin.reduce(kept, axis=None).item())
        self._highs.append(np.fmax.reduce(kept, axis=None).item())

    def bounds(self) -> tuple[Any, Any]:
        """Return the smallest and the largest value of all tiles."""
        return np.fmin.reduce(self._lows).item(), np.fmax.reduce(self._highs).item()


def _kept(tile: Array, channels: int, stride: tuple[int, int]) -> Array:
    """Return a tile's pixels ``(rows, columns, channels)`` at every stride."""
    return tile.reshape(len(tile), -1, channels)[:: stride[0], :: stride[1]]
