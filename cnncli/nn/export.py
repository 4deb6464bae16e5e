"""A checkpoint as a program of its own: uint8 pictures in, calibrated probabilities out.

Exported classifiers go wrong where preprocessing is typed in again. So scaling, cropping and
normalising are part of the exported graph, and so is the temperature. Only the search for a digit
in a picture, which is no graph of tensors, stays outside.
"""

import io
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cnncli.checkpoint import Checkpoint
from cnncli.config import Preprocessing
from cnncli.nn.state_dict import load_network

INPUT, OUTPUT = "pictures", "probabilities"
LARGEST = 1 << 16  # pixels of a picture's side
_BITS = 22  # of Pillow's fixed-point weights for 8-bit pictures


class Answering(nn.Module):
    """A network with its preprocessing before it and its calibration behind it.

    Parameters
    ----------
    network
        Takes ``(N, C, H, W)`` and returns logits ``(N, K)``.
    preprocessing
        Of the kind ``"resize"``: pictures of any size are scaled and cropped.
    temperature
        Divides the logits.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self, network: nn.Module, preprocessing: Preprocessing, temperature: float
    ) -> None:
        super().__init__()
        self.network, self.temperature = network, temperature
        self.size = preprocessing.height, preprocessing.width
        self.resizes = preprocessing.kind == "resize"
        self.register_buffer("mean", torch.tensor(preprocessing.mean))
        self.register_buffer("std", torch.tensor(preprocessing.std))

    def forward(self, pictures: Tensor) -> Tensor:
        """Return probabilities ``(N, K)`` of uint8 pictures ``(N, H, W, C)``."""
        shown = cover(pictures, *self.size) if self.resizes else pictures
        normalised = (shown.float() / 255 - self.mean) / self.std
        logits = self.network(normalised.permute(0, 3, 1, 2))
        return torch.softmax(logits / self.temperature, dim=1)


def cover(pictures: Tensor, height: int, width: int) -> Tensor:
    """Scale pictures so that they just cover a size, and keep their middle.

    Parameters
    ----------
    pictures
        uint8 ``(N, H, W, C)``.
    height, width
        Of the result.

    Returns
    -------
    torch.Tensor
        float64 whole numbers from 0 to 255, ``(N, height, width, C)``: Pillow's, bit for bit.
    """
    rows, columns = (torch.scalar_tensor(pictures.shape[i], dtype=torch.float64) for i in (1, 2))
    step = torch.minimum(rows / height, columns / width)  # input pixels for an output pixel
    across = _weights(pictures.shape[2], columns, step, width)
    down = _weights(pictures.shape[1], rows, step, height)
    wide = torch.einsum("qw,nhwc->nhqc", across, pictures.double())
    return _rounded(torch.einsum("ph,nhqc->npqc", down, _rounded(wide)))


def _weights(size: int, length: Tensor, step: Tensor, out: int) -> Tensor:
    """Return ``(out, size)`` triangle weights, as whole numbers of 2**-22 (Pillow's Resample.c)."""
    # Pillow takes the box as float32, and its length too.
    start, stop = ((length + sign * step * out) / 2 for sign in (-1, 1))
    step = (stop.float() - start.float()).double() / out
    centres = start.float().double() + (torch.arange(out, dtype=torch.float64) + 0.5) * step
    support = torch.clamp(step, min=1.0)
    taps = torch.arange(size, dtype=torch.float64) + 0.5
    weights = torch.clamp(1 - (taps - centres[:, None]).abs() / support, min=0)
    return torch.floor(weights / weights.sum(dim=1, keepdim=True) * 2**_BITS + 0.5)


def _rounded(sums: Tensor) -> Tensor:
    return torch.clamp(torch.floor(sums / 2**_BITS + 0.5), 0, 255)


def to_program(checkpoint: Checkpoint, temperature: float) -> torch.export.ExportedProgram:
    """Return a checkpoint's network, preprocessing and calibration as one graph.

    Parameters
    ----------
    checkpoint
        Any network.
    temperature
        Of the calibration.

    Returns
    -------
    torch.export.ExportedProgram
        uint8 ``(N, H, W, C)`` to float32 ``(N, K)``; N is free, and so are H and W where the
        preprocessing is of the kind ``"resize"``.
    """
    wanted = checkpoint.preprocessing
    whole = Answering(load_network(checkpoint), wanted, temperature)
    whole.requires_grad_(False).eval()
    # Sizes of the example that are no special case: none is 1, none is the network's own.
    extra = (3, 5) if wanted.kind == "resize" else (0, 0)
    shape = (2, wanted.height + extra[0], wanted.width + extra[1], wanted.channels)
    free: dict[int, Any] = {0: torch.export.Dim("n", min=1)}
    if wanted.kind == "resize":
        free |= {i: torch.export.Dim("hw"[i - 1], min=1, max=LARGEST) for i in (1, 2)}
    with _quiet():
        program = torch.export.export(
            whole, (torch.zeros(shape, dtype=torch.uint8),), dynamic_shapes={INPUT: free}
        )
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # paths of this machine
    return program


def to_pt2(program: torch.export.ExportedProgram, facts: Mapping[str, str]) -> bytes:
    """Return a program as a ``.pt2`` file, with texts about it as its extra files."""
    buffer = io.BytesIO()
    torch.export.save(program, buffer, extra_files=dict(facts))
    return buffer.getvalue()


def run_pt2(data: bytes, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the probabilities ``(N, K)`` that a ``.pt2`` file gives to ``(N, H, W, C)``."""
    whole = torch.export.load(io.BytesIO(data)).module()
    answer: NDArray[np.float32] = whole(torch.from_numpy(pictures)).numpy()
    return answer


def to_onnx(program: torch.export.ExportedProgram, facts: Mapping[str, str]) -> bytes:
    """Return a program as an ONNX file, with texts about it as its metadata.

    Raises
    ------
    ImportError
        If onnx or onnxscript is missing.
    """
    import onnx

    with _quiet():
        exported = torch.onnx.export(
            program, (), input_names=[INPUT], output_names=[OUTPUT], dynamo=True, verbose=False
        )
    if exported is None:
        raise RuntimeError("torch.onnx returned no model")
    model = exported.model_proto
    _forget(model.graph)
    onnx.helper.set_model_props(model, dict(facts))
    data: bytes = model.SerializeToString()
    return data


def _forget(graph: Any) -> None:
    """Take out what the exporter notes of the machine (paths of sources); name the free sizes."""
    for node in graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    del graph.metadata_props[:], graph.value_info[:]
    for value, names in ((graph.input[0], "NHW"), (graph.output[0], "N")):
        for size, name in zip(value.type.tensor_type.shape.dim, names, strict=False):
            if size.dim_param:
                size.dim_param = name


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporters' notes about themselves from the terminal."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
