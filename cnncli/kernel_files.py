"""Kernels that live in files: text and arrays, and the convolution layers of checkpoints."""

import io
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from cnncli.errors import KernelError
from cnncli.ops import Kernel
from cnncli.ops.dtypes import as_kernel
from cnncli.ops.kernel_text import EXAMPLE, kernel_of_words, parse_kernel

Array = NDArray[Any]

MAX_KERNEL_BYTES = 16 << 20  # a 1000x1000 kernel as text; anything larger is no kernel
MAX_KERNELS = 64  # on one sheet
_LEARNED = re.compile(
    r"(?P<file>.+\.(?:safetensors|pt|pth)):(?P<layer>[A-Za-z_][\w.]*)"
    r"(?::(?P<out>\d+))?(?::(?P<in>\d+))?"
)


def read_kernel_file(path: Path) -> Kernel:
    """Read a kernel, named as the file, from a ``.txt``, ``.csv``, ``.json`` or ``.npy`` file.

    Raises
    ------
    OSError
        As the operating system reports it.
    KernelError
        If the file holds no kernel.
    """
    with path.open("rb") as file:
        data = file.read(MAX_KERNEL_BYTES + 1)
    if len(data) > MAX_KERNEL_BYTES:
        raise KernelError(f"{path} is larger than {MAX_KERNEL_BYTES >> 20} MB; is it a kernel?")
    try:
        return Kernel.of(kernel_from_bytes(data, path.suffix), path.stem)
    except KernelError as error:
        raise KernelError(f"{path}: {error}") from None


def kernel_from_bytes(data: bytes, suffix: str) -> Array:
    """Read a kernel from a file's contents.

    Parameters
    ----------
    data
        The bytes of the file.
    suffix
        ``.txt``, ``.csv``, ``.json`` (an array of rows of numbers or of ``"1/9"``) or ``.npy``.

    Returns
    -------
    ndarray
        ``(kh, kw)`` int64 or float64; a file of one row of numbers gives ``(1, kw)``.

    Raises
    ------
    KernelError
        If the format is unknown or the contents are no kernel.
    """
    reader = KERNEL_READERS.get(suffix.lower())
    if reader is None:
        known = ", ".join(KERNEL_READERS)
        raise KernelError(f"kernel files of type {suffix!r} are unknown; use one of {known}")
    return reader(data)


def _from_text(data: bytes) -> Array:
    try:
        return parse_kernel(data.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise KernelError(f"kernel file is not text: {data[:12]!r}; {EXAMPLE}") from None


def _from_json(data: bytes) -> Array:
    try:
        rows = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise KernelError(f"kernel file is not JSON ({error}); write [[0, 1], [1, 0]]") from None
    if isinstance(rows, list) and rows and not any(isinstance(row, list) for row in rows):
        rows = [rows]
    if not isinstance(rows, list) or not rows or not all(isinstance(r, list) and r for r in rows):
        raise KernelError(f"kernel file holds {str(rows)[:40]}; write [[0, 1], [1, 0]]")
    return kernel_of_words([[str(word) for word in row] for row in rows])


def _from_npy(data: bytes) -> Array:
    try:
        array = np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
    except Exception as error:  # NumPy reads the header as Python, which fails in many ways
        reason = " ".join(str(error).split())[:100]
        raise KernelError(f"kernel file is not a .npy array ({reason}); use numpy.save") from None
    return as_kernel(array[np.newaxis] if array.ndim == 1 else array)


KERNEL_READERS: Mapping[str, Callable[[bytes], Array]] = MappingProxyType(
    {".txt": _from_text, ".csv": _from_text, ".json": _from_json, ".npy": _from_npy}
)


class LearnedKernel(NamedTuple):
    """Which kernels of a checkpoint ``FILE:LAYER[:OUT[:IN]]`` means.

    Parameters
    ----------
    file
        The checkpoint.
    layer
        Name of a convolution layer, such as ``conv1`` or ``layer1.0.conv2``.
    output, input
        Channels; None for all of them.
    """

    file: Path
    layer: str
    output: int | None = None
    input: int | None = None

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Return what the text means, or None if it has not that form.

        >>> LearnedKernel.parse("w.safetensors:conv1:3").output
        3
        """
        match = _LEARNED.fullmatch(text)
        if match is None:
            return None
        output, channel = (None if match[g] is None else int(match[g]) for g in ("out", "in"))
        return cls(Path(match["file"]), match["layer"], output, channel)

    @property
    def label(self) -> str:
        """What file names call it: ``conv1_3``."""
        parts = [self.layer, self.output, self.input]
        return "_".join(str(part) for part in parts if part is not None)

    def read(self) -> NDArray[np.float32]:
        """Return the layer's kernels ``(outputs, inputs, kh, kw)``, reduced to those asked for.

        Raises
        ------
        CheckpointError
            If the file cannot be read.
        KernelError
            If the layer or a channel does not exist.
        """
        layers = convolution_layers(self.file)
        if self.layer not in layers:
            raise KernelError(
                f"{self.file} has no convolution layer {self.layer!r}; "
                f"it has {', '.join(layers) or 'none'}"
            )
        weights = layers[self.layer]
        for axis, (what, index) in enumerate((("output", self.output), ("input", self.input))):
            if index is not None and index >= (count := weights.shape[axis]):
                raise KernelError(
                    f"{self.layer} of {self.file} has no {what} channel {index}; "
                    f"it has 0 to {count - 1}"
                )
            weights = weights if index is None else weights.take([index], axis)
        return weights

    def kernels(self) -> tuple[Kernel, ...]:
        """Return every kernel that is meant; several are named ``conv1:3``, or ``conv2:3:0``.

        Raises
        ------
        CheckpointError, KernelError
            As :meth:`read`, and if there are more than :data:`MAX_KERNELS`.
        """
        weights = self.read()
        outputs, inputs = weights.shape[:2]
        if outputs * inputs > MAX_KERNELS:
            raise KernelError(
                f"{self.layer} of {self.file} has {outputs}x{inputs} kernels, "
                f"more than a sheet's {MAX_KERNELS}; name an output: {self.file}:{self.layer}:0"
            )
        if outputs == inputs == 1:
            return (Kernel.of(weights[0, 0], self.label),)
        names = [f"{self.layer}:{(self.output or 0) + o}" for o in range(outputs)]
        if inputs > 1 or self.input is not None:
            names = [f"{name}:{(self.input or 0) + i}" for name in names for i in range(inputs)]
        return tuple(map(Kernel.of, weights.reshape(-1, *weights.shape[2:]), names))

    def kernel(self) -> Kernel:
        """Return the one kernel that is meant.

        Raises
        ------
        KernelError
            If several are meant, beside what :meth:`read` raises.
        """
        weights = self.read()
        if weights.shape[:2] != (1, 1):
            axis, missing = (0, "output") if weights.shape[0] > 1 else (1, "input")
            raise KernelError(
                f"{self.layer} of {self.file} has {weights.shape[axis]} {missing} channels; "
                f"name one: {self.file}:{self.layer}:OUT{':IN' * (axis == 1)}"
            )
        return Kernel.of(weights[0, 0], self.label)


def convolution_layers(file: Path) -> dict[str, NDArray[np.float32]]:
    """Return the weights ``(outputs, inputs, kh, kw)`` of every convolution layer, by name.

    Raises
    ------
    CheckpointError
        If the file cannot be read.
    """
    from cnncli.checkpoint import read_checkpoint

    tensors = read_checkpoint(file).tensors
    return {
        name.removesuffix(".weight"): tensor for name, tensor in tensors.items() if tensor.ndim == 4
    }
