"""From a checked image and kernels to the output: plan, tiles, finish. Both public rooms use it."""

from functools import lru_cache, partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from cnncli.errors import ShapeError
from cnncli.ops.dtypes import is_finite, response_range, value_range
from cnncli.ops.engines import Engine, Taps
from cnncli.ops.finish import Finish, exact, narrowest, record_exact, record_real
from cnncli.ops.kernels import Combine
from cnncli.ops.machines import Recorder
from cnncli.ops.plan import Plan, Response, choose, explain, understand
from cnncli.ops.program import Program
from cnncli.ops.sinks import PixelSink, RangeSink
from cnncli.ops.source import Source
from cnncli.ops.tiles import processors, run_tiles
from cnncli.ops.windows import Border, Pair, output_size, pads, parse_border, parse_pair

Array = npt.NDArray[Any]


class Windows(NamedTuple):
    """Where the windows of a kernel lie.

    Parameters
    ----------
    border
        What lies outside.
    stride, dilation
        (rows, columns).
    """

    border: Border
    stride: tuple[int, int]
    dilation: tuple[int, int]

    @classmethod
    def of(cls, border: str | Border, stride: Pair, dilation: Pair) -> "Windows":
        """Return them from the forms that the public functions take."""
        return cls(
            parse_border(border), parse_pair(stride, "stride"), parse_pair(dilation, "dilation")
        )

    @property
    def outside(self) -> float:
        """The constant outside the picture, 0 for other borders."""
        return self.border.value if self.border.mode == "constant" else 0.0


class Sizes(NamedTuple):
    """An image as tiles read it, and how much comes out.

    Parameters
    ----------
    source
        The padded image.
    full
        Rows and columns at stride 1.
    shape
        The output's shape.
    """

    source: Source
    full: tuple[int, int]
    shape: tuple[int, ...]

    @classmethod
    def of(cls, image: Array, kernel_shape: tuple[int, ...], windows: Windows) -> "Sizes":
        """Return the sizes, or raise a ShapeError that shows the formula."""
        margins, full, kept = [], [], []
        for axis in (0, 1):
            k, s, d = kernel_shape[axis], windows.stride[axis], windows.dilation[axis]
            margins.append(pads(k, d, windows.border))
            total, name = sum(margins[axis]), ("height", "width")[axis]
            n = image.shape[axis]
            kept.append(output_size(n, k, stride=s, dilation=d, padding=total, axis=name))
            full.append(n + total - d * (k - 1))
        source = Source.of(image, windows.border, margins[0], margins[1])
        return cls(source, (full[0], full[1]), (*kept, *image.shape[2:]))


def apply_kernel(
    image: Array,
    kernel: Array,
    windows: Windows,
    finish: Finish | None,
    threads: int | None,
    out: Array | None = None,
) -> tuple[Array, Plan]:
    """Correlate an image with one kernel and finish the response.

    Parameters
    ----------
    image, kernel
        Checked.
    windows
        Border, stride, dilation.
    finish
        What becomes of the response; None for the response itself.
    threads
        At most so many.
    out
        Where the result goes, if given.
    """
    sizes = Sizes.of(image, kernel.shape, windows)
    crew = threads or processors()
    if finish is not None and finish.mode == "minmax":
        first = _prepared(image, kernel, windows, None, crew, whole=True)
        finish = _stretch(finish, first.engine, first.recorder, sizes, windows, crew)
        if first.response.exact:
            finish = finish._replace(scale=finish.scale / first.response.divisor)
    ready = _prepared(image, kernel, windows, finish, crew)
    out = _output(out, sizes.shape, finish.dtype if finish else ready.response.dtype, image)
    crew = _run(ready.engine, ready.recorder, sizes, out, windows, crew)
    return out, ready.plan.by(crew)


def apply_combination(
    image: Array,
    kernels: tuple[Array, ...],
    scales: tuple[int, ...],
    combine: Combine,
    windows: Windows,
    finish: Finish,
    threads: int | None,
    out: Array | None = None,
) -> tuple[Array, Plan]:
    """Correlate an image with several whole-number kernels, combine and finish the responses.

    The combination is float32, or float64 for images that need it.
    """
    sizes = Sizes.of(image, kernels[0].shape, windows)
    responses = [understand(image, kernel, windows.outside) for kernel in kernels]
    wide = any(response.dtype.itemsize == 8 for response in responses)
    precision = np.dtype(np.float64 if wide else np.float32)
    bounds = [response.bounds for response in responses if response.bounds is not None]
    least, most = min((b[0] for b in bounds), default=0), max((b[1] for b in bounds), default=0)
    sums = narrowest(least, most) if bounds else precision
    engine = Taps(kernels, sums or precision, windows.dilation, scales, combine, precision)
    finite = finish.to_integers and is_finite(image)
    goal = finish._replace(precision=precision, finite=finite)
    if goal.mode == "minmax":
        goal = _stretch(goal, engine, _record_nothing, sizes, windows, threads)
    out = _output(out, sizes.shape, goal.dtype, image)
    crew = _run(engine, partial(record_real, finish=goal), sizes, out, windows, threads)
    return out, explain(engine, responses[0]).by(crew)


class Prepared(NamedTuple):
    """What to do with each tile.

    Parameters
    ----------
    engine, recorder
        How to correlate, and what to do with the sums.
    response
        What kind of numbers they are.
    plan
        The same in words.
    """

    engine: Engine
    recorder: Recorder
    response: Response
    plan: Plan


def _prepared(
    image: Array,
    kernel: Array,
    windows: Windows,
    finish: Finish | None,
    threads: int,
    *,
    whole: bool = False,
) -> Prepared:
    """Return what to do, remembered where the image's type and size decide it, not its values.

    So they do up to 16 bits: see :func:`~cnncli.ops.dtypes.value_range`. Planning anew would cost
    a small image more than filtering it.
    """
    if image.dtype.kind == "f" or image.dtype.itemsize > 2:
        return _planned(image, kernel, windows, finish, threads, whole=whole)
    key = kernel.tobytes(), kernel.shape, kernel.dtype, image.dtype, image.shape
    return _remembered(*key, windows, finish, threads, whole)


@lru_cache(maxsize=64)
def _remembered(
    weights: bytes,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    pixels: np.dtype[Any],
    size: tuple[int, ...],
    windows: Windows,
    finish: Finish | None,
    threads: int,
    whole: bool,
) -> Prepared:
    kernel = np.frombuffer(weights, dtype).reshape(shape)
    image = np.broadcast_to(pixels.type(0), size)
    return _planned(image, kernel, windows, finish, threads, whole=whole)


def _planned(
    image: Array,
    kernel: Array,
    windows: Windows,
    finish: Finish | None,
    threads: int,
    *,
    whole: bool,
) -> Prepared:
    response = understand(image, kernel, windows.outside)
    goal = finish or Finish(response.dtype)
    engine, recorder = _prepare(image, response, goal, windows, threads, whole=whole)
    return Prepared(engine, recorder, response, explain(engine, response))


def _prepare(
    image: Array, response: Response, goal: Finish, windows: Windows, threads: int, *, whole: bool
) -> tuple[Engine, Recorder]:
    """Return the engine and what to do with its sums.

    With `whole` the sums of a kernel with a divisor are left undivided.
    """
    finite = goal.to_integers and is_finite(image)
    goal = goal._replace(precision=_real_type(response.dtype), finite=finite)
    if response.bounds is None:
        engine = choose(image, response, response.dtype, windows.dilation, threads)
        goal = goal._replace(bounds=_real_bounds(image, response.kernel, windows))
        return engine, _record_nothing if goal.mode == "response" else _real(goal)
    goal = goal._replace(scale=goal.scale * response.divisor)
    form = exact(response.kernel, goal) if goal.to_integers else None
    if form is not None:
        bounds = response_range(form.weights, *_values(image, windows))
        sums = narrowest(*form.numerators(*bounds))
        if sums is not None:
            weighted = response._replace(kernel=form.weights)
            engine = choose(image, weighted, sums, windows.dilation, threads)
            kind = goal.dtype
            return engine, partial(record_exact, form=form, bounds=bounds, kind=kind)
    sums = narrowest(*response.bounds) or np.dtype(np.int64)  # result_dtype refuses wider ones
    engine = choose(image, response, sums, windows.dilation, threads)
    if goal.mode == "response" and (whole or response.dtype.kind == "i"):
        return engine, _record_nothing
    mode = "real" if goal.mode == "response" else goal.mode
    return engine, _real(goal._replace(mode=mode))


def _output(out: Array | None, shape: tuple[int, ...], dtype: np.dtype[Any], image: Array) -> Array:
    """Return a new array, or `out` if it fits."""
    if out is None:
        return np.empty(shape, dtype)
    fits = out.shape == shape and out.dtype == dtype and out.flags.c_contiguous
    if not fits or not out.flags.writeable or np.may_share_memory(out, image):
        raise ShapeError(
            f"out is {out.dtype} {out.shape}; give a contiguous, writeable array of {dtype} "
            f"{shape} that shares no memory with the image"
        )
    return out


def _values(image: Array, windows: Windows) -> tuple[int, int]:
    low, high = value_range(image)
    return min(low, int(windows.outside)), max(high, int(windows.outside))


def _real_bounds(image: Array, kernel: Array, windows: Windows) -> tuple[float, float] | None:
    """Return bounds of a float kernel's response to integers."""
    if image.dtype.kind == "f" or windows.outside != int(windows.outside):
        return None
    low, high = response_range(kernel, *_values(image, windows))
    return float(low), float(high)


def _real_type(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return np.dtype(np.float64 if dtype.itemsize == 8 else np.float32)


def _real(finish: Finish) -> Recorder:
    return partial(record_real, finish=finish)


def _record_nothing(program: Program, response: Array) -> Array:  # noqa: ARG001 (a Recorder)
    return response


def _run(
    engine: Engine,
    recorder: Recorder,
    sizes: Sizes,
    out: Array,
    windows: Windows,
    threads: int | None,
) -> int:
    sink = PixelSink(out.reshape(*out.shape[:2], -1), windows.stride)
    return run_tiles(
        engine, sizes.source, sizes.full, recorder, sink, stride=windows.stride, threads=threads
    )


def _stretch(
    goal: Finish,
    engine: Engine,
    recorder: Recorder,
    sizes: Sizes,
    windows: Windows,
    threads: int | None,
) -> Finish:
    """Return the ``minmax`` finish, after a first run that keeps only the bounds."""
    sink = RangeSink(sizes.source.channels, windows.stride)
    run_tiles(
        engine, sizes.source, sizes.full, recorder, sink, stride=windows.stride, threads=threads
    )
    low, high = sink.bounds()
    if not isinstance(engine, Taps) and getattr(engine, "whole", False):
        low, high = int(low), int(high)
    return goal.stretched(low, high)
